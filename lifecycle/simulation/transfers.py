"""Checkpoints to the simulated store and back: they take their time, and the objects and manifests are real."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from lifecycle.adapters.simulated.store import MemoryStore, digest_of
from lifecycle.adapters.simulated.timeline import Timeline
from lifecycle.adapters.simulated.trainer import Disk
from lifecycle.agent import wholes
from lifecycle.agent.courier import Courier, Done, Failed, Job, Parted, Restore, Restored, Ship, Shipped
from lifecycle.agent.manifest import Manifest, Part, StoredFile, Unsound, manifest_bytes, read_manifest
from lifecycle.model.errors import SteadyError
from lifecycle.model.ids import WHOLE, checkpoint_prefix
from lifecycle.model.records import Receipt

SHIP, RESTORE = 8.0, 4.0
"""Seconds that a transfer takes."""


class SimulatedCourier(Courier):
    """One job at a time; `on_done` is called when it is over."""

    def __init__(self, store: MemoryStore, timeline: Timeline, disk: Disk, on_done: Callable[[], None]) -> None:
        self._objects, self._timeline, self._disk, self._told = store, timeline, disk, on_done
        self.current: Job | None = None
        self.moved = 0
        self._finished: Done | None = None
        self._number = 0

    def submit(self, job: Job) -> None:
        assert self.current is None
        self.current, self._number = job, self._number + 1
        number = self._number
        self._timeline.after(SHIP if isinstance(job, Ship) else RESTORE, lambda: self._over(job, number))

    def cancel(self) -> None:
        if self.current is not None and self._finished is None:
            self._number += 1
            self._finished = Failed(job=self.current, why="abandoned for a newer one", abandoned=True)
            self._told()

    def result(self) -> Done | None:
        done, self._finished = self._finished, None
        if done is not None:
            self.current = None
        return done

    def kill(self) -> None:
        """Its agent is gone: what is under way comes to nothing."""
        self._number += 1

    def _over(self, job: Job, number: int) -> None:
        if number != self._number:
            return
        try:
            self._finished = self._ship(job) if isinstance(job, Ship) else self._restore(job)
        except SteadyError as error:
            self._finished = Failed(job=job, why=error.what, unsound=isinstance(error, Unsound))
        self._told()

    def _ship(self, job: Ship) -> Shipped | Parted:
        checkpoint = job.checkpoint
        if checkpoint not in self._disk.all(job.directory):
            raise Unsound(f"{checkpoint.name} changed while it was read", fix="write it aside, then rename")
        mark = hashlib.sha256(f"{job.node}{checkpoint.signature}".encode()).hexdigest()[:8]
        if job.rank is not None:
            return self._ship_of_rank(job, job.rank, mark)
        prefix = checkpoint_prefix(job.fleet, job.run, job.attempt, checkpoint.step, mark)
        manifest = Manifest(
            run=job.run,
            attempt=job.attempt,
            epoch=job.attempt,
            step=checkpoint.step,
            name=checkpoint.name,
            files=self._stored(job, f"{prefix}/files"),
        )
        data, digest = manifest_bytes(manifest)
        self._objects.put(f"{prefix}/manifest.json", data)
        return Shipped(job=job, receipt=self._receipt(job, prefix, digest, manifest.size))

    def _ship_of_rank(self, job: Ship, rank: int, mark: str) -> Shipped | Parted:
        """As the production courier does: its own part first, then the whole, when all parts are there."""
        prefix = checkpoint_prefix(job.fleet, job.run, job.attempt, job.checkpoint.step, WHOLE)
        place = wholes.place_of(rank, mark)
        if not job.parted:
            files = self._stored(job, f"{prefix}/{place}")
            part = Part(rank=rank, node=job.node, name=job.checkpoint.name, place=place, files=files)
            wholes.put_part(self._objects, prefix, part)
        present = wholes.parts_of(self._objects, prefix)
        if len(present) < job.count:
            return Parted(job=job)
        keys = [key for _, key in sorted(present.items())]
        whole, digest = wholes.made_whole(self._objects, prefix, job.run, job.attempt, job.checkpoint.step, keys)
        return Shipped(job=job, receipt=self._receipt(job, prefix, digest, whole.size))

    def _stored(self, job: Ship, prefix: str) -> tuple[StoredFile, ...]:
        stored = self._objects.put(f"{prefix}/data", contents(job.run, job.checkpoint.step))
        return (StoredFile(path=".", size=stored.size, sha256=stored.sha256),)

    def _receipt(self, job: Ship, prefix: str, digest: str, size: int) -> Receipt:
        return Receipt(
            run=job.run,
            epoch=job.attempt,
            step=job.checkpoint.step,
            digest=digest,
            size=size,
            at=self._timeline.now(),
            name=job.checkpoint.name,
            prefix=prefix,
            node=job.node,
            request=job.request,
        )

    def _restore(self, job: Restore) -> Restored:
        rejected: list[Receipt] = []
        for receipt in job.candidates:
            if not sound(self._objects.objects, receipt):
                self._objects.get(receipt.prefix)  # a store that is away proves nothing
                rejected.append(receipt)
                continue
            if all(found.name != receipt.name for found in self._disk.all(job.directory)):
                self._disk.put(job.directory, receipt.name, receipt.step)
            return Restored(job=job, receipt=receipt, rejected=tuple(rejected))
        return Restored(job=job, receipt=None, rejected=tuple(rejected))


def contents(run: str, step: int) -> bytes:
    """What a checkpoint of this step holds: training is deterministic."""
    return f"weights of {run} at step {step}".encode()


def sound(objects: dict[str, bytes], receipt: Receipt) -> bool:
    """Whether the objects of a receipt are all there, and as they were stored."""
    try:
        manifest = read_manifest(objects.get(f"{receipt.prefix}/manifest.json"), receipt.digest)
    except Unsound:
        return False
    parts = manifest.parts or (manifest.part(None),)
    return all(_there(objects, f"{receipt.prefix}/{part.place}/data", part.files[0]) for part in parts)


def _there(objects: dict[str, bytes], key: str, file: StoredFile) -> bool:
    data = objects.get(key)
    return data is not None and tuple(digest_of(data)) == (file.size, file.sha256)

"""Checkpoints to the simulated store and back: they take their time, and the objects and manifests are real."""

from __future__ import annotations

from collections.abc import Callable

from lifecycle.adapters.simulated.store import MemoryStore, digest_of
from lifecycle.adapters.simulated.timeline import Timeline
from lifecycle.adapters.simulated.trainer import Disk
from lifecycle.agent.courier import Courier, Done, Failed, Job, Restore, Restored, Ship
from lifecycle.agent.manifest import StoredFile, Unsound, read_manifest
from lifecycle.model.errors import SteadyError
from lifecycle.model.records import Receipt

SHIP, RESTORE = 8.0, 4.0
"""Seconds that a transfer takes."""


class SimulatedCourier(Courier):
    """One job at a time; `on_done` is called when it is over."""

    def __init__(self, store: MemoryStore, timeline: Timeline, disk: Disk, on_done: Callable[[], None]) -> None:
        self._store: MemoryStore = store
        self._now, self._timeline, self._disk, self._told = timeline.now, timeline, disk, on_done
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

    def _store_files(self, job: Ship, prefix: str) -> tuple[StoredFile, ...]:
        if job.checkpoint not in self._disk.all(job.directory):
            raise Unsound(f"{job.checkpoint.name} changed while it was read", fix="write it aside, then rename")
        stored = self._store.put(f"{prefix}/data", contents(job.run, job.checkpoint.step))
        return (StoredFile(path=".", size=stored.size, sha256=stored.sha256),)

    def _restore(self, job: Restore) -> Restored:
        rejected: list[Receipt] = []
        for receipt in job.candidates:
            if not sound(self._store.objects, receipt):
                self._store.get(receipt.prefix)  # a store that is away proves nothing
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

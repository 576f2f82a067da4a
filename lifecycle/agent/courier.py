"""Checkpoints to the store and back, on a thread of its own so that notices are never waited for.

One job at a time. `ship`: hash and store every file, see that nothing changed meanwhile, then write the
manifest as a new object. `restore`: take the first receipt whose objects all match, and put its files in
place by one rename.
"""

from __future__ import annotations

import hashlib
import queue
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from lifecycle.agent import wholes
from lifecycle.agent.manifest import (
    Manifest,
    Part,
    StoredFile,
    Unsound,
    files_of,
    fingerprint,
    manifest_bytes,
    read_manifest,
    seal,
)
from lifecycle.model.errors import SteadyError
from lifecycle.model.ids import WHOLE, checkpoint_prefix
from lifecycle.model.records import Receipt
from lifecycle.ports.checkpoints import ObjectStore
from lifecycle.ports.trainer import LocalCheckpoint
from lifecycle.system.files import open_itself, sync_directory, sync_file


class Ship(msgspec.Struct, frozen=True, kw_only=True):
    """Store this checkpoint of this attempt."""

    fleet: str
    run: str
    attempt: int
    node: str
    directory: Path
    checkpoint: LocalCheckpoint
    request: str | None = None
    rank: int | None = None
    """Of a gang of `count`: only this rank's part lies here."""
    count: int = 1
    parted: bool = False
    """That part is stored already; only the others' are looked for."""


class Restore(msgspec.Struct, frozen=True, kw_only=True):
    """Put the first sound one of these receipts into `directory`: of a gang, the part of this rank."""

    candidates: tuple[Receipt, ...]
    directory: Path
    rank: int | None = None


class Shipped(msgspec.Struct, frozen=True, kw_only=True):
    job: Ship
    receipt: Receipt


class Parted(msgspec.Struct, frozen=True, kw_only=True):
    """This rank's part is stored; those of other ranks are missing yet. The job may be tried again."""

    job: Ship


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """`receipt` None: there was nothing to resume from, or nothing sound."""

    job: Restore
    receipt: Receipt | None
    rejected: tuple[Receipt, ...] = ()


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """The job may be tried again. `unsound`: the checkpoint's own fault, not the store's."""

    job: Ship | Restore
    why: str
    unsound: bool = False
    abandoned: bool = False
    """It was cancelled."""


Job = Ship | Restore
Done = Shipped | Parted | Restored | Failed


class _Abandoned(Exception):
    """The job was cancelled."""


class Courier:
    """Runs jobs one after another; `on_done` is called from its thread after each."""

    def __init__(self, store: ObjectStore, now: Callable[[], float], on_done: Callable[[], None]) -> None:
        self._store, self._now, self._on_done = store, now, on_done
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Done] = queue.SimpleQueue()
        self._cancel = threading.Event()
        self.current: Job | None = None
        self.moved = 0
        self._thread = threading.Thread(target=self._work, name="courier", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Begins a job. Only one may be under way."""
        assert self.current is None
        self._cancel.clear()
        self.current, self.moved = job, 0
        self._jobs.put(job)

    def cancel(self) -> None:
        """The job under way is abandoned; its result will be Failed."""
        self._cancel.set()

    def result(self) -> Done | None:
        """The result of the job under way, once; None while there is none."""
        try:
            done = self._done.get_nowait()
        except queue.Empty:
            return None
        self.current = None
        return done

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                done: Done = self._ship(job) if isinstance(job, Ship) else self._restore(job)
            except _Abandoned:
                done = Failed(job=job, why="abandoned for a newer one", abandoned=True)
            except SteadyError as error:
                done = Failed(job=job, why=error.what, unsound=isinstance(error, Unsound))
            except OSError as error:
                done = Failed(job=job, why=f"{error.filename or 'disk'}: {error.strerror}")
            except Exception as bug:  # a dead thread would keep every later checkpoint from the store
                done = Failed(job=job, why=f"a bug: {type(bug).__name__}: {bug}")
            self._done.put(done)
            self._on_done()

    def _moved(self, count: int) -> None:
        if self._cancel.is_set():
            raise _Abandoned
        self.moved += count

    def _ship(self, job: Ship) -> Shipped | Parted:
        if job.rank is not None:
            return self._ship_part(job, job.rank)
        prefix = _prefix(job, _mark(job))
        files = self._store_files(job, f"{prefix}/files")
        manifest = Manifest(
            run=job.run,
            attempt=job.attempt,
            epoch=job.attempt,
            step=job.checkpoint.step,
            name=job.checkpoint.name,
            files=files,
        )
        data, digest = manifest_bytes(manifest)
        seal(self._store, f"{prefix}/manifest.json", data)
        return Shipped(job=job, receipt=self._receipt(job, prefix, digest, manifest.size))

    def _ship_part(self, job: Ship, rank: int) -> Shipped | Parted:
        """This rank's part first, then the whole, when all parts are there."""
        prefix, place = _prefix(job, WHOLE), wholes.place_of(rank, _mark(job))
        if not job.parted:
            files = self._store_files(job, f"{prefix}/{place}")
            part = Part(rank=rank, node=job.node, name=job.checkpoint.name, place=place, files=files)
            wholes.put_part(self._store, prefix, part)
        present = wholes.parts_of(self._store, prefix)
        if len(present) < job.count:
            return Parted(job=job)
        keys = [key for _, key in sorted(present.items())]
        manifest, digest = wholes.made_whole(self._store, prefix, job.run, job.attempt, job.checkpoint.step, keys)
        return Shipped(job=job, receipt=self._receipt(job, prefix, digest, manifest.size))

    def _store_files(self, job: Ship, prefix: str) -> tuple[StoredFile, ...]:
        """Every file of the checkpoint, stored as it was when it was complete."""
        source = job.directory / job.checkpoint.name
        before = fingerprint(source)
        if not before:
            raise Unsound(f"{job.checkpoint.name} holds no file", fix="write it aside, then rename")
        files = tuple(self._store_file(prefix, path, file) for path, file in files_of(source))
        if fingerprint(source) != before:
            raise Unsound(f"{job.checkpoint.name} changed while it was read", fix="write it aside, then rename")
        return files

    def _store_file(self, prefix: str, path: str, file: Path) -> StoredFile:
        digest = self._store.put_file(_object(prefix, path), file, self._moved)
        return StoredFile(path=path, size=digest.size, sha256=digest.sha256)

    def _receipt(self, job: Ship, prefix: str, digest: str, size: int) -> Receipt:
        return Receipt(
            run=job.run,
            epoch=job.attempt,
            step=job.checkpoint.step,
            digest=digest,
            size=size,
            at=self._now(),
            name=job.checkpoint.name,
            prefix=prefix,
            node=job.node,
            request=job.request,
        )

    def _restore(self, job: Restore) -> Restored:
        rejected: list[Receipt] = []
        for receipt in job.candidates:
            try:
                name = self._fetch(receipt, job)
            except Unsound:
                rejected.append(receipt)
            else:
                here = msgspec.structs.replace(receipt, name=name)
                return Restored(job=job, receipt=here, rejected=tuple(rejected))
        return Restored(job=job, receipt=None, rejected=tuple(rejected))

    def _fetch(self, receipt: Receipt, job: Restore) -> str:
        """Returns the name that the checkpoint has in the directory."""
        manifest = read_manifest(self._store.get(f"{receipt.prefix}/manifest.json"), receipt.digest)
        part = manifest.part(job.rank)
        target = job.directory / part.name
        if _same(part, target):
            return part.name
        beside = job.directory / f".restoring-{part.name}"
        _clear(beside)
        for file in part.files:
            self._fetch_file(f"{receipt.prefix}/{part.place}", file, beside / file.path)
        _clear(target)
        beside.rename(target)
        sync_directory(job.directory)
        return part.name

    def _fetch_file(self, prefix: str, file: StoredFile, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        written = self._store.get_file(_object(prefix, file.path), target, self._moved)
        if written is None:
            raise Unsound(f"{file.path} is missing", fix="an older checkpoint is used")
        if (written.size, written.sha256) != (file.size, file.sha256):
            raise Unsound(f"{file.path} was altered", fix="an older checkpoint is used")
        sync_file(target)


def _mark(job: Ship) -> str:
    """One place per checkpoint as it lies on the disk: a second save of a step overwrites nothing."""
    return hashlib.sha256(job.checkpoint.signature.encode()).hexdigest()[:8]


def _prefix(job: Ship, mark: str) -> str:
    return checkpoint_prefix(job.fleet, job.run, job.attempt, job.checkpoint.step, mark)


def _object(prefix: str, path: str) -> str:
    return f"{prefix}/data" if path == "." else f"{prefix}/tree/{path}"


def _clear(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _same(part: Part, target: Path) -> bool:
    """Whether the checkpoint lies on this disk already, byte for byte."""
    try:
        present = {path: file for path, file in files_of(target)}
        if {file.path for file in part.files} != set(present):
            return False
        return all(_digest(present[file.path]) == file.sha256 for file in part.files)
    except (OSError, Unsound):
        return False


def _digest(file: Path) -> str:
    with open_itself(file) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()

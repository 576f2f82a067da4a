"""Objects in a directory: whole or absent, by write, sync and rename.

What is being written has a name with one leading dot, `.<pid>.data`. Objects' own leading dots are doubled on the
disk, so that none is ever taken for a leftover.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from lifecycle.model.errors import Conflict, Unreadable
from lifecycle.ports.checkpoints import Digest, Moved
from lifecycle.system.files import open_itself, sync_directory

CHUNK = 1024 * 1024


class DirectoryStore:
    """Implements `ports.checkpoints.ObjectStore` below one directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put_file(self, key: str, source: Path, moved: Moved) -> Digest:
        target = self._place(key)
        beside = _beside(target)
        try:
            with open_itself(source) as reading, beside.open("wb") as writing:
                digest = _copy(reading, writing, moved)
            beside.replace(target)
            sync_directory(target.parent)
        finally:
            beside.unlink(missing_ok=True)
        return digest

    def put_new(self, key: str, data: bytes) -> None:
        target = self._place(key)
        beside = _beside(target)
        try:
            _write(beside, data)
            os.link(beside, target)
        except FileExistsError:
            raise Conflict(f"object {key} exists already", fix="read it") from None
        finally:
            beside.unlink(missing_ok=True)
        sync_directory(target.parent)

    def get(self, key: str) -> bytes | None:
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            self._must_exist()
            return None
        except OSError as error:
            raise self._unreadable(error) from None

    def get_file(self, key: str, target: Path, moved: Moved) -> Digest | None:
        try:
            reading = open_itself(self._path(key))
        except FileNotFoundError:
            self._must_exist()
            return None
        except OSError as error:
            raise self._unreadable(error) from None
        with reading, target.open("wb") as writing:
            return _copy(reading, writing, moved)

    def keys(self, prefix: str) -> Sequence[str]:
        self._must_exist()
        found = (_key(path.relative_to(self._root)) for path in self._files(prefix) if not _half_written(path))
        return sorted(key for key in found if key.startswith(prefix))

    def remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._unlink(self._path(key))

    def abort_stale(self, prefix: str, age: float) -> int:
        if not self._root.exists():
            return 0
        self._must_exist()
        before = time.time() - age
        stale = [path for path in self._files(prefix) if _half_written(path) and _last_written(path) < before]
        for path in stale:
            self._unlink(path)
        return len(stale)

    def _files(self, prefix: str) -> Iterator[Path]:
        """All that lies in the folder of this prefix, or deeper."""
        return (path for path in self._path(prefix.rpartition("/")[0]).rglob("*") if path.is_file())

    def _unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._remove_empty(path.parent)

    def _remove_empty(self, folder: Path) -> None:
        while folder != self._root:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    def _path(self, key: str) -> Path:
        return self._root.joinpath(*(f".{name}" if name.startswith(".") else name for name in key.split("/")))

    def _place(self, key: str) -> Path:
        target = self._path(key)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unreadable(error) from None
        return target

    def _must_exist(self) -> None:
        """A store that is not there at all has not said that an object is missing."""
        if not self._root.is_dir():
            raise self._unreadable(NotADirectoryError(20, "is not a directory"))

    def _unreadable(self, error: OSError) -> Unreadable:
        return Unreadable(
            f"{self._root}: the checkpoint store does not answer: {error.strerror}",
            fix="it is tried again; see to the disk",
        )


def _key(path: Path) -> str:
    return "/".join(name.removeprefix(".") for name in path.parts)


def _beside(target: Path) -> Path:
    """Where this process writes what `target` will be."""
    return target.with_name(f".{os.getpid()}.{target.name}")


def _half_written(path: Path) -> bool:
    return path.name.startswith(".") and not path.name.startswith("..")


def _last_written(path: Path) -> float:
    """Never, when it has just become whole, or has gone."""
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return math.inf


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _copy(reading: BinaryIO, writing: BinaryIO, moved: Moved) -> Digest:
    hasher, size = hashlib.sha256(), 0
    while chunk := reading.read(CHUNK):
        writing.write(chunk)
        hasher.update(chunk)
        size += len(chunk)
        moved(len(chunk))
    writing.flush()
    os.fsync(writing.fileno())
    return Digest(size, hasher.hexdigest())

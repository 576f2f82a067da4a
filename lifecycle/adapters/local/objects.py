"""Objects in a directory: whole or absent, by write, sync and rename."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from lifecycle.model.errors import Conflict, Unreadable
from lifecycle.ports.checkpoints import Digest, Moved
from lifecycle.system.files import open_itself, sync_directory, write_whole

CHUNK = 1024 * 1024


class DirectoryStore:
    """Implements `ports.checkpoints.ObjectStore` below one directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put_file(self, key: str, source: Path, moved: Moved) -> Digest:
        target = self._place(key)
        beside = target.with_name(f".{target.name}.{os.getpid()}")
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
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        write_whole(beside, data)
        try:
            os.link(beside, target)
        except FileExistsError:
            raise Conflict(f"object {key} exists already", fix="read it") from None
        finally:
            beside.unlink(missing_ok=True)
        sync_directory(target.parent)

    def get(self, key: str) -> bytes | None:
        try:
            return (self._root / key).read_bytes()
        except FileNotFoundError:
            self._must_exist()
            return None
        except OSError as error:
            raise self._unreadable(error) from None

    def get_file(self, key: str, target: Path, moved: Moved) -> Digest | None:
        try:
            reading = open_itself(self._root / key)
        except FileNotFoundError:
            self._must_exist()
            return None
        except OSError as error:
            raise self._unreadable(error) from None
        with reading, target.open("wb") as writing:
            return _copy(reading, writing, moved)

    def keys(self, prefix: str) -> Sequence[str]:
        folder = (self._root / prefix).parent if not prefix.endswith("/") else self._root / prefix
        self._must_exist()
        found = (path.relative_to(self._root).as_posix() for path in folder.rglob("*") if path.is_file())
        return sorted(key for key in found if key.startswith(prefix) and "/." not in key)

    def remove(self, keys: Sequence[str]) -> None:
        for key in keys:
            path = self._root / key
            path.unlink(missing_ok=True)
            self._remove_empty(path.parent)

    def _remove_empty(self, folder: Path) -> None:
        while folder != self._root:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    def _place(self, key: str) -> Path:
        target = self._root / key
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

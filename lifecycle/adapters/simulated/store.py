"""The checkpoint store in memory. It may be away, and its objects may be damaged."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, insort
from collections.abc import Sequence
from pathlib import Path

from lifecycle.model.errors import Conflict, Unreadable
from lifecycle.ports.checkpoints import Digest, Moved
from lifecycle.system.files import open_itself


class MemoryStore:
    """Implements `ports.checkpoints.ObjectStore`."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self._names: list[str] = []
        self.away = False

    def put(self, key: str, data: bytes) -> Digest:
        """Stores an object; a repeat replaces it."""
        self._answer()
        if key not in self.objects:
            insort(self._names, key)
        self.objects[key] = data
        return digest_of(data)

    def put_file(self, key: str, source: Path, moved: Moved) -> Digest:
        with open_itself(source) as file:
            data = file.read()
        moved(len(data))
        return self.put(key, data)

    def put_new(self, key: str, data: bytes) -> None:
        self._answer()
        if key in self.objects:
            raise Conflict(f"{key} exists already", fix="choose another name")
        self.put(key, data)

    def get(self, key: str) -> bytes | None:
        self._answer()
        return self.objects.get(key)

    def get_file(self, key: str, target: Path, moved: Moved) -> Digest | None:
        data = self.get(key)
        if data is None:
            return None
        moved(len(data))
        target.write_bytes(data)
        return digest_of(data)

    def keys(self, prefix: str) -> Sequence[str]:
        self._answer()
        low, high = bisect_left(self._names, prefix), bisect_left(self._names, prefix + "\U0010ffff")
        return self._names[low:high]

    def remove(self, keys: Sequence[str]) -> None:
        self._answer()
        for key in keys:
            if self.objects.pop(key, None) is not None:
                del self._names[bisect_left(self._names, key)]

    def abort_stale(self, prefix: str, age: float) -> int:  # noqa: ARG002
        """A put is whole or never was: nothing is left of one that was cut short."""
        self._answer()
        return 0

    def _answer(self) -> None:
        if self.away:
            raise Unreadable("the store does not answer", fix="wait")


def digest_of(data: bytes) -> Digest:
    return Digest(len(data), hashlib.sha256(data).hexdigest())

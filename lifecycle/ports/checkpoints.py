"""The store that outlives machines: S3, or a directory of this one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol


class Digest(NamedTuple):
    size: int
    sha256: str


Moved = Callable[[int], None]
"""Called with the number of bytes moved; may raise to abandon the transfer."""


class ObjectStore(Protocol):
    """Objects are whole or absent. Every method raises Unreadable when the store does not answer."""

    def put_file(self, key: str, source: Path, moved: Moved) -> Digest:
        """Stores the bytes of `source` and returns their size and SHA-256. A repeat replaces them."""
        ...

    def put_new(self, key: str, data: bytes) -> None:
        """Stores a small object that must not exist yet; raises Conflict when it does."""
        ...

    def get(self, key: str) -> bytes | None:
        """A small object, None when there is none."""
        ...

    def get_file(self, key: str, target: Path, moved: Moved) -> Digest | None:
        """Writes the object to `target` and returns what was written; None when there is none."""
        ...

    def keys(self, prefix: str) -> Sequence[str]:
        """The keys that begin with `prefix`, sorted."""
        ...

    def remove(self, keys: Sequence[str]) -> None:
        """Removes objects; missing ones are fine."""
        ...

    def abort_stale(self, prefix: str, age: float) -> int:
        """Drops what unfinished puts left below `prefix`, a folder (`runs/f/`); returns how many of them.

        Only those whose last sign of life is more than `age` seconds ago: on S3 that is their beginning, so `age`
        is best more than any put takes.
        """
        ...

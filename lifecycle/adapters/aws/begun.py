"""The uploads that a machine has begun and not ended, in small files on its own disk.

Nodes may not list uploads: the right knows no prefix. So a node remembers its own, and finds them again after its
agent was killed.
"""

from __future__ import annotations

import hashlib
import time
from contextlib import suppress
from pathlib import Path

from lifecycle.system.files import write_whole

DAY = 86400.0
"""The bucket drops what is unfinished for longer (`stacks.storage`)."""


class Begun:
    """One upload per object. Nothing raises: a disk that takes no more keeps no checkpoint from the store."""

    def __init__(self, directory: Path | None) -> None:
        """None: nothing is remembered, and every upload begins anew."""
        self._directory = directory

    def id_of(self, key: str) -> str | None:
        """The upload of this object that was begun last, unless it has ended."""
        if self._directory is not None:
            with suppress(OSError, ValueError):
                return self._file(self._directory, key).read_text() or None
        return None

    def note(self, key: str, upload_id: str) -> None:
        if self._directory is not None:
            with suppress(OSError):
                self._directory.mkdir(exist_ok=True)
                write_whole(self._file(self._directory, key), upload_id.encode())
                self._forget_old(self._directory)

    def forget(self, key: str) -> None:
        if self._directory is not None:
            with suppress(OSError):
                self._file(self._directory, key).unlink(missing_ok=True)

    @staticmethod
    def _file(directory: Path, key: str) -> Path:
        return directory / hashlib.sha256(key.encode()).hexdigest()[:32]

    @staticmethod
    def _forget_old(directory: Path) -> None:
        """Of checkpoints that nobody came back to."""
        for file in directory.iterdir():
            if file.stat().st_mtime < time.time() - DAY:
                file.unlink()

"""The doorbell of this computer: a file whose change time is looked at every 0.2 s."""

from __future__ import annotations

from pathlib import Path

from lifecycle.ports.clock import Clock

EVERY = 0.2


class FileWake:
    """Implements `ports.events.Wake` for any number of processes."""

    trouble = ""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._seen = self._changed()

    def ring(self) -> None:
        try:
            self._path.touch()
        except OSError:
            return  # missing a wake is harmless

    def wait(self, seconds: float) -> bool:
        deadline = self._clock.monotonic() + seconds
        while True:
            changed = self._changed()
            if changed != self._seen:
                self._seen = changed
                return True
            remaining = deadline - self._clock.monotonic()
            if remaining <= 0:
                return False
            self._clock.sleep(min(EVERY, remaining))

    def _changed(self) -> int:
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return 0

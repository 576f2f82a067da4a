"""Time, as control and agent may ask for it."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    def now(self) -> float:
        """Wall-clock seconds since the epoch: for deadlines and for people."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump: for waiting."""
        ...

    def sleep(self, seconds: float) -> None: ...

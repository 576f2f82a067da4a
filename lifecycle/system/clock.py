"""The clock of this machine."""

from __future__ import annotations

import time


class SystemClock:
    """Wall and monotonic time in seconds."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

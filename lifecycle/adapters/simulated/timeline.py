"""Virtual time: it jumps from one event to the next, and nobody waits."""

from __future__ import annotations

import heapq
from collections.abc import Callable

BEGIN = 1_800_000_000.0


class Timeline:
    """Implements `ports.clock.Clock`. Events of one moment happen in the order in which they were arranged."""

    def __init__(self, begin: float = BEGIN) -> None:
        self._passed, self._offset = 0.0, begin
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._arranged = 0

    def now(self) -> float:
        return self._offset + self._passed

    def monotonic(self) -> float:
        return self._passed

    def sleep(self, seconds: float) -> None:
        self.run_for(seconds)

    def jump(self, seconds: float) -> None:
        """The wall clock is set forward, or back; no time passes."""
        self._offset += seconds

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        """Arranges for `do` to be called when that much time has passed."""
        self._arranged += 1
        heapq.heappush(self._events, (self._passed + max(0.0, seconds), self._arranged, do))

    def run_for(self, seconds: float) -> None:
        """Lets time pass, with all that happens in it. An event may let time pass itself."""
        until = self._passed + max(0.0, seconds)
        while self._events and self._events[0][0] <= until:
            at, _, do = heapq.heappop(self._events)
            self._passed = max(self._passed, at)
            do()
        self._passed = max(self._passed, until)

    def next_event(self) -> float | None:
        """Seconds until something happens; None when nothing is arranged."""
        return max(0.0, self._events[0][0] - self._passed) if self._events else None

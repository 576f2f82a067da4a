"""Looks for processes of others on this machine: what uses accelerators or the run's checkpoints.

They are told, and never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lifecycle.agent.reporting import Conditions
from lifecycle.model.records import Assignment, Status
from lifecycle.ports.clock import Clock

EVERY = 30.0
"""Seconds between two looks: each reads what every process has open."""

NAMED = 3

Intruders = Callable[[Assignment | None], Sequence[str]]
"""A line for each such process, while this attempt is here or none."""


class ForeignWatch:
    """Keeps the condition `ForeignProcess` true to what is there."""

    def __init__(self, intruders: Intruders, conditions: Conditions, clock: Clock) -> None:
        self._intruders, self._conditions, self._clock = intruders, conditions, clock
        self._due = clock.monotonic()

    def look(self, assignment: Assignment | None) -> None:
        if self._clock.monotonic() < self._due:
            return
        self._due = self._clock.monotonic() + EVERY
        found = list(self._intruders(assignment))
        if not found:
            self._conditions.clear("ForeignProcess")
            return
        more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
        self._conditions.set("ForeignProcess", "Found", "; ".join(found[:NAMED]) + more, Status.TRUE)

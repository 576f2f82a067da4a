"""What the agent tells: one report row, written when something changes and as a heartbeat otherwise."""

from __future__ import annotations

import msgspec

from lifecycle.model.errors import SteadyError
from lifecycle.model.journal import Entry, EntryKind
from lifecycle.model.records import Condition, Report, Status
from lifecycle.ports.clock import Clock
from lifecycle.ports.events import Wake
from lifecycle.tracker.node import NodeTracker


class Conditions:
    """The agent's own faults, each with since when. What is well is not told."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._standing: dict[str, Condition] = {}

    def set(self, kind: str, reason: str, message: str, status: Status = Status.FALSE) -> None:
        known = self._standing.get(kind)
        since = known.since if known and known.status is status else self._clock.now()
        self._standing[kind] = Condition(type=kind, status=status, reason=reason, message=message, since=since)

    def clear(self, kind: str) -> None:
        self._standing.pop(kind, None)

    def note(self, kind: str, reason: str, fault: str) -> None:
        """Sets the condition while there is a fault, clears it when there is none."""
        if fault:
            self.set(kind, reason, fault)
        else:
            self.clear(kind)

    def all(self) -> tuple[Condition, ...]:
        return tuple(self._standing[kind] for kind in sorted(self._standing))


class Journal:
    """What this agent saw and did, for people; one that cannot be written is a condition."""

    def __init__(self, node: str, tracker: NodeTracker, conditions: Conditions, clock: Clock) -> None:
        self._node, self._tracker, self._conditions, self._clock = node, tracker, conditions, clock

    def note(
        self,
        what: str,
        *,
        cause: str = "",
        evidence: str = "",
        result: str = "",
        run: str | None = None,
        op: str | None = None,
        output: str = "",
    ) -> bool:
        """Writes one line; False when the tracker did not take it."""
        entry = Entry(
            at=self._clock.now(),
            kind=EntryKind.OBSERVED,
            what=what,
            node=self._node,
            run=run,
            cause=cause,
            evidence=evidence,
            result=result,
            op=op,
            output=output,
        )
        try:
            self._tracker.journal(entry)
        except SteadyError as error:
            self._conditions.set("TrackerReachable", "WriteFailed", error.what)
            return False
        return True


class Reporter:
    """Writes reports; a tracker that is away is a condition, and the next report is tried in its time."""

    def __init__(self, tracker: NodeTracker, clock: Clock, wake: Wake, heartbeat: float) -> None:
        self._tracker, self._clock, self._wake, self._heartbeat = tracker, clock, wake, heartbeat
        self._last: Report | None = None
        self._sequence = 0
        self.fault = ""

    @property
    def heard(self) -> bool:
        """Whether the tracker has taken a report of this agent."""
        return self._last is not None

    def tell(self, report: Report) -> None:
        """Writes `report` when it is news or the heartbeat is due, and wakes the controller for news."""
        news = self._last is None or _core(report) != _core(self._last)
        due = self._last is None or not 0 <= report.at - self._last.at < self._heartbeat
        if not news and not due:
            return
        self._sequence += 1
        try:
            self._tracker.report(msgspec.structs.replace(report, sequence=self._sequence))
        except SteadyError as error:
            self.fault = error.what
            return
        self.fault = ""
        self._last = report
        if news:
            self._wake.ring()


def _core(report: Report) -> Report:
    return msgspec.structs.replace(report, sequence=0, at=0.0, step=None, total=None, shipping=None, use=None)

"""Holds: which one counts for a node, and how one reads. A schedule is a hold that the spec makes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from lifecycle.model.fleet import FleetSpec
from lifecycle.model.holds import Hold, HoldKind
from lifecycle.model.journal import Entry, EntryKind
from lifecycle.model.states import Cause, StopReason
from lifecycle.model.world import Observed
from lifecycle.planning import schedule
from lifecycle.planning.moments import utc

STRICTNESS = (
    HoldKind.TERMINATE,
    HoldKind.STOP,
    HoldKind.PAUSE,
    HoldKind.SCHEDULE,
    HoldKind.REPLACE,
    HoldKind.REHEARSE,
)

RETURNING = frozenset({HoldKind.STOP, HoldKind.PAUSE, HoldKind.SCHEDULE})
"""A node that is held so is off, and comes back when the hold ends."""


def strictest(stored: Iterable[Hold], scheduled: Hold | None) -> Hold | None:
    """The hold that counts: terminate before stop before replace, of two alike the older one."""
    found = list(stored)
    if not found:
        return scheduled
    if scheduled is not None and not any(hold.kind is HoldKind.START for hold in found):
        found.append(scheduled)
    counted = (hold for hold in found if hold.kind in STRICTNESS)
    return min(counted, key=lambda hold: (STRICTNESS.index(hold.kind), hold.at), default=None)


def scheduled(spec: FleetSpec | None, now: float) -> dict[str, Hold]:
    """The holds that the schedules make now, by pool."""
    pools = spec.pools.items() if spec else ()
    made = {name: schedule.hold(spec.fleet, name, pool, now) for name, pool in pools if spec}
    return {name: hold for name, hold in made.items() if hold is not None}


def active(spec: FleetSpec | None, observed: Observed, now: float) -> tuple[Hold, ...]:
    """Every hold that counts now, people's first."""
    return (*(hold for hold in observed.holds if hold.active(now)), *scheduled(spec, now).values())


def in_words(hold: Hold) -> str:
    """`stop by ann@host since 2026-11-26 20:00 UTC until ...: lunch`"""
    until = f" until {utc(hold.until)}" if hold.until is not None else ""
    return f"{hold.kind} by {hold.by} since {utc(hold.at)}{until}: {hold.reason}"


def line(hold: Hold) -> str:
    """The same, with what it holds: a node, a pool or the fleet."""
    return f"{hold.node or hold.fleet}: {in_words(hold)}"


def stop_reason(hold: Hold) -> StopReason:
    """Why a machine goes that this hold sends away."""
    return StopReason.SCHEDULE if hold.kind is HoldKind.SCHEDULE else StopReason.MANUAL


def cause(hold: Hold) -> Cause:
    """Whom what ends by this hold is booked to."""
    return Cause.SCHEDULE if hold.kind is HoldKind.SCHEDULE else Cause.OPERATOR


def spent(observed: Observed, live: Collection[str], now: float) -> tuple[Hold, ...]:
    """The holds that are over: their time has come, or what they asked for was done. `live` are machines."""
    return tuple(hold for hold in observed.holds if _over(observed, hold, live, now))


def _over(observed: Observed, hold: Hold, live: Collection[str], now: float) -> bool:
    gone = hold.kind in (HoldKind.REPLACE, HoldKind.REHEARSE) and hold.instance not in live
    rehearsed = hold.kind is HoldKind.REHEARSE and answered(observed, hold)
    return not hold.active(now) or gone or rehearsed


def answered(observed: Observed, hold: Hold) -> bool:
    """Whether the attempt that a rehearsal asked has ended, or its agent has refused."""
    report = observed.report(hold.node or "", hold.instance)
    refused = report is not None and report.drained is not None and hold.id in report.drained.drain.split(".")
    attempts = (run.attempt for run in observed.runs.values() if hold.node in run.nodes)
    return refused or not any(attempt and attempt.open and attempt.given_at < hold.at for attempt in attempts)


def told(over: Iterable[Hold], now: float) -> Iterator[Entry]:
    """What the journal says of holds that are over."""
    for hold in over:
        ended = "ran out" if not hold.active(now) else "is done"
        yield Entry(
            at=now,
            kind=EntryKind.OBSERVED,
            what=f"hold {hold.kind} {ended}",
            node=hold.node,
            cause=cause(hold),
            evidence=hold.reason,
            result=f"was set by {hold.by}",
        )

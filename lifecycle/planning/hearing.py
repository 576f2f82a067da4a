"""When an agent was last heard, by our own clock: what a report says of its time is the node's word only.

A clock that jumped, here or there, makes living agents look silent. Where a report's time is not that of our clock
we look twice: an agent whose report changed between two looks speaks; one whose report is the same in two looks
that are some heartbeats apart is silent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lifecycle.model.journal import Quiet
from lifecycle.model.records import Report
from lifecycle.model.world import Observed

OFF_AFTER = 15.0
"""Seconds that a report's time may differ from ours before a second look has to say what it means."""

LOOKS_APART = 15.0
"""Seconds between two looks at the same report that prove a silence: many heartbeats."""

AT_MOST = 1000
"""So many machines are looked at twice at a time: what is kept of them is part of one small record."""


def looked(observed: Observed, before: Mapping[str, Quiet], now: float) -> dict[str, Quiet]:
    """What our looks have found of each machine whose report's time is off. `before`: up to the last look."""
    found: dict[str, Quiet] = {}
    for instance, launched_at in _lives(observed):
        report = observed.heard.get(instance)
        at, sequence = (report.at, report.sequence) if report else (launched_at, 0)
        if abs(now - at) > OFF_AFTER and len(found) < AT_MOST:
            found[instance] = _look(before.get(instance), instance, sequence, now)
    return found


def _look(known: Quiet | None, instance: str, sequence: int, now: float) -> Quiet:
    if known is None:
        return Quiet(instance=instance, sequence=sequence, since=now)
    if known.sequence != sequence:
        return Quiet(instance=instance, sequence=sequence, since=now, moved=True)
    return (
        known if known.since <= now else Quiet(instance=instance, sequence=sequence, since=now, moved=known.moved)
    )


def _lives(observed: Observed) -> Iterator[tuple[str, float]]:
    """Every machine that is listed alive, or that nobody saw end, with when it was made."""
    listed = {machine.id: machine.launched_at for machine in observed.machines or () if machine.live}
    yield from listed.items()
    for claim in observed.incarnations.values():
        if claim.instance and claim.ended_at is None and claim.instance not in listed:
            yield claim.instance, claim.claimed_at


def heard_at(report: Report | None, quiet: Quiet | None) -> float:
    """When the agent was heard last, by our clock; 0: never."""
    if report is None:
        return 0.0
    ours = quiet is not None and (quiet.moved or report.at > quiet.since)
    return quiet.since if quiet is not None and ours else report.at


def proven(quiet: Quiet | None, now: float) -> bool:
    """Whether two looks far enough apart have found the same report."""
    return quiet is not None and now - quiet.since >= LOOKS_APART


def speaks(observed: Observed, node: str, instance: str, now: float, within: float) -> bool:
    """Whether the machine's agent was heard within so many seconds, or its silence is not proven."""
    report, quiet = observed.report(node, instance), observed.quiet.get(instance)
    report = report if report and report.instance == instance else None
    return now - heard_at(report, quiet) <= within or not proven(quiet, now)

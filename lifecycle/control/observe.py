"""One reading of the world: the provider's list first, then our own records.

In that order, so that a machine made in between is in our records at worst without being in the list,
never in the list without a record.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lifecycle.model.errors import Unreadable
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.journal import Quiet
from lifecycle.model.records import Incarnation
from lifecycle.model.world import Machine, Observed
from lifecycle.planning.hearing import looked
from lifecycle.planning.metering import Key, unread
from lifecycle.planning.planner import needs_receipts
from lifecycle.planning.witness import believed, recognised
from lifecycle.ports.compute import Compute
from lifecycle.tracker.controller import ControllerTracker

NOT_YET: Mapping[str, Quiet] = {}

RECEIPTS_READ = 40
"""Of a run that needs a resume point: enough for what is kept, and for some that came too late."""


def observe(
    fleet: str, compute: Compute, tracker: ControllerTracker, now: float, before: Mapping[str, Quiet] = NOT_YET
) -> Observed:
    """Everything a tick needs, but for receipts. What cannot be read, or believed, leaves `machines` None.

    `before` is what the caller's own earlier looks found of agents that seem silent, beside the last tick's.
    """
    machines: tuple[Machine, ...] | None = None
    unreadable = ""
    try:
        machines = tuple(compute.machines(fleet))
    except Unreadable as error:
        unreadable = error.what
    seen = tracker.observe(fleet)
    wanted = {(p.node, p.incarnation) for p in seen.placements.values()}
    wanted |= {(machine.node, machine.incarnation) for machine in machines or ()}
    told = (seen.heard.get(machine.id) for machine in machines or ())
    wanted |= {(report.node, report.incarnation) for report in told if report is not None}
    claims = _claims(fleet, wanted, tracker)
    read = msgspec.structs.replace(
        seen,
        shared=seen.last_tick.shared if seen.last_tick else (),
        machines=None if machines is None else recognised(machines, claims),
        unreadable=unreadable,
        incarnations=claims,
    )
    ticks = {each.instance: each for each in (seen.last_tick.quiet if seen.last_tick else ())}
    read = msgspec.structs.replace(read, quiet=looked(read, {**ticks, **before}, now))
    return read if machines is None else believed(read, now)


def _claims(fleet: str, wanted: set[Key], tracker: ControllerTracker) -> Mapping[Key, Incarnation]:
    """These creation claims, and those before them whose machines may not be booked yet."""
    claims = dict(tracker.incarnations(fleet, wanted))
    looked = set(wanted)
    while more := unread(claims) - looked:
        looked |= more
        claims |= tracker.incarnations(fleet, more)
    return claims


def with_receipts(spec: FleetSpec | None, observed: Observed, tracker: ControllerTracker) -> Observed:
    """Adds the receipts of the runs that may be about to start another attempt."""
    found = {run: tracker.receipts(observed.fleet, run, RECEIPTS_READ) for run in needs_receipts(spec, observed)}
    return msgspec.structs.replace(observed, receipts=found)

"""One reading of the world: the provider's list first, then our own records.

In that order, so that a machine made in between is in our records at worst without being in the list,
never in the list without a record.
"""

from __future__ import annotations

import msgspec

from lifecycle.model.errors import Unreadable
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.world import Machine, Observed
from lifecycle.planning.planner import needs_receipts
from lifecycle.planning.witness import recognised
from lifecycle.ports.compute import Compute
from lifecycle.tracker.controller import ControllerTracker

RECEIPTS_READ = 40
"""Of a run that needs a resume point: enough for what is kept, and for some that came too late."""


def observe(fleet: str, compute: Compute, tracker: ControllerTracker) -> Observed:
    """Everything a tick needs, but for receipts. A provider that cannot be read leaves `machines` None."""
    machines: tuple[Machine, ...] | None = None
    unreadable = ""
    try:
        machines = tuple(compute.machines(fleet))
    except Unreadable as error:
        unreadable = error.what
    seen = tracker.observe(fleet)
    wanted = {(p.node, p.incarnation) for p in seen.placements.values()}
    wanted |= {(machine.node, machine.incarnation) for machine in machines or ()}
    wanted |= {(report.node, report.incarnation) for report in seen.heard.values()}
    claims = tracker.incarnations(fleet, wanted)
    return msgspec.structs.replace(
        seen,
        shared=seen.last_tick.shared if seen.last_tick else (),
        machines=None if machines is None else recognised(machines, claims),
        unreadable=unreadable,
        incarnations=claims,
    )


def with_receipts(spec: FleetSpec | None, observed: Observed, tracker: ControllerTracker) -> Observed:
    """Adds the receipts of the runs that may be about to start another attempt."""
    found = {run: tracker.receipts(observed.fleet, run, RECEIPTS_READ) for run in needs_receipts(spec, observed)}
    return msgspec.structs.replace(observed, receipts=found)

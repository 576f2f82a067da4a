"""Reads all that one fleet's page shows. Writes nothing, and needs no lease."""

from __future__ import annotations

from lifecycle.control.loop import Controller
from lifecycle.planning.chronicle import Chronicle, chronicle
from lifecycle.planning.savings import machines, on_demand
from lifecycle.ports.clock import Clock
from lifecycle.tracker.controller import ControllerTracker

ENTRIES = 200_000
"""Of the journal the newest so many are read."""


def look_back(fleet: str, controller: Controller, tracker: ControllerTracker, clock: Clock) -> Chronicle | None:
    """The fleet's past and present; None: nobody has ever applied a fleet of this name."""
    observed, plan = controller.look(fleet)
    if not (observed.record or observed.runs or any(machine.live for machine in observed.machines or ())):
        return None
    past, entries = tracker.past(fleet), tracker.entries(fleet, limit=ENTRIES)
    listed = controller.prices(on_demand(machines(observed, past)))
    return chronicle(observed, plan, past, entries, listed, clock.now(), cut=len(entries) == ENTRIES)

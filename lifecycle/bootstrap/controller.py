"""What the operator's verbs use, put together for this computer's provider. `cloud` does the same for AWS.

Opening one writes nothing that a reader could miss.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lifecycle.adapters.local.console import LocalConsole
from lifecycle.adapters.local.layout import StateDirectory
from lifecycle.adapters.local.objects import DirectoryStore
from lifecycle.adapters.local.provider import LocalProvider
from lifecycle.adapters.local.table import SqliteTable
from lifecycle.adapters.local.wake import FileWake
from lifecycle.control.loop import LOCAL, Controller, Pace
from lifecycle.control.operator import Operator
from lifecycle.control.upkeep import Upkeep
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.foundation import Foundation
from lifecycle.ports.clock import Clock
from lifecycle.ports.prices import Prices
from lifecycle.ports.tracker import Table
from lifecycle.system.clock import SystemClock
from lifecycle.system.processes import myself
from lifecycle.tracker.controller import ControllerTracker
from lifecycle.tracker.lease import Leases

Wrong = tuple[tuple[str | int, ...], str]
"""A place in a spec, and what is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class Control:
    """Everything the operator's verbs use, for the fleets of one provider and region."""

    where: str
    """As people say it: the state directory, or the region."""
    tracker: ControllerTracker
    operator: Operator
    controller: Controller
    clock: Clock
    pace: Pace = LOCAL
    console: LocalConsole | None = None
    foundation: Foundation | None = None
    ground: Callable[[str], None] = lambda _: None
    """Raises SteadyError unless all that a fleet of this name is to stand on is there, and only there."""
    faults: Callable[[FleetSpec], Sequence[Wrong]] = lambda _: ()
    """What the provider does not have of what a spec names; asked before a machine is made."""


def local(state: Path, *, read_only: bool = False, prices: Prices | None = None) -> Control:
    """This computer's fleets; without `prices` its machines cost nothing.

    With `read_only` nothing is made: a directory without a tracker is an empty one.
    """
    directory = StateDirectory(state.absolute())
    fresh = read_only and directory.unused
    if not read_only:
        directory.prepare()
    table, clock = SqliteTable(None if fresh else directory.tracker), SystemClock()
    tracker = ControllerTracker(table)
    provider = LocalProvider(directory, lambda fleet: _spec_of(tracker, fleet))
    leases = leases_of(table, clock)
    return Control(
        where=str(state),
        tracker=tracker,
        operator=Operator(tracker=tracker, leases=leases, compute=provider, clock=clock, who=who()),
        controller=Controller(
            tracker=tracker,
            leases=leases,
            compute=provider,
            provisioner=provider,
            upkeep=Upkeep(tracker, DirectoryStore(directory.objects), clock),
            clock=clock,
            wake=FileWake(directory.wake, clock),
            who=who(),
            prices=prices,
        ),
        clock=clock,
        console=LocalConsole(directory, provider, who()),
    )


def _spec_of(tracker: ControllerTracker, fleet: str) -> FleetSpec | None:
    record = tracker.spec(fleet)
    return record.spec if record else None


def leases_of(table: Table, clock: Clock) -> Leases:
    """Leases held by this process."""
    holder = f"{who()} (pid {os.getpid()})"
    return Leases(table, clock, host=socket.gethostname(), process=myself(), who=holder)


def who() -> str:
    """The person or job at the keyboard, as it stands in holds and the journal."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"

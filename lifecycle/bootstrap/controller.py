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
from lifecycle.ports.provider import Console, Ground, Open, Provider, Wrong
from lifecycle.ports.tracker import Table
from lifecycle.system.clock import SystemClock
from lifecycle.system.processes import myself
from lifecycle.tracker.controller import ControllerTracker
from lifecycle.tracker.lease import Leases


@dataclass(frozen=True, kw_only=True)
class Control:
    """Everything the operator's verbs use, for the fleets of one provider and region."""

    where: str
    """As people say it: the state directory, the region, or `provider NAME`."""
    tracker: ControllerTracker
    operator: Operator
    controller: Controller
    clock: Clock
    pace: Pace = LOCAL
    console: Console | None = None
    foundation: Foundation | None = None
    ground: Callable[[str], None] = lambda _: None
    """Raises SteadyError unless all that a fleet of this name is to stand on is there, and only there."""
    faults: Callable[[FleetSpec], Sequence[Wrong]] = lambda _: ()
    """What the provider does not have of what a spec names; asked before a machine is made."""


def local(state: Path, *, read_only: bool = False, prices: Prices | None = None) -> Control:
    """This computer's fleets; without `prices` its machines cost nothing.

    With `read_only` nothing is made: a directory without a tracker is an empty one.
    """
    return of_state(state, lambda ground: this_computer(ground, prices), where=str(state), read_only=read_only)


def plugged(state: Path, name: str, *, read_only: bool = False) -> Control:
    """The fleets of a provider that another package registers. Raises SteadyError when it cannot be used."""
    from lifecycle.bootstrap.plugins import opened

    return of_state(state, lambda ground: opened(name, ground), where=f"provider {name}", read_only=read_only)


def of_state(state: Path, opens: Open, *, where: str, read_only: bool) -> Control:
    """The fleets whose tracker and checkpoints lie in a state directory, on any provider's machines."""
    directory = StateDirectory(state.absolute())
    fresh = read_only and directory.unused
    if not read_only:
        directory.prepare()
    table, clock = SqliteTable(None if fresh else directory.tracker), SystemClock()
    tracker = ControllerTracker(table)
    provider = opens(
        Ground(
            state=directory.path,
            owner=lambda: directory.owner,
            spec_of=lambda fleet: _spec_of(tracker, fleet),
            who=who(),
        )
    )
    leases = leases_of(table, clock)
    return Control(
        where=where,
        tracker=tracker,
        operator=Operator(tracker=tracker, leases=leases, compute=provider.compute, clock=clock, who=who()),
        controller=Controller(
            tracker=tracker,
            leases=leases,
            compute=provider.compute,
            provisioner=provider.provisioner,
            upkeep=Upkeep(tracker, DirectoryStore(directory.objects), clock),
            clock=clock,
            wake=FileWake(directory.wake, clock),
            who=who(),
            prices=provider.prices,
        ),
        clock=clock,
        console=provider.console,
        faults=provider.faults,
    )


def this_computer(ground: Ground, prices: Prices | None = None) -> Provider:
    """`provider: local`."""
    directory = StateDirectory(ground.state)
    provider = LocalProvider(directory, ground.spec_of)
    console = LocalConsole(directory, provider, ground.who)
    return Provider(name="local", compute=provider, provisioner=provider, console=console, prices=prices)


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

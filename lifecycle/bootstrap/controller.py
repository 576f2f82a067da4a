"""Puts a controller together for a state directory. Opening one writes nothing that a reader could miss."""

from __future__ import annotations

import getpass
import os
import socket
from pathlib import Path

from lifecycle.adapters.local.console import LocalConsole
from lifecycle.adapters.local.layout import StateDirectory
from lifecycle.adapters.local.objects import DirectoryStore
from lifecycle.adapters.local.provider import LocalProvider
from lifecycle.adapters.local.table import SqliteTable
from lifecycle.adapters.local.wake import FileWake
from lifecycle.control.loop import Controller
from lifecycle.control.operator import Operator
from lifecycle.control.upkeep import Upkeep
from lifecycle.model.fleet import FleetSpec
from lifecycle.system.clock import SystemClock
from lifecycle.system.processes import myself
from lifecycle.tracker.controller import ControllerTracker
from lifecycle.tracker.lease import Leases


class Control:
    """Everything the operator's verbs use, on the local provider's state directory."""

    def __init__(self, state: Path, *, read_only: bool = False) -> None:
        """With `read_only` nothing is made: a directory without a tracker is an empty one."""
        directory = StateDirectory(state.absolute())
        fresh = read_only and directory.unused
        if not read_only:
            directory.prepare()
        table = SqliteTable(None if fresh else directory.tracker)
        self.state, self.clock, self.who = directory, SystemClock(), who()
        self.tracker = ControllerTracker(table)
        provider = LocalProvider(directory, self._spec_of)
        holder = f"{self.who} (pid {os.getpid()})"
        leases = Leases(table, self.clock, host=socket.gethostname(), process=myself(), who=holder)
        self.console = LocalConsole(directory, provider)
        self.operator = Operator(
            tracker=self.tracker, leases=leases, compute=provider, clock=self.clock, who=self.who
        )
        self.controller = Controller(
            tracker=self.tracker,
            leases=leases,
            compute=provider,
            provisioner=provider,
            upkeep=Upkeep(self.tracker, DirectoryStore(directory.objects)),
            clock=self.clock,
            wake=FileWake(directory.wake, self.clock),
            who=self.who,
        )

    def _spec_of(self, fleet: str) -> FleetSpec | None:
        record = self.tracker.spec(fleet)
        return record.spec if record else None


def who() -> str:
    """The person or job at the keyboard, as it stands in holds and the journal."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"

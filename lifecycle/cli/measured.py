"""Ticks whose measurements are told: in a textfile, at an HTTP endpoint, or to nobody."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lifecycle.cli.context import Context
from lifecycle.model.errors import LeaseHeld, LostLease, SteadyError

if TYPE_CHECKING:
    from lifecycle.bootstrap.controller import Control
    from lifecycle.control.loop import Ticked
    from lifecycle.model.plan import Plan
    from lifecycle.model.world import Observed

HOST = "127.0.0.1"


class Measured:
    """Remembers what each fleet's last look measured, when somebody is to be told."""

    def __init__(self, file: Path | None = None, port: int | None = None) -> None:
        """Raises SteadyError before anything is done: no such directory, or the port is taken."""
        from lifecycle.adapters.prometheus import Exposition, must_be_writable

        self._file, self._wanted, self._told = file, file is not None or port is not None, Exposition()
        if file is not None:
            must_be_writable(file)
        if port is not None:
            self._told.serve(HOST, port)

    def tick(self, control: Control, fleet: str) -> Ticked:
        """One unattended tick. Raises as the controller does, once it is measured what can be.

        What another controller is acting on is looked at: its figures are told by both.
        """
        try:
            ticked = control.controller.tick(fleet, wait=0.0, upkeep=True)
        except (LeaseHeld, LostLease):
            self.look(control, fleet)
            raise
        except SteadyError:
            self._unread(fleet)
            raise
        self._measure(control, seen_by(ticked), ticked.plan)
        return ticked

    def look(self, control: Control, fleet: str) -> None:
        """What is measured without a tick."""
        if not self._wanted:
            return
        try:
            observed, plan = control.controller.look(fleet)
        except SteadyError:
            self._unread(fleet)
        else:
            self._measure(control, observed, plan)

    def write(self, context: Context) -> None:
        """The file, when one was asked for; a fault is told, and gone on from."""
        if self._file is not None:
            with context.going_on("metrics"):
                self._told.write(self._file)

    def _measure(self, control: Control, observed: Observed, plan: Plan) -> None:
        from lifecycle.planning.measuring import samples

        if self._wanted:
            self._told.put(observed.fleet, samples(observed, plan, control.clock.now()))

    def _unread(self, fleet: str) -> None:
        from lifecycle.planning.measuring import unread

        self._told.put(fleet, unread(fleet))


def seen_by(ticked: Ticked) -> Observed:
    """What the tick saw, with the tick itself as the last one."""
    from msgspec.structs import replace

    return replace(ticked.observed, last_tick=ticked.record)

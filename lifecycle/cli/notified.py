"""People who are told, after a tick, what is worth waking them for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lifecycle.cli.context import Context
from lifecycle.cli.measured import seen_by
from lifecycle.model.errors import SteadyError

if TYPE_CHECKING:
    from lifecycle.bootstrap.controller import Control
    from lifecycle.control.loop import Ticked
    from lifecycle.control.teller import Teller


class Notified:
    """The targets of `--notify`, of all fleets that this command ticks."""

    def __init__(self, targets: Sequence[str]) -> None:
        """Raises WrongUsage for a target that is none, before anything is done."""
        from lifecycle.bootstrap.notifiers import notifiers

        self._notifiers = notifiers(targets) if targets else ()
        self._tellers: dict[str, Teller] = {}

    def of(self, context: Context, control: Control, ticked: Ticked, *, wait: float) -> None:
        """Tells what the tick found. What goes wrong is said, and is no fault of the tick."""
        if not self._notifiers:
            return
        try:
            for trouble in self._teller(control).tell(seen_by(ticked), ticked.plan, patience=wait):
                context.say(f"warning: {trouble}")
        except SteadyError as error:
            context.say(f"warning: nobody was told: {error.what}")

    def _teller(self, control: Control) -> Teller:
        from lifecycle.control.teller import Teller

        if control.where not in self._tellers:
            self._tellers[control.where] = Teller(control.tracker, self._notifiers, control.clock)
        return self._tellers[control.where]

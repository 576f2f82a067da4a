"""What the stake of a fleet's stack stands for: the spec of record, taken and left as the stack is.

People's stacks use `Register`. The controller's own updates use `OfRecord`: it acts on the record as it stands.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from lifecycle.control.operator import Operator
from lifecycle.model.errors import GuardRefused
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.records import SpecRecord
from lifecycle.planning.adoption import Consent
from lifecycle.tracker.controller import ControllerTracker


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """A spec, with where it came from and what else was said."""

    spec: FleetSpec
    text: str
    source: Path
    consent: Consent = Consent()


_SPOKEN = {
    "pass --take-over": "`pulumi config set steady:takeOver true`",
    "pass --allow-empty": "`pulumi config set steady:allowEmpty true`",
    "pass --rollback": "`pulumi config set steady:rollback true`",
    "pass --accept-unproven": "`pulumi config set steady:acceptUnproven true`",
}
"""What a person types here, for what the verbs of `steady` are told by an option."""


class Register:
    """Applies one spec, under the fleet's lease. Raises GuardRefused, LeaseHeld: nothing was changed."""

    def __init__(self, operator: Operator, tracker: ControllerTracker, application: Application) -> None:
        self._operator, self._tracker, self._application = operator, tracker, application

    def proposed(self) -> SpecRecord:
        """The record that will stand. Raises GuardRefused where `adopt` would; writes nothing."""
        asked = self._application
        try:
            return self._operator.proposed(asked.spec, asked.text, asked.source, asked.consent)
        except GuardRefused as refused:
            raise GuardRefused(refused.what, fix=_as_spoken(refused.fix), about=refused.about) from None

    def take(self) -> None:
        self.adopt()
        self._tracker.forget_stake(self._application.spec.fleet)

    def adopt(self) -> None:
        asked = self._application
        self._operator.adopt(asked.spec, asked.text, asked.source, asked.consent)

    def leave(self) -> None:
        """From now on no tick makes a machine: every node is to end, saved first."""
        self._operator.destroy(self._application.spec.fleet)


class OfRecord:
    """Leaves the record alone, and with it the lease, which the controller holds while it updates a stack."""

    def __init__(self, tracker: ControllerTracker, fleet: str) -> None:
        self._tracker, self._fleet = tracker, fleet

    def take(self) -> None:
        self._tracker.forget_stake(self._fleet)

    def adopt(self) -> None:
        """It is the spec of record that the update is made of."""

    def leave(self) -> None:
        """The stack is dismantled because the fleet is to end."""


def _as_spoken(fix: str) -> str:
    for option, typed in _SPOKEN.items():
        fix = fix.replace(option, typed)
    return fix

"""Making and ending the machines of nodes. On AWS this is Pulumi, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from lifecycle.model.records import Placement
from lifecycle.model.world import Machine

SILENT_AFTER = 120.0
"""Seconds without a beat after which an update on another host is taken for dead. It beats every 10."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one node's change. `error` is one line for people; empty when it was made."""

    node: str
    error: str = ""
    no_capacity: bool = False
    """The provider has no machine of this market, type and zone now; none was made."""
    uncertain: bool = False
    """Nothing tells whether a machine was made: the answer was lost, the update was cut short, or it never got
    as far as asking, so that what was in doubt before still is."""
    orphan: Machine | None = None
    """The machine was to go and the provisioner does not keep it: the controller ends it itself."""


class Provisioner(Protocol):
    def converge(self, fleet: str, placements: Sequence[Placement]) -> Sequence[Outcome]:
        """Brings these nodes' machines to their placements: the one of its incarnation exists, or none does.

        The creation claim was written before; the tags are set in the creating call, and restored where
        somebody changed them. Safe to repeat: a machine of that incarnation is never made twice, and one that
        was made without the provisioner's knowledge is taken up. Ending is final and takes the disk.
        """
        ...

    def differences(self, fleet: str) -> Sequence[str]:
        """What the fleet's machines share and is not as declared, a line each. Changes nothing."""
        ...

    def share(self, fleet: str) -> None:
        """Makes what the machines share as declared; no machine is touched. A repeat does nothing."""
        ...

    def dismantle(self, fleet: str) -> None:
        """Removes what the machines shared, once none is left. A repeat does nothing."""
        ...

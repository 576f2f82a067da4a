"""Making and ending the machines of nodes. On AWS this is Pulumi, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from lifecycle.model.records import Placement


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one node's change. `error` is one line for people; empty when it was made."""

    node: str
    error: str = ""
    no_capacity: bool = False


class Provisioner(Protocol):
    def converge(self, fleet: str, placements: Sequence[Placement]) -> Sequence[Outcome]:
        """Brings these nodes' machines to their placements: the one of its incarnation exists, or none does.

        The creation claim was written before; the tags are set in the creating call. Safe to repeat:
        a machine of that incarnation is never made twice. Ending is final and takes the disk.
        """
        ...

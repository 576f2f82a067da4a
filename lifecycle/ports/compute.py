"""Machines that exist: seeing them, and switching them on and off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lifecycle.model.plan import Label
from lifecycle.model.world import Machine


class Compute(Protocol):
    """Only machines with our owner tag and the fleet's are seen or touched."""

    def machines(self, fleet: str) -> Sequence[Machine]:
        """Every machine of the fleet, ended ones for a while too. Raises Unreadable on any doubt."""
        ...

    def power_off(self, machine: Machine) -> None:
        """Stops an on-demand machine; it keeps its disk. A repeat does nothing."""
        ...

    def power_on(self, machine: Machine) -> None:
        """Starts a stopped machine. A repeat does nothing."""
        ...

    def end_stray(self, machine: Machine) -> None:
        """Terminates a machine that is provably ours and fills no node. A repeat does nothing."""
        ...

    def label(self, labels: Sequence[Label]) -> None:
        """Writes lifecycle tags, where they differ, to machines just listed. A repeat does nothing."""
        ...

"""One provider of machines, as a composition takes it: built in, or registered by a package of somebody else's.

A package registers a function `(Ground) -> Provider` under the entry point group `steadyfleet.providers`; the
name it is registered by is what `provider:` of a spec says. What it has to keep to: `lifecycle/contract`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lifecycle.model.fleet import FleetSpec
from lifecycle.model.ids import NodeName
from lifecycle.model.states import Cause
from lifecycle.model.world import Machine
from lifecycle.ports.compute import Compute
from lifecycle.ports.prices import Prices
from lifecycle.ports.provisioner import Provisioner

GROUP = "steadyfleet.providers"

CONTRACT = 1
"""The version of the contract that this steady keeps to: it grows when an old provider would no longer do."""

Wrong = tuple[tuple[str | int, ...], str]
"""A place in a spec, and what is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a provider's fleets stand on."""

    state: Path
    """The state directory of its fleets, tracker and checkpoints included: `--state` of the agents of its machines.
    What the provider keeps itself lies below `state / "provider"`; opening makes nothing."""
    owner: Callable[[], str]
    """The id in every owner tag. Raises Unreadable while nobody has used the state directory."""
    spec_of: Callable[[str], FleetSpec | None]
    """The spec of record of a fleet."""
    who: str = ""
    """The person or job at the keyboard."""


class Given(Protocol):
    """A notice as it was given."""

    @property
    def deadline(self) -> float | None:
        """When the machine is taken; None for advice."""
        ...


class Console(Protocol):
    """What a market, a broken host or a person would do, for rehearsals: `steady local`. Raises SteadyError."""

    def notice(self, node: NodeName, cause: Cause, lead: float | None) -> Given:
        """A notice for the node's machine, which is taken `lead` seconds from now; advice has no lead."""
        ...

    def kill(self, node: NodeName) -> Machine:
        """The node's machine is gone at once, its disk too."""
        ...

    def stop(self, node: NodeName) -> Machine:
        """A person stops the node's machine."""
        ...


@dataclass(frozen=True, kw_only=True)
class Provider:
    """Where a fleet's machines come from."""

    name: str
    compute: Compute
    provisioner: Provisioner
    contract: int = CONTRACT
    """The version of the contract that it was written for."""
    console: Console | None = None
    prices: Prices | None = None
    """Without, its machines cost nothing."""
    faults: Callable[[FleetSpec], Sequence[Wrong]] = lambda _: ()
    """What it does not have of what a spec names; asked before a machine is made."""


Open = Callable[[Ground], Provider]
"""Opening touches nothing: a command that only looks opens the provider too."""

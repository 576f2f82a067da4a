"""Actual: machines as the provider shows them, and everything one tick saw."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lifecycle.model.corrections import Correction
from lifecycle.model.fleet import Market
from lifecycle.model.holds import Allowance, Hold, HoldKind
from lifecycle.model.ids import NodeName
from lifecycle.model.journal import Quiet, Tick
from lifecycle.model.money import Choice, Ledger, Quote
from lifecycle.model.proving import SaveProof
from lifecycle.model.records import (
    DrainClaim,
    Incarnation,
    Order,
    Placement,
    Receipt,
    Report,
    Run,
    Shortage,
    SpecRecord,
)
from lifecycle.model.states import LIVE, Cause, InstanceState


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """One machine of ours in the provider's list.

    `launched_at` is its last start, as on EC2; `impaired`: a status check of the provider failed. `worn` is what
    was given to this machine of what all share (`security_group`, `role`), where the provider tells. `said` are the
    provider's own words about why it went off, with who did it where it knows.
    """

    id: str
    node: str
    incarnation: int
    state: InstanceState
    market: Market
    launched_at: float
    instance_type: str = ""
    zone: str = ""
    image: str = ""
    worn: Mapping[str, str] = {}
    tags: Mapping[str, str] = {}
    impaired: bool = False
    cause: Cause | None = None
    """Why it stopped or ended, where the provider says."""
    ending: bool = False
    """On its way to terminated, and not to be brought back."""
    ended_at: float | None = None
    said: str = ""
    address: str = ""
    """Where other machines of its fleet reach it; empty: on this computer."""

    @property
    def live(self) -> bool:
        return self.state in LIVE


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of the world. `machines` is None when it is not known which there are."""

    fleet: str
    record: SpecRecord | None = None
    machines: tuple[Machine, ...] | None = ()
    unreadable: str = ""
    doubt: str = "ProviderUnreadable"
    """With `machines` None: what kind of reason `unreadable` gives."""
    placements: Mapping[str, Placement] = {}
    incarnations: Mapping[tuple[str, int], Incarnation] = {}
    """The creation claims of every placement and machine listed, and those before them that are not booked yet."""
    drains: Mapping[str, DrainClaim] = {}
    orders: Mapping[str, Order] = {}
    reports: Mapping[str, Report] = {}
    """The last word about each node."""
    heard: Mapping[str, Report] = {}
    """The last word of each machine, by its id: of two in one node each has its own."""
    runs: Mapping[str, Run] = {}
    receipts: Mapping[str, tuple[Receipt, ...]] = {}
    """Of the runs that may need a resume point: sound receipts, greatest (epoch, step) first."""
    holds: tuple[Hold, ...] = ()
    allowances: Mapping[str, Allowance] = {}
    shortages: tuple[Shortage, ...] = ()
    proofs: Mapping[str, SaveProof] = {}
    """What was last seen of saving on request, by `fleet/pool`."""
    prices: Mapping[Choice, Quote] = {}
    ledgers: Mapping[str, Ledger] = {}
    """What each pool's machines of the past have cost."""
    corrections: tuple[Correction, ...] = ()
    quiet: Mapping[str, Quiet] = {}
    """By machine: the reports whose time is off, and for how long our own looks have found the same one."""
    shared: tuple[str, ...] = ()
    """What the fleet's machines share and is not as declared, a line each, when that was last asked for."""
    rejections: frozenset[str] = frozenset()
    """Digests of receipts whose objects turned out unsound."""
    last_tick: Tick | None = None

    def report(self, node: str, instance: str | None) -> Report | None:
        """The machine's own last word; the node's, where machines are not told apart."""
        return self.heard.get(instance or "") or self.reports.get(node)

    def nodes(self) -> tuple[NodeName, ...]:
        """Every node that the tracker or the provider knows, in natural order."""
        names = {*self.placements, *(machine.node for machine in self.machines or ())}
        return tuple(sorted(NodeName.parse(name) for name in names))

    def suspended(self, now: float) -> Hold | None:
        """The hold that suspends the fleet, if one is active."""
        return next((h for h in self.holds if h.kind is HoldKind.SUSPEND and h.active(now)), None)

"""An observation sorted by node, once: a fleet of thousands is planned in one pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import msgspec

from lifecycle.model.corrections import Correction
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.holds import Hold
from lifecycle.model.ids import NodeName
from lifecycle.model.records import Incarnation
from lifecycle.model.world import Machine, Observed
from lifecycle.planning import budget, cost
from lifecycle.planning.corrections import by_node
from lifecycle.planning.holds import scheduled, strictest


class Shelves(msgspec.Struct, frozen=True, kw_only=True):
    """What is read per node, sorted once: a fleet of thousands is planned in one pass."""

    machines: Mapping[str, list[Machine]]
    claims: Mapping[str, list[Incarnation]]
    holds: Mapping[str | None, list[Hold]]
    scheduled: Mapping[str, Hold]
    allowed: frozenset[str]
    prices: cost.Prices
    accounts: Mapping[str, budget.Account]
    put_back: Mapping[str, Mapping[str, Correction]]

    def hold(self, name: NodeName) -> Hold | None:
        """The strictest active hold on the node, on its pool or on the fleet."""
        stored = (*self.holds.get(str(name), ()), *self.holds.get(None, ()))
        return strictest(stored, self.scheduled.get(name.pool))


def sorted_out(spec: FleetSpec | None, observed: Observed, now: float) -> Shelves:
    machines: dict[str, list[Machine]] = defaultdict(list)
    claims: dict[str, list[Incarnation]] = defaultdict(list)
    held: dict[str | None, list[Hold]] = defaultdict(list)
    for machine in observed.machines or ():
        if machine.live:
            machines[machine.node].append(machine)
    for _, claim in sorted(observed.incarnations.items()):
        claims[claim.node].append(claim)
    for hold in observed.holds:
        if hold.active(now):
            held[hold.node].append(hold)
    return Shelves(
        machines=machines,
        claims=claims,
        holds=held,
        scheduled=scheduled(spec, now),
        allowed=frozenset(observed.allowances),
        prices=cost.known(observed, spec, now),
        accounts=budget.accounts(spec, observed, now),
        put_back=by_node(observed.corrections),
    )

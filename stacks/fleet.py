"""One fleet: its nodes' identity and network, and an instance for every node that is to be there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from lifecycle.model.fleet import FleetSpec
from lifecycle.model.records import Placement
from lifecycle.planning.placement import effective
from stacks import hooks, identity, machines, network
from stacks import stake as stakes
from stacks.ground import Ground


async def declare(
    spec: FleetSpec,
    ground: Ground,
    stored: Mapping[str, Placement],
    guard: hooks.Guard,
    *,
    user_data: str,
    nodes: frozenset[str] | None = None,
    kept: frozenset[str] = frozenset(),
    stake: stakes.Stake | None = None,
) -> dict[str, Any]:
    """The fleet, or with `nodes` these nodes only and what they depend on. The stack has no outputs.

    `kept` are the nodes whose incarnation has had its machine: nothing but another incarnation replaces it.
    Waits for the instances' ids at the end: without it the SDK waits for each of their many outputs in turn.
    """
    who, net = identity.declare(spec, ground), network.declare(spec, ground.names.owner)
    needed = (*who.needed, *net.needed)
    if stake is not None:
        stakes.declare(stake, needed)
    wanted = placements(spec, stored)
    setting = machines.Setting(
        owner=ground.names.owner,
        profile=who.profile.name,
        groups=net.groups,
        user_data=user_data,
        needed=needed,
        hooks=hooks.bound(guard, wanted, machines.forms(spec, user_data)),
    )
    made = [
        machines.declare(spec, placement, setting, kept=node in kept)
        for node, placement in wanted.items()
        if nodes is None or node in nodes
    ]
    await asyncio.gather(*(instance.id.future() for instance in made))
    return {}


def placements(spec: FleetSpec, stored: Mapping[str, Placement]) -> dict[str, Placement]:
    """What should be there now, by the rule that the controller reads placements by."""
    every = ((str(name), effective(spec, name, stored.get(str(name)))) for name in spec.nodes())
    return {node: placement for node, placement in every if placement.present}

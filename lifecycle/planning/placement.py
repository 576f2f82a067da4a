"""Placement: what the controller decided for a node, read within what the spec allows.

`effective` is the only reader, shared by the planner and the Pulumi program; it knows no clock, price or
capacity. A stored value counts only while the spec allows it; the mark of an ended run only for that run.
"""

from __future__ import annotations

import msgspec

from lifecycle.model.fleet import FleetSpec, Market, Pool
from lifecycle.model.ids import NodeName
from lifecycle.model.records import Placement
from lifecycle.model.states import StopReason


def first(pool: Pool, node: NodeName) -> Placement:
    """The placement of a node that has none yet: the spec's first preferences."""
    return Placement(
        node=str(node),
        market=pool.market,
        instance_type=pool.instance_types[0] if pool.instance_types else "",
        zone=pool.zones[0] if pool.zones else "",
    )


def effective(spec: FleetSpec | None, node: NodeName, stored: Placement | None) -> Placement:
    """What should be true of `node` now. A node outside the spec is not present."""
    pool = spec.pools.get(node.pool) if spec else None
    if pool is None or node.index >= pool.nodes:
        gone = stored or Placement(node=str(node), market=Market.ON_DEMAND)
        return msgspec.structs.replace(gone, present=False, reason=StopReason.SCALE_IN, run=None)
    if stored is None:
        return first(pool, node)
    allowed = within(pool, stored)
    if allowed.run is not None and allowed.run != pool.train.run:
        return msgspec.structs.replace(allowed, present=True, powered=True, reason=None, run=None)
    if allowed.reason is StopReason.SCALE_IN:
        return msgspec.structs.replace(allowed, present=True, powered=True, reason=None)
    return allowed


def within(pool: Pool, stored: Placement) -> Placement:
    """The stored choices as far as the spec still allows them; its first preference otherwise."""
    markets = {pool.market, pool.fallback.to} if pool.fallback else {pool.market}
    default = first(pool, NodeName.parse(stored.node))
    return msgspec.structs.replace(
        stored,
        market=stored.market if stored.market in markets else default.market,
        instance_type=(
            stored.instance_type if stored.instance_type in pool.instance_types else default.instance_type
        ),
        zone=stored.zone if stored.zone in pool.zones else default.zone,
    )

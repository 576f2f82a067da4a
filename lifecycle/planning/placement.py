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
        instance_type=_declared("", pool.instance_types),
        zone=_declared("", pool.zones),
    )


def effective(spec: FleetSpec | None, node: NodeName, stored: Placement | None) -> Placement:
    """What should be true of `node` now. A node outside the spec is not present."""
    if spec is None or not spec.declares(node):
        gone = stored or Placement(node=str(node), market=Market.ON_DEMAND)
        return msgspec.structs.replace(gone, present=False, reason=StopReason.SCALE_IN, run=None)
    pool = spec.pools[node.pool]
    if stored is None:
        return first(pool, node)
    allowed = within(pool, stored)
    if allowed.run is not None and allowed.run != pool.train.run:
        return brought_back(allowed)
    if allowed.reason is StopReason.SCALE_IN:
        return msgspec.structs.replace(allowed, present=True, powered=True, reason=None)
    return allowed


def within(pool: Pool, stored: Placement) -> Placement:
    """The stored choices as far as the spec still allows them; its first preference otherwise."""
    markets = (pool.market, pool.fallback.to) if pool.fallback else (pool.market,)
    market = stored.market if stored.market in markets else pool.market
    kind, zone = _declared(stored.instance_type, pool.instance_types), _declared(stored.zone, pool.zones)
    if (market, kind, zone) == (stored.market, stored.instance_type, stored.zone):
        return stored
    return msgspec.structs.replace(stored, market=market, instance_type=kind, zone=zone)


def _declared(chosen: str, preferred: tuple[str, ...]) -> str:
    return chosen if chosen in preferred else next(iter(preferred), "")


def brought_back(placed: Placement) -> Placement:
    """The placement without what kept the node away."""
    if placed.present and placed.powered and placed.reason is None and placed.run is None:
        return placed
    return msgspec.structs.replace(placed, present=True, powered=True, reason=None, run=None)

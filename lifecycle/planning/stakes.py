"""What a change puts at stake: whether saving is proven, how much work may be lost, and dollars per hour."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lifecycle.model.fleet import FleetSpec, Market, WithoutCheckpoint
from lifecycle.model.plan import DISRUPTIVE, Action, Claim
from lifecycle.model.proving import pool_key, proven
from lifecycle.model.records import DrainClaim, Report, Status
from lifecycle.model.world import Observed
from lifecycle.planning import attempts, cost


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The worst that is known of saving on request in the pools that are asked to; `at`: the oldest proof."""

    status: Status
    pool: str
    at: float | None = None


def pool_of(node: str) -> str:
    """`trainers` of `llm/trainers/0`; empty for a whole fleet."""
    return pool_key(node).partition("/")[2]


def proof(before: FleetSpec | None, observed: Observed, actions: Sequence[Action]) -> Proof | None:
    """Of the pools whose machines are emptied; of all spot pools, where none is."""
    pools = before.pools if before else {}
    asked = {pool_of(action.node) for action in actions if action.kind in DISRUPTIVE} & set(pools)
    asked = asked or {name for name, pool in pools.items() if pool.market is Market.SPOT and pool.nodes}
    known = [
        _known(observed, f"{observed.fleet}/{name}", attempts.fingerprint(pools[name])) for name in sorted(asked)
    ]
    return min(known, key=lambda proof: (_BAD.index(proof.status), proof.at or 0.0), default=None)


_BAD = (Status.FALSE, Status.UNKNOWN, Status.TRUE)


def _known(observed: Observed, key: str, fingerprint: str) -> Proof:
    seen = observed.proofs.get(key)
    status = proven(seen, fingerprint)
    at = seen.at if seen is not None and status is not Status.UNKNOWN else None
    return Proof(status=status, pool=key.partition("/")[2], at=at)


def drain(action: Action) -> DrainClaim | None:
    """The claim under which what trains there is asked to save first."""
    return next((step.claim for step in action.steps if isinstance(step, Claim)), None)


def forced(action: Action) -> bool:
    """Whether it is stopped at the end of its grace all the same, with what was not saved."""
    claim = drain(action)
    return claim is not None and claim.policy is WithoutCheckpoint.FORCE


def lost(
    before: FleetSpec | None, observed: Observed, actions: Sequence[Action], now: float, *, assumed: bool
) -> float:
    """Since the newest save of a node that loses steps; of assumed ones, what may lie between two saves."""
    if assumed:
        pools, risked = before.pools if before else {}, {pool_of(each.node) for each in actions if forced(each)}
        return max((float(pools[name].checkpoint.every) for name in risked & set(pools)), default=0.0)
    losing = (observed.reports.get(action.node) for action in actions if action.lost_steps)
    return max((now - _saved_at(report) for report in losing if report), default=0.0)


def _saved_at(report: Report) -> float:
    return report.receipt.at if report.receipt else report.started_at or report.at


def rates(
    observed: Observed, spec: FleetSpec, actions: Sequence[Action], now: float
) -> tuple[float | None, float | None]:
    """Dollars per hour before and after; None where a price is not known."""
    prices = cost.known(observed, spec, now)
    there = [prices.of(cost.made_of(machine)) for machine in observed.machines or () if cost.on(machine)]
    changed = [action.cost_per_hour for action in actions]
    before = None if None in there else sum(price.dollars for price in there if price)
    after = None if before is None or None in changed else before + sum(each for each in changed if each)
    return before, after

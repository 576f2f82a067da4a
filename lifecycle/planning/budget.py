"""Budgets of pools: what has been spent and is being spent, and what that holds back.

`per_hour` refuses to make what would pass it and ends nothing; `total` counts over the fleet's life: near it a
condition says so, and once it is spent everything is saved and stopped.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import msgspec

from lifecycle.model.fleet import FleetSpec, Pool
from lifecycle.model.ids import NodeName
from lifecycle.model.money import Ledger
from lifecycle.model.plan import Action, Kind, Plan, Refusal
from lifecycle.model.records import Condition, Incarnation, Status
from lifecycle.model.world import Machine, Observed
from lifecycle.planning import cost, metering
from lifecycle.planning.capacity import made_from

NEAR = 0.8
"""The part of `total` from which on a condition warns."""

_MAKES = (Kind.CREATE, Kind.REPLACE, Kind.START)
_PENNY = 1e-9


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A pool's money now: dollars spent over the fleet's life, dollars per hour while its machines run as they do.

    `exact` False: part of it went by at no known price. `known_at`: the oldest of the prices in `per_hour`.
    """

    pool: str
    spent: float = 0.0
    exact: bool = True
    per_hour: float | None = 0.0
    known_at: float | None = None
    total: float | None = None
    limit: float | None = None

    @property
    def exhausted(self) -> bool:
        return self.total is not None and self.spent >= self.total

    @property
    def near(self) -> bool:
        return self.total is not None and not self.exhausted and self.spent >= NEAR * self.total

    @property
    def said(self) -> str:
        """`~$9.20 of $10`; with `~` it is at least that."""
        of = f" of ${self.total:g}" if self.total is not None else ""
        return f"{'' if self.exact else '~'}${self.spent:.2f}{of}"


def accounts(spec: FleetSpec | None, observed: Observed, now: float) -> dict[str, Account]:
    """The account of every pool that is declared, or that has cost something."""
    machines = {(m.node, m.incarnation): m for m in observed.machines or () if m.live}
    claims: dict[str, list[Incarnation]] = defaultdict(list)
    for claim in observed.incarnations.values():
        claims[metering.pool_of(claim)].append(claim)
    there: dict[str, list[Machine]] = defaultdict(list)
    for machine in observed.machines or ():
        if cost.on(machine):
            there[NodeName.parse(machine.node).pool].append(machine)
    prices = cost.known(observed, spec, now)
    pools = spec.pools if spec else {}
    named = sorted({*pools, *there, *claims, *observed.ledgers})
    return {
        name: _account(
            name,
            pools.get(name),
            _running(there[name], claims[name], machines, prices),
            _spent(observed, name, claims[name], machines, now),
        )
        for name in named
    }


def affordable(plan: Plan, found: Mapping[str, Account]) -> Plan:
    """What would pass its pool's `per_hour` becomes a refusal; so does what has no known price."""
    costs = {name: account.per_hour for name, account in found.items()}
    kept: list[Action] = []
    refusals: list[Refusal] = []
    for action in plan.actions:
        account = found.get(_pool(action)) if _adds(action) else None
        if account is None or account.limit is None:
            kept.append(action)
            continue
        after = _sum(costs[account.pool], action.cost_per_hour)
        if after is None or after > account.limit + _PENNY:
            refusals.append(_too_dear(action, account, costs[account.pool]))
        else:
            costs[account.pool] = after
            kept.append(action)
    return msgspec.structs.replace(plan, actions=tuple(kept), refusals=(*plan.refusals, *refusals))


def unpaid(node: str, account: Account | None) -> Refusal | None:
    """Why a node that is to train gets no machine: its pool's total is spent."""
    if account is None or not account.exhausted:
        return None
    return Refusal(
        action=Kind.START,
        node=node,
        guard="budget.total",
        evidence=f"{account.said} are spent",
        override=f"raise pools.{account.pool}.budget.total in the spec, and apply it",
    )


def conditions(found: Mapping[str, Account], now: float) -> Iterator[Condition]:
    """Of the fleet: which pools near the end of their money, or have reached it."""
    for account in found.values():
        said = f"pool {account.pool}: {account.said} are spent"
        if account.exhausted:
            stopped = f"{said}; everything is saved and stopped until budget.total is raised"
            yield _condition("BudgetExhausted", Status.FALSE, stopped, now)
        elif account.near:
            yield _condition("BudgetNear", Status.TRUE, said, now)


def _condition(reason: str, status: Status, message: str, now: float) -> Condition:
    return Condition(type="WithinBudget", status=status, reason=reason, message=message, since=now)


def _account(name: str, pool: Pool | None, running: _Rate, sums: tuple[float, bool]) -> Account:
    return Account(
        pool=name,
        spent=sums[0],
        exact=sums[1],
        per_hour=running[0],
        known_at=running[1],
        total=pool.budget.total if pool else None,
        limit=pool.budget.per_hour if pool else None,
    )


_Rate = tuple[float | None, float | None]
"""Dollars per hour, and when the oldest price in it was known."""

_Machines = Mapping[metering.Key, Machine]


def _spent(
    observed: Observed, pool: str, claims: list[Incarnation], machines: _Machines, now: float
) -> tuple[float, bool]:
    ledger = observed.ledgers.get(pool) or Ledger(pool=pool)
    live = [
        metering.spent(observed, claim, machines.get((claim.node, claim.number)), now)
        for claim in claims
        if not claim.meter.booked
    ]
    return ledger.spent + sum(dollars for dollars, _ in live), ledger.exact and all(exact for _, exact in live)


def _running(there: list[Machine], claims: list[Incarnation], machines: _Machines, prices: cost.Prices) -> _Rate:
    """Of the machines that are on, and of those that are being made and not listed yet."""
    made = [c for c in claims if (c.instance or c.tried_at) and c.ended_at is None and not c.meter.booked]
    unlisted = [made_from(claim) for claim in made if (claim.node, claim.number) not in machines]
    found = [prices.of(choice) for choice in (*map(cost.made_of, there), *unlisted)]
    known = [price for price in found if price is not None]
    oldest = min((price.at for price in known), default=None)
    return (sum(price.dollars for price in known) if len(known) == len(found) else None), oldest


def _pool(action: Action) -> str:
    return NodeName.parse(action.node).pool if "/" in action.node else ""


def _adds(action: Action) -> bool:
    return action.kind in _MAKES and (action.cost_per_hour is None or action.cost_per_hour > 0)


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _too_dear(action: Action, account: Account, running: float | None) -> Refusal:
    now = f"pool {account.pool} costs {cost.rate(running)} now, this {cost.rate(action.cost_per_hour)} more"
    unknown = None in (running, action.cost_per_hour)
    why = "a price is not known" if unknown else f"that passes ${account.limit:g}/h"
    todo = "leave out" if unknown else "raise"
    return Refusal(
        action=action.kind,
        node=action.node,
        guard="budget.per_hour",
        evidence=f"{now}: {why}",
        override=f"{todo} pools.{account.pool}.budget.per_hour in the spec, and apply it",
    )

"""The world as a spec declares it, all well: what a change is planned against where nobody may look at the real.

Every node has its machine, of the first preferences, and trains its first attempt since just now. What depends on
the hour or on prices of the moment is left out of the specs: schedules, and hourly budgets of spot pools.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from lifecycle.model import tags
from lifecycle.model.fleet import Budget, FleetSpec, Market, Mode, Pool
from lifecycle.model.gang import Member
from lifecycle.model.ids import NodeName
from lifecycle.model.money import Choice, Meter, Price, Quote
from lifecycle.model.records import (
    Assignment,
    Attempt,
    Desired,
    Incarnation,
    Order,
    Phase,
    Report,
    Run,
    SpecRecord,
)
from lifecycle.model.states import InstanceState, RunState
from lifecycle.model.world import Machine, Observed
from lifecycle.planning import attempts, capacity, cost, placement

LONG_AGO = 86400.0


def timeless(spec: FleetSpec) -> FleetSpec:
    """The spec without what only the hour, or a market's price of the hour, can decide."""
    replace = msgspec.structs.replace
    pools = {name: replace(pool, schedule=None, budget=_of_any_hour(pool)) for name, pool in spec.pools.items()}
    return replace(spec, pools=pools)


def _of_any_hour(pool: Pool) -> Budget:
    per_hour = None if pool.market is Market.SPOT else pool.budget.per_hour
    return msgspec.structs.replace(pool.budget, per_hour=per_hour)


def toward(before: FleetSpec, after: FleetSpec) -> FleetSpec:
    """`before`, with what it leaves open of its machines as `after` has it: nothing is replaced on a guess."""
    pools = {name: _filled(pool, after.pools.get(name, pool)) for name, pool in before.pools.items()}
    return msgspec.structs.replace(before, pools=pools)


def _filled(pool: Pool, later: Pool) -> Pool:
    return msgspec.structs.replace(
        pool,
        instance_types=pool.instance_types or later.instance_types,
        zones=pool.zones or later.zones,
        image=pool.image or later.image,
    )


def may_pass(spec: FleetSpec, prices: Mapping[Choice, Price]) -> Iterator[str]:
    """The spot pools whose hourly budget would not carry them at list prices, which spot may or may not reach."""
    for name, pool in spec.pools.items():
        price, limit = prices.get(capacity.choices(pool, pool.market)[0]), pool.budget.per_hour
        if pool.market is Market.SPOT and price and limit is not None and pool.nodes * price.dollars > limit:
            at_most = cost.rate(pool.nodes * price.dollars)
            yield f"{name}: up to {at_most} at on-demand list prices; what passes its budget.per_hour is not made"


def world(record: SpecRecord, prices: Mapping[Choice, Price], now: float) -> Observed:
    """What would be observed if all that `record` declares were there and well at `now`."""
    spec = record.spec
    names = {str(name): spec.pools[name.pool] for name in spec.nodes()}
    return Observed(
        fleet=spec.fleet,
        record=record,
        machines=tuple(_machine(spec, node, pool, now) for node, pool in names.items()),
        placements={node: placement.first(pool, NodeName.parse(node)) for node, pool in names.items()},
        incarnations={(node, 1): _claim(node, pool, now) for node, pool in names.items()},
        orders={node: _order(spec, node, pool, now) for node, pool in names.items()},
        reports={node: _report(spec, node, now) for node in names},
        runs={run.run: run for run in _runs(spec, now)},
        prices=quotes(prices, now),
    )


def quotes(prices: Mapping[Choice, Price], now: float) -> dict[Choice, Quote]:
    """These prices as if they had just been asked for."""
    return {choice: Quote(**choice._asdict(), asked_at=now, price=price) for choice, price in prices.items()}


def priced(*specs: FleetSpec | None) -> frozenset[Choice]:
    """Every choice that these specs allow."""
    return frozenset().union(*(cost.asked(spec, Observed(fleet="")) for spec in specs))


def _id(node: str) -> str:
    return f"the machine of {node}"


def _machine(spec: FleetSpec, node: str, pool: Pool, now: float) -> Machine:
    made = capacity.choices(pool, pool.market)[0]
    groups = ", ".join(sorted(spec.aws.security_groups))
    return Machine(
        id=_id(node),
        node=node,
        incarnation=1,
        state=InstanceState.RUNNING,
        launched_at=now - LONG_AGO,
        image=pool.image or "",
        worn={"security_group": groups} if groups else {},
        tags=tags.worn(NodeName.parse(node), 1),
        **made._asdict(),
    )


def _claim(node: str, pool: Pool, now: float) -> Incarnation:
    made = capacity.choices(pool, pool.market)[0]
    return Incarnation(
        node=node,
        number=1,
        claimed_at=now - LONG_AGO,
        claimed_by="assumed",
        instance=_id(node),
        meter=Meter(since=now, first=True),
        **made._asdict(),
    )


def _order(spec: FleetSpec, node: str, pool: Pool, now: float) -> Order:
    assignment = Assignment(
        run=spec.run_of(NodeName.parse(node)),
        attempt=1,
        pool=NodeName.parse(node).pool,
        command=pool.train.command,
        workdir=pool.train.workdir,
        profile=pool.train.profile,
        checkpoint_directory=pool.checkpoint.directory,
        keep=pool.checkpoint.keep,
        save_time=float(pool.checkpoint.save_time),
        grace=float(pool.stop.grace),
        policy=pool.stop.without_checkpoint,
        fingerprint=attempts.fingerprint(pool),
        hooks=pool.hooks,
    )
    return Order(
        node=node,
        number=1,
        incarnation=1,
        desired=Desired.TRAINING,
        reason="assumed",
        at=now,
        assignment=assignment,
    )


def _report(spec: FleetSpec, node: str, now: float) -> Report:
    return Report(
        node=node,
        instance=_id(node),
        incarnation=1,
        sequence=1,
        at=now,
        phase=Phase.TRAINING,
        order_seen=1,
        run=spec.run_of(NodeName.parse(node)),
        attempt=1,
        started_at=now,
    )


def _runs(spec: FleetSpec, now: float) -> list[Run]:
    nodes: dict[str, list[NodeName]] = {}
    for name in spec.nodes():
        nodes.setdefault(spec.run_of(name), []).append(name)
    return [_run(spec.pools[names[0].pool], run, names, now) for run, names in nodes.items()]


def _run(pool: Pool, run: str, names: list[NodeName], now: float) -> Run:
    ranks = tuple(Member(node=str(name), incarnation=1) for name in names)
    attempt = Attempt(
        run=run,
        number=1,
        node=ranks[0].node,
        incarnation=1,
        market=pool.market,
        given_at=now,
        fingerprint=attempts.fingerprint(pool),
        started_at=now,
        members=ranks if pool.mode is Mode.GANG else (),
    )
    return Run(
        run=run,
        name=pool.train.run,
        pool=names[0].pool,
        nodes=tuple(rank.node for rank in ranks),
        state=RunState.TRAINING,
        since=now,
        attempt=attempt,
    )

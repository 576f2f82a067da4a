"""What one look at a fleet measures: pure, from the tracker's records and never from a process's memory.

So `reconcile --once` from cron, a loop and another controller tell the same figures, and counters add up.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from lifecycle.model import hours
from lifecycle.model.fleet import Pool
from lifecycle.model.hours import Hours
from lifecycle.model.ids import NodeName
from lifecycle.model.journal import Tick
from lifecycle.model.metrics import Family, Sample
from lifecycle.model.plan import Plan
from lifecycle.model.records import Run
from lifecycle.model.states import WARNED, Cause, InstanceState, RunState
from lifecycle.model.world import Observed
from lifecycle.planning import series
from lifecycle.planning.status import FleetStatus, NodeStatus, PoolCost, fleet_status

_STATES = (*InstanceState, "ending")


def samples(observed: Observed, plan: Plan, now: float) -> Iterator[Sample]:
    """The measurements of one fleet. `observed.last_tick` is the tick that is told of."""
    status = fleet_status(observed, plan, now)
    yield _sample(series.READ, observed.fleet, 1)
    yield from _of_the_record(observed)
    if observed.last_tick is not None:
        yield from _of_the_tick(observed.last_tick)
    if observed.record is not None:
        yield from _of_the_plan(plan, observed.last_tick)
    yield from _of_conditions(status)
    yield from _of_machines(observed, status)
    for pool, runs in sorted(_by_pool(observed).items()):
        yield from _of_runs(observed.fleet, pool, runs, now)
        yield from _of_checkpoints(observed, pool, runs, now)
    for cost in status.costs:
        yield from _of_money(observed, cost)


def unread(fleet: str) -> Iterator[Sample]:
    """All that is known of a fleet whose records could not be read."""
    yield _sample(series.READ, fleet, 0)


def _sample(family: Family, fleet: str, value: float, *labels: str) -> Sample:
    return Sample(family=family, labels=(fleet, *labels), value=float(value))


def _pools(observed: Observed) -> Mapping[str, Pool]:
    record = observed.record
    return record.spec.pools if record is not None and not record.destroying else {}


# ---- the loop ------------------------------------------------------------------------------------


def _of_the_record(observed: Observed) -> Iterator[Sample]:
    record = observed.record
    if record is not None:
        yield _sample(series.INFO, observed.fleet, 1, record.spec.provider, str(record.generation))


def _of_the_tick(tick: Tick) -> Iterator[Sample]:
    yield _sample(series.LAST_TICK, tick.fleet, tick.at)
    yield _sample(series.TICK_SECONDS, tick.fleet, tick.seconds)
    yield _sample(series.TICK_ERRORS, tick.fleet, len(tick.errors))


def _of_the_plan(plan: Plan, tick: Tick | None) -> Iterator[Sample]:
    yield _sample(series.CONVERGED, plan.fleet, plan.converged(tick.errors if tick else ()))
    yield _sample(series.WAITING, plan.fleet, len(plan.waiting))
    yield from _counts(series.ACTIONS, plan.fleet, Counter((action.kind,) for action in plan.actions))
    yield from _counts(series.REFUSALS, plan.fleet, Counter((each.guard, each.action) for each in plan.refusals))
    yield from _counts(series.HOLDS, plan.fleet, Counter((hold.kind,) for hold in plan.holds))


def _of_conditions(status: FleetStatus) -> Iterator[Sample]:
    holders = [status.conditions, *(pool.conditions for pool in status.pools)]
    holders += [node.conditions for node in status.nodes]
    kinds = ({(c.type, str(c.status), c.reason) for c in conditions} for conditions in holders)
    yield from _counts(series.CONDITION, status.fleet, Counter(kind for each in kinds for kind in each))


_Found = Mapping[tuple[str, ...], int]


def _counts(family: Family, fleet: str, found: _Found) -> Iterator[Sample]:
    for labels, count in sorted(found.items()):
        yield _sample(family, fleet, count, *map(str, labels))


# ---- machines ------------------------------------------------------------------------------------


def _of_machines(observed: Observed, status: FleetStatus) -> Iterator[Sample]:
    """States are known only of a list that was read, and believed."""
    for name, pool in sorted(_pools(observed).items()):
        yield _sample(series.DECLARED, observed.fleet, pool.nodes, name)
    if observed.machines is not None:
        found: _Found = Counter((_pool(node), node.market, node.state) for node in status.nodes)
        every: _Found = {(*place[:2], str(state)): 0 for place in found for state in _STATES}
        yield from _counts(series.NODES, observed.fleet, {**every, **found})
    yield from _counts(series.LAUNCHES, observed.fleet, _launches(observed))


def _pool(node: NodeStatus) -> str:
    return NodeName.parse(node.node).pool


def _launches(observed: Observed) -> _Found:
    """Incarnations are numbered without a gap: the newest that is claimed tells how many there were."""
    newest = {node: placed.incarnation - 1 for node, placed in observed.placements.items()}
    for node, number in observed.incarnations:
        newest[node] = max(newest.get(node, 0), number)
    sums: Counter[tuple[str, ...]] = Counter()
    for node, number in newest.items():
        sums[(NodeName.parse(node).pool,)] += number
    return sums


# ---- runs ----------------------------------------------------------------------------------------


def _by_pool(observed: Observed) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = defaultdict(list)
    for name in _pools(observed):
        found[name] = []
    for run in observed.runs.values():
        found[run.pool].append(run)
    return found


def _of_runs(fleet: str, pool: str, runs: list[Run], now: float) -> Iterator[Sample]:
    states: Counter[str] = Counter(run.state for run in runs)
    for state in RunState:
        yield _sample(series.RUNS, fleet, states[state], pool, state)
    yield from _of_time(fleet, pool, [hours.trained(run.hours, _until(run, now)) for run in runs])
    for cause in Cause:
        yield _sample(series.LOST_SECONDS, fleet, sum(run.hours.lost.get(cause, 0.0) for run in runs), pool, cause)
        yield _sample(series.LOST_STEPS, fleet, sum(run.lost.get(cause, 0) for run in runs), pool, cause)
        yield _sample(series.ENDED, fleet, sum(run.tally.ended.get(cause, 0) for run in runs), pool, cause)
    for cause in WARNED:
        yield _sample(series.NOTICES, fleet, sum(run.tally.notices.get(cause, 0) for run in runs), pool, cause)
    yield _sample(series.SPARED_STEPS, fleet, sum(run.spared for run in runs), pool)
    yield _sample(series.RESTORES, fleet, sum(run.tally.restores for run in runs), pool)
    yield _sample(series.RESTORE_SECONDS, fleet, sum(run.tally.restore_seconds for run in runs), pool)


def _until(run: Run, now: float) -> float | None:
    return now if run.attempt and run.attempt.open else None


def _of_time(fleet: str, pool: str, clocked: Iterable[Hours]) -> Iterator[Sample]:
    """A ratio of nothing is not known."""
    found = list(clocked)
    training, wall = sum(each.training for each in found), sum(each.wall for each in found)
    yield _sample(series.TRAINING, fleet, training, pool)
    yield _sample(series.WALL, fleet, wall, pool)
    if wall > 0:
        yield _sample(series.GOODPUT, fleet, training / wall, pool)


# ---- checkpoints ---------------------------------------------------------------------------------


def _of_checkpoints(observed: Observed, pool: str, runs: list[Run], now: float) -> Iterator[Sample]:
    ages = {run.run: age for run in runs if (age := _age(observed, run, now)) is not None}
    for run in sorted(ages):
        yield _sample(series.RUN_AGE, observed.fleet, ages[run], pool, run)
        step = _step(observed, observed.runs[run])
        if step is not None:
            yield _sample(series.RUN_STEP, observed.fleet, step, pool, run)
    if ages:
        yield _sample(series.AGE, observed.fleet, max(ages.values()), pool)
    declared = _pools(observed).get(pool)
    if declared is not None and declared.checkpoint.max_lost_work:
        yield _sample(series.AGE_LIMIT, observed.fleet, declared.checkpoint.max_lost_work, pool)


def _age(observed: Observed, run: Run, now: float) -> float | None:
    """How much work a sudden death would take now, in seconds; None where no attempt has begun."""
    attempt = run.attempt
    if attempt is None or not attempt.open or attempt.started_at is None:
        return None
    report = observed.reports.get(attempt.node)
    told = report.receipt if report is not None and report.run == run.run else None
    return max(0.0, now - max(attempt.started_at, told.at if told else 0.0))


def _step(observed: Observed, run: Run) -> int | None:
    """As its attempt told it; that of a gang by rank 0."""
    attempt = run.attempt
    report = observed.reports.get(attempt.node) if attempt else None
    here = attempt is not None and report is not None and (report.run, report.attempt) == (run.run, attempt.number)
    return report.step if report is not None and here else None


# ---- money ---------------------------------------------------------------------------------------


def _of_money(observed: Observed, cost: PoolCost) -> Iterator[Sample]:
    known = {
        series.SPENT: cost.spent,
        series.BUDGET: cost.total,
        series.RATE_LIMIT: cost.limit_per_hour,
    }
    if observed.machines is not None:
        known |= {series.RATE: cost.per_hour, series.PRICE_AGE: cost.price_age_seconds}
    for family, value in known.items():
        if value is not None:
            yield _sample(family, observed.fleet, value, cost.pool)

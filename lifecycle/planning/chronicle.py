"""What has become of a fleet, in one value: what `steady report` shows.

Its numbers are those of `steady status` and `steady history`: the same functions make them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from lifecycle.model.ids import NodeName
from lifecycle.model.journal import Entry, EntryKind
from lifecycle.model.past import Past
from lifecycle.model.plan import Plan, Refusal
from lifecycle.model.states import Outcome
from lifecycle.model.world import Observed
from lifecycle.planning.ages import PoolAges, ages
from lifecycle.planning.history import AttemptShown, RunShown, runs_shown
from lifecycle.planning.lanes import Lane, lanes
from lifecycle.planning.savings import MarketShown, Prices, Savings, by_market, machines, savings
from lifecycle.planning.status import FleetStatus, NodeStatus, fleet_status

UNKNOWN = "unknown"
GONE = "gone"
"""The state of a node that is not declared any longer, and has no machine."""


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """Dollars of all pools together; at least that, unless `exact`. Ages in seconds, of the oldest price."""

    dollars: float
    exact: bool
    per_hour: float | None
    price_age: float | None


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """Of all runs together, by cause. `goodput`: the share of their time that was training; None: none began."""

    lost_steps: dict[str, int]
    lost_exact: bool
    spared_steps: int
    lost_seconds: dict[str, float]
    training_seconds: float
    goodput: float | None
    interruptions: dict[str, int]
    """Attempts that ended without completing."""


class NodeShown(msgspec.Struct, frozen=True, kw_only=True):
    """A node's row: its lane, and as `status` has it, which knows only what is declared or there."""

    node: str
    pool: str
    market: str
    state: str
    now: NodeStatus | None
    lane: Lane
    causes: tuple[str, ...]
    """Whom the ends of its attempts are booked to."""
    lost_steps: int


class Chronicle(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on one fleet's page. `begin` and `end`: the time that its lanes show."""

    status: FleetStatus
    applied_at: float | None
    applied_by: str
    made_at: float
    begin: float
    end: float
    spent: Spent
    savings: Savings
    work: Work
    markets: tuple[MarketShown, ...]
    nodes: tuple[NodeShown, ...]
    """The worst first."""
    ages: tuple[PoolAges, ...]
    runs: tuple[RunShown, ...]
    refusals: tuple[Refusal, ...]
    entries: tuple[Entry, ...]
    """Of the journal: what people did, and what was refused or failed; newest first."""
    entries_from: float | None
    """Earlier entries were not read; None: there are none."""


def chronicle(
    observed: Observed, plan: Plan, past: Past, entries: Sequence[Entry], listed: Prices, now: float, *, cut: bool
) -> Chronicle:
    """The fleet's page as it is at `now`. `cut`: the journal has entries before these."""
    status = fleet_status(observed, plan, now)
    runs, claims = tuple(runs_shown(observed, past, now)), machines(observed, past)
    found = lanes(observed, past, entries, status.holds)
    begin, end = _shown_time(found, observed, now)
    record = observed.record
    return Chronicle(
        status=status,
        applied_at=record.applied_at if record else None,
        applied_by=record.applied_by if record else "",
        made_at=now,
        begin=begin,
        end=end,
        spent=_spent(status),
        savings=savings(observed, claims, listed, now),
        work=_work(runs),
        markets=by_market(observed, claims, now),
        nodes=_nodes(status, found, runs),
        ages=ages(observed, past, begin, end),
        runs=runs,
        refusals=plan.refusals,
        entries=tuple(entry for entry in reversed(entries) if _tells(entry)),
        entries_from=entries[0].at if cut and entries else None,
    )


def ended(attempt: AttemptShown) -> bool:
    """Whether it was interrupted: it ended, and had not completed."""
    return attempt.outcome not in (None, Outcome.COMPLETED, Outcome.VOID)


def _spent(status: FleetStatus) -> Spent:
    rates = [cost.per_hour for cost in status.costs]
    known = [rate for rate in rates if rate is not None]
    prices = [cost.price_age_seconds for cost in status.costs if cost.price_age_seconds is not None]
    return Spent(
        dollars=sum(cost.spent for cost in status.costs),
        exact=all(cost.exact for cost in status.costs),
        per_hour=sum(known) if len(known) == len(rates) else None,
        price_age=max(prices, default=None),
    )


def _work(runs: Sequence[RunShown]) -> Work:
    steps: Counter[str] = Counter()
    seconds: dict[str, float] = {}
    for run in runs:
        steps.update(run.lost_steps)
        for cause, lost in run.lost_seconds.items():
            seconds[cause] = seconds.get(cause, 0.0) + lost
    training, wall = sum(run.training_seconds for run in runs), sum(run.wall_seconds for run in runs)
    ends = (attempt.cause or UNKNOWN for run in runs for attempt in run.attempts if ended(attempt))
    return Work(
        lost_steps=dict(steps),
        lost_exact=all(run.lost_steps_exact for run in runs),
        spared_steps=sum(run.spared_steps for run in runs),
        lost_seconds=seconds,
        training_seconds=training,
        goodput=training / wall if wall else None,
        interruptions=dict(Counter(ends)),
    )


def _nodes(status: FleetStatus, found: dict[str, Lane], runs: Sequence[RunShown]) -> tuple[NodeShown, ...]:
    now = {node.node: node for node in status.nodes}
    places = {node: place for place, node in enumerate(now)}
    lost = _lost_on(runs)
    shown = [
        NodeShown(
            node=node,
            pool=NodeName.parse(node).pool,
            market=now[node].market if node in now else lane.stays[-1].market if lane.stays else UNKNOWN,
            state=_state(now.get(node)),
            now=now.get(node),
            lane=lane,
            causes=tuple(sorted({trial.cause for trial in lane.trials if trial.cause})),
            lost_steps=lost.get(node, 0),
        )
        for node, lane in found.items()
    ]
    return tuple(sorted(shown, key=lambda node: _badness(node, places)))


def _badness(node: NodeShown, places: dict[str, int]) -> tuple[bool, bool, int, int, int]:
    """What is not well now, then what lost most, then what was interrupted most; the rest as `status` has it."""
    well = node.now is None or not node.now.conditions
    return (
        well,
        node.state in ("training", "completed", GONE),
        -node.lost_steps,
        -len(node.lane.trials),
        places.get(node.node, len(places)),
    )


def _state(now: NodeStatus | None) -> str:
    if now is None:
        return GONE
    return now.run.state if now.run else now.state


def _lost_on(runs: Sequence[RunShown]) -> Counter[str]:
    """Steps by the node on which they were done again, a gang's by its first."""
    lost: Counter[str] = Counter()
    for run in runs:
        for attempt in run.attempts:
            lost[attempt.node] += attempt.lost_steps
    return lost


def _shown_time(found: dict[str, Lane], observed: Observed, now: float) -> tuple[float, float]:
    """From the first thing that happened to now, or to the last thing when nothing is under way any more."""
    times = [time for lane in found.values() for time in _times(lane)]
    begin = min(times, default=observed.record.applied_at if observed.record else now)
    under_way = observed.record is not None or any(machine.live for machine in observed.machines or ())
    end = now if under_way else max(times, default=now)
    return begin, max(end, begin + 1.0)


def _times(lane: Lane) -> Iterator[float]:
    for stay in lane.stays:
        yield stay.begin
        yield stay.end or stay.begin
    for trial in lane.trials:
        yield trial.given
        yield trial.end or trial.given


def _tells(entry: Entry) -> bool:
    """What people did, what was refused or failed, and what became of holds and saves that were ordered."""
    told = entry.what.startswith(("drain refused", "hold ", "checkpoint is ", "checkpoint rejected"))
    return entry.kind is EntryKind.COMMAND or told or entry.result.startswith("failed")

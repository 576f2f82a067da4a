"""Status: what is known of every node, worst first, as a document and as one sentence."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

import msgspec

from lifecycle.model.holds import Hold
from lifecycle.model.plan import Plan
from lifecycle.model.quantities import spoken
from lifecycle.model.records import Condition, Status
from lifecycle.model.states import InstanceState, RunState, StopReason
from lifecycle.model.world import Observed
from lifecycle.planning import attempts, behind, budget, contest, holds, progress, proving, shared, staleness
from lifecycle.planning.attempts import VerdictKind
from lifecycle.planning.presence import SAVING
from lifecycle.planning.silence import REGISTER_WITHIN, silent_for
from lifecycle.planning.view import SILENT_AFTER, NodeView, views


class RunStatus(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    state: str
    attempt: int
    step: int | None
    total: int | None = None
    """The step it ends at, by the trainer's own word."""
    steps_per_second: float | None = None
    """Over the last minutes, while it is watched: a single look knows none."""
    seconds_left: float | None = None
    lost_steps: int
    rank: int | None
    """This node's place in its gang; None: the run is this node's alone."""
    ranks: int | None


class CheckpointStatus(msgspec.Struct, frozen=True, kw_only=True):
    step: int
    age_seconds: float
    verified: bool
    digest: str


class NodeStatus(msgspec.Struct, frozen=True, kw_only=True):
    node: str
    market: str
    instance_type: str | None
    zone: str | None
    """Of its machine, or as it was placed last; None where neither is known."""
    state: str
    incarnation: int
    instance: str | None
    run: RunStatus | None
    checkpoint: CheckpointStatus | None
    max_lost_work_seconds: float | None = None
    notice: progress.NoticeStatus | None = None
    conditions: tuple[Condition, ...]


class PoolStatus(msgspec.Struct, frozen=True, kw_only=True):
    pool: str
    conditions: tuple[Condition, ...]


class PoolCost(msgspec.Struct, frozen=True, kw_only=True):
    """`spent` dollars over the fleet's life; at least that, unless `exact`. `price_age_seconds`: of the oldest."""

    pool: str
    spent: float
    exact: bool
    total: float | None
    per_hour: float | None
    price_age_seconds: float | None
    limit_per_hour: float | None


class FleetStatus(msgspec.Struct, frozen=True, kw_only=True):
    fleet: str
    provider: str
    generation: int
    sentence: str
    holds: tuple[Hold, ...]
    conditions: tuple[Condition, ...]
    """Of the fleet as a whole."""
    pools: tuple[PoolStatus, ...]
    costs: tuple[PoolCost, ...]
    nodes: tuple[NodeStatus, ...]


def fleet_status(
    observed: Observed, plan: Plan, now: float, paces: progress.Paces = progress.NONE_YET
) -> FleetStatus:
    """The status of one fleet. `plan` is what a tick would do now; `paces` what earlier looks saw."""
    spec = observed.record.spec if observed.record else None
    leaving = observed.record is None or observed.record.destroying
    said = _said_of_nodes(plan, now)
    seen = views(None if leaving else spec, observed, now)
    nodes = tuple(_node(view, observed, said, now, paces) for view in seen)
    accounts = budget.accounts(None if leaving else spec, observed, now)
    declared = {str(name) for name in spec.nodes()} if spec and not leaving else set()
    shown = tuple(node for node in nodes if node.instance is not None or node.node in declared)
    return FleetStatus(
        fleet=observed.fleet,
        provider=spec.provider if spec else "",
        generation=plan.generation,
        sentence=_sentence(observed, shown, plan, now),
        holds=holds.active(None if leaving else spec, observed, now),
        conditions=(*_of_the_fleet(observed, plan, now), *budget.conditions(accounts, now)),
        pools=() if leaving else tuple(_pools(observed)),
        costs=tuple(_cost(account, now) for account in accounts.values()),
        nodes=tuple(sorted(shown, key=_badness)),
    )


def _pools(observed: Observed) -> Iterator[PoolStatus]:
    pools = observed.record.spec.pools if observed.record else {}
    for name, pool in sorted(pools.items()):
        key = f"{observed.fleet}/{name}"
        yield PoolStatus(pool=key, conditions=(proving.condition(key, pool, observed),))


def _cost(account: budget.Account, now: float) -> PoolCost:
    known = account.known_at
    return PoolCost(
        pool=account.pool,
        spent=round(account.spent, 4),
        exact=account.exact,
        total=account.total,
        per_hour=account.per_hour,
        price_age_seconds=None if known is None else round(max(0.0, now - known), 1),
        limit_per_hour=account.limit,
    )


def _of_the_fleet(observed: Observed, plan: Plan, now: float) -> Iterator[Condition]:
    """What no single node tells: the shared resources, and what went wrong in the last tick."""
    last = observed.last_tick
    since = last.at if last else now
    blind = blind_since(observed, now)
    for waiting in plan.waiting:
        if waiting.node == observed.fleet and blind is None:
            yield _condition("Synced", Status.FALSE, "Waiting", waiting.what, now)
    if blind is not None:
        yield _condition("Synced", Status.UNKNOWN, observed.doubt, _for_so_long(observed, now), blind)
    for line in observed.shared:
        yield _condition("Synced", Status.FALSE, shared.CONDITION, line, since)
    for error in last.errors if last else ():
        yield _condition("Reconciled", Status.FALSE, "TickErrors", error, since)
    for note in last.notes if last else ():
        yield _condition("Reconciled", Status.UNKNOWN, "NotLookedAt", note, since)


def _node(view: NodeView, observed: Observed, said: _Said, now: float, paces: progress.Paces) -> NodeStatus:
    machine = view.machine
    placed = machine or view.wanted
    return NodeStatus(
        node=view.node,
        market=placed.market,
        instance_type=placed.instance_type or None,
        zone=placed.zone or None,
        state=_state(view),
        incarnation=machine.incarnation if machine else view.stored.incarnation if view.stored else 0,
        instance=machine.id if machine else None,
        run=_run(view, paces),
        checkpoint=_checkpoint(view, observed, now),
        max_lost_work_seconds=_max_lost_work(view),
        notice=progress.notice(view.report, now),
        conditions=_conditions(view, observed, said, now),
    )


def _state(view: NodeView) -> str:
    """The machine's state; without a machine, why there is none."""
    if view.machine is not None:
        return "ending" if view.machine.ending else view.machine.state
    if view.wanted.present:
        return InstanceState.PENDING
    held = view.hold is not None and view.hold.kind in holds.RETURNING
    stopped = held or view.wanted.reason in SAVING
    return InstanceState.STOPPED if stopped else InstanceState.TERMINATED


def _max_lost_work(view: NodeView) -> float | None:
    asked = view.pool.checkpoint.max_lost_work if view.pool else None
    return float(asked) if asked else None


def _run(view: NodeView, paces: progress.Paces) -> RunStatus | None:
    if view.run_id is None:
        return None
    run, report = view.run, view.report
    attempt = run.attempt if run else None
    live = report is not None and attempt is not None and report.attempt == attempt.number
    said = report if live else None
    return RunStatus(
        id=view.run_id,
        state=run.state if run else RunState.WAITING,
        attempt=attempt.number if attempt else 0,
        step=said.step if said else attempt.to_step if attempt else None,
        total=said.total if said else None,
        steps_per_second=progress.rate(paces, said, view.now),
        seconds_left=progress.seconds_to_end(paces, said, view.now),
        lost_steps=sum(run.lost.values()) if run else 0,
        rank=view.rank,
        ranks=len(view.gang) or None,
    )


def _checkpoint(view: NodeView, observed: Observed, now: float) -> CheckpointStatus | None:
    report, attempt = view.report, view.run.attempt if view.run else None
    told = [report.receipt if report else None, attempt.receipt if attempt else None, *view.receipts[:1]]
    known = [receipt for receipt in told if receipt is not None and receipt.run == view.run_id]
    if not known:
        return None
    newest = max(known, key=lambda receipt: receipt.rank)
    return CheckpointStatus(
        step=newest.step,
        age_seconds=round(max(0.0, now - newest.at), 1),
        verified=newest.digest not in observed.rejections,
        digest=newest.digest,
    )


_Said = Mapping[str, list[Condition]]


def _said_of_nodes(plan: Plan, now: float) -> _Said:
    """By node: what is refused, then what is waited for, then what differs."""
    said: dict[str, list[Condition]] = defaultdict(list)
    for refusal in plan.refusals:
        if refusal.guard != contest.GUARD:
            what = f"{refusal.action} refused: {refusal.evidence}; override: {refusal.override}"
            said[refusal.node].append(_condition("Synced", Status.FALSE, "Refused", what, now))
    for waiting in plan.waiting:
        said[waiting.node].append(_condition("Synced", Status.FALSE, "Waiting", waiting.what, now))
    for drift in plan.drift:
        what = f"{drift.field}: declared {drift.desired}, found {drift.actual} (policy: {drift.policy})"
        said[drift.node].append(_condition("Synced", Status.FALSE, "Drift", what, now))
    return said


def _conditions(view: NodeView, observed: Observed, said: _Said, now: float) -> tuple[Condition, ...]:
    found = [*(view.report.conditions if view.report else ()), *said.get(view.node, ())]
    found += [*_health(view, observed, now), *staleness.conditions(view, now), *contest.conditions(view)]
    return (*found, *_held(view))


def _health(view: NodeView, observed: Observed, now: float) -> list[Condition]:
    if observed.machines is None:
        since = blind_since(observed, now) or now
        return [_condition("Healthy", Status.UNKNOWN, observed.doubt, _for_so_long(observed, now), since)]
    machine = view.machine
    if machine is None or machine.state is not InstanceState.RUNNING:
        return []
    if machine.impaired:
        what = "the machine's process is gone" if view.provider == "local" else "its provider's checks of it fail"
        return [_condition("Healthy", Status.FALSE, "StatusCheckFailed", what, now)]
    if view.silence > (REGISTER_WITHIN if view.report is None else SILENT_AFTER):
        what = f"{silent_for(view)}: unknown, not dead"
        return [_condition("Healthy", Status.UNKNOWN, "AgentSilent", what, now - view.silence)]
    if lag := behind.lag(view):
        return [_condition("Healthy", Status.UNKNOWN, "TrackerBehind", lag, now)]
    if view.report is not None and view.quiet is not None and view.quiet.moved:
        ahead = view.report.at - now
        off = f"{spoken(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'}"
        what = f"its clock is {off} ours: its agent is heard when it says something new"
        return [_condition("Healthy", Status.UNKNOWN, "ClockOff", what, view.quiet.since)]
    return []


def _for_so_long(observed: Observed, now: float) -> str:
    since = blind_since(observed, now) or now
    return f"{observed.unreadable}, for {spoken(max(0.0, now - since))}"


def blind_since(observed: Observed, now: float) -> float | None:
    """Since when it is not known which machines there are; None when it is."""
    if observed.machines is not None:
        return None
    before = observed.last_tick.blind_since if observed.last_tick else None
    return min(now, before) if before is not None else now


def _held(view: NodeView) -> list[Condition]:
    if view.hold is None:
        return _resting(view) or _left_to_a_person(view)
    return [_condition("Held", Status.TRUE, view.hold.kind.capitalize(), holds.in_words(view.hold), view.hold.at)]


def _resting(view: NodeView) -> list[Condition]:
    """Stopped because it was idle: a person has to say that it is wanted again."""
    if view.wanted.reason is not StopReason.IDLE:
        return []
    why = view.idle or "it was idle (budget.idle_stop)"
    what = f"{why}: saved and stopped; {_way_back(view)} brings it back"
    return [_condition("Held", Status.TRUE, "IdleStop", what, view.now)]


def _left_to_a_person(view: NodeView) -> list[Condition]:
    """Its run goes on only when somebody says so: it says what ended it, and what to type."""
    run, verdict = view.run, view.verdict
    asks = view.pool is not None and verdict.kind in (VerdictKind.NEVER, VerdictKind.ASK)
    if not asks or run is None or run.attempt is None or run.state is RunState.COMPLETED:
        return []
    since = run.attempt.ended_at or view.now
    return [_condition("Held", Status.TRUE, "WaitsForPerson", attempts.told(verdict, run), since)]


def _way_back(view: NodeView) -> str:
    if view.run is not None and view.run.state is RunState.COMPLETED:
        return "another `train.run` in the spec"
    resume = "" if view.verdict.kind is VerdictKind.GO else " --resume"
    return f"`steady start {view.node}{resume}`"


def _condition(kind: str, status: Status, reason: str, message: str, since: float) -> Condition:
    return Condition(type=kind, status=status, reason=reason, message=message, since=since)


_WORST = (RunState.FAILED, RunState.INTERRUPTED, RunState.CHECKPOINTING, RunState.STARTING, RunState.WAITING)


def _badness(node: NodeStatus) -> tuple[bool, bool, int]:
    """Nodes under notice first, then with conditions, then by their run's state; the rest keeps its order."""
    state = node.run.state if node.run else ""
    return (node.notice is None, not node.conditions, _by_badness((state, 0))[0])


def _sentence(observed: Observed, nodes: tuple[NodeStatus, ...], plan: Plan, now: float) -> str:
    """One sentence, worst first."""
    if observed.machines is None:
        blind = "the provider cannot be read" if observed.doubt == "ProviderUnreadable" else "this cannot be true"
        return f"{blind} ({observed.unreadable}): everything is left alone"
    of_runs = {node.run.id if node.run else node.node: node for node in nodes}.values()
    states = Counter(node.run.state if node.run else "without a run" for node in of_runs)
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items(), key=_by_badness))
    parts = [counts or "no nodes"]
    suspended = observed.suspended(now)
    if suspended is not None:
        parts.insert(0, f"suspended by {suspended.by} ({suspended.reason})")
    if notices := progress.noticed(node.notice for node in nodes):
        parts.insert(0, notices)
    if plan.refusals:
        parts.append(f"{len(plan.refusals)} refused")
    return "; ".join(parts)


def _by_badness(item: tuple[str, int]) -> tuple[int, str]:
    known = [str(state) for state in _WORST]
    return (known.index(item[0]) if item[0] in known else len(known), item[0])

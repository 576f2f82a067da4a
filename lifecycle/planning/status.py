"""Status: what is known of every node, worst first, as a document and as one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from lifecycle.model.plan import Plan
from lifecycle.model.quantities import spoken
from lifecycle.model.records import Condition, Hold, HoldKind, Status
from lifecycle.model.states import InstanceState, RunState
from lifecycle.model.world import Observed
from lifecycle.planning import behind, contest, shared
from lifecycle.planning.view import SILENT_AFTER, NodeView, views


class RunStatus(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    state: str
    attempt: int
    step: int | None
    lost_steps: int


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
    conditions: tuple[Condition, ...]


class FleetStatus(msgspec.Struct, frozen=True, kw_only=True):
    fleet: str
    provider: str
    generation: int
    sentence: str
    holds: tuple[Hold, ...]
    conditions: tuple[Condition, ...]
    """Of the fleet as a whole."""
    nodes: tuple[NodeStatus, ...]


def fleet_status(observed: Observed, plan: Plan, now: float) -> FleetStatus:
    """The status of one fleet. `plan` is what a tick would do now."""
    spec = observed.record.spec if observed.record else None
    leaving = observed.record is None or observed.record.destroying
    nodes = tuple(_node(view, observed, plan, now) for view in views(None if leaving else spec, observed, now))
    declared = {str(name) for name in spec.nodes()} if spec and not leaving else set()
    shown = tuple(node for node in nodes if node.instance is not None or node.node in declared)
    return FleetStatus(
        fleet=observed.fleet,
        provider=spec.provider if spec else "",
        generation=plan.generation,
        sentence=_sentence(observed, shown, plan, now),
        holds=tuple(hold for hold in observed.holds if hold.active(now)),
        conditions=tuple(_of_the_fleet(observed, plan, now)),
        nodes=tuple(sorted(shown, key=_badness)),
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


def _node(view: NodeView, observed: Observed, plan: Plan, now: float) -> NodeStatus:
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
        run=_run(view),
        checkpoint=_checkpoint(view, observed, now),
        conditions=_conditions(view, observed, plan, now),
    )


def _state(view: NodeView) -> str:
    """The machine's state; without a machine, why there is none."""
    if view.machine is not None:
        return "ending" if view.machine.ending else view.machine.state
    if view.wanted.present:
        return InstanceState.PENDING
    stopped = view.hold is not None and view.hold.kind in (HoldKind.STOP, HoldKind.PAUSE)
    return InstanceState.STOPPED if stopped else InstanceState.TERMINATED


def _run(view: NodeView) -> RunStatus | None:
    if view.run_id is None:
        return None
    run, report = view.run, view.report
    attempt = run.attempt if run else None
    live = report is not None and attempt is not None and report.attempt == attempt.number
    return RunStatus(
        id=view.run_id,
        state=run.state if run else RunState.WAITING,
        attempt=attempt.number if attempt else 0,
        step=report.step if report and live else attempt.to_step if attempt else None,
        lost_steps=sum(run.lost.values()) if run else 0,
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


def _conditions(view: NodeView, observed: Observed, plan: Plan, now: float) -> tuple[Condition, ...]:
    found = list(view.report.conditions) if view.report else []
    for refusal in plan.refusals:
        if refusal.node == view.node and refusal.guard != contest.GUARD:
            what = f"{refusal.action} refused: {refusal.evidence}; override: {refusal.override}"
            found.append(_condition("Synced", Status.FALSE, "Refused", what, now))
    for waiting in plan.waiting:
        if waiting.node == view.node:
            found.append(_condition("Synced", Status.FALSE, "Waiting", waiting.what, now))
    for drift in plan.drift:
        if drift.node == view.node:
            what = f"{drift.field}: declared {drift.desired}, found {drift.actual} (policy: {drift.policy})"
            found.append(_condition("Synced", Status.FALSE, "Drift", what, now))
    return (*found, *_health(view, observed, now), *contest.conditions(view), *_held(view))


def _health(view: NodeView, observed: Observed, now: float) -> list[Condition]:
    if observed.machines is None:
        since = blind_since(observed, now) or now
        return [_condition("Healthy", Status.UNKNOWN, observed.doubt, _for_so_long(observed, now), since)]
    machine = view.machine
    if machine is None or machine.state is not InstanceState.RUNNING:
        return []
    if machine.impaired:
        what = "the machine's process is gone" if view.provider == "local" else "EC2's checks of the machine fail"
        return [_condition("Healthy", Status.FALSE, "StatusCheckFailed", what, now)]
    if view.report is not None and view.silence > SILENT_AFTER:
        what = f"its agent is silent for {spoken(view.silence)}: unknown, not dead"
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
        return []
    what = f"{view.hold.kind} by {view.hold.by}: {view.hold.reason}"
    return [_condition("Held", Status.TRUE, view.hold.kind.capitalize(), what, view.hold.at)]


def _condition(kind: str, status: Status, reason: str, message: str, since: float) -> Condition:
    return Condition(type=kind, status=status, reason=reason, message=message, since=since)


_WORST = (RunState.FAILED, RunState.INTERRUPTED, RunState.CHECKPOINTING, RunState.STARTING, RunState.WAITING)


def _badness(node: NodeStatus) -> tuple[int, int]:
    """Nodes with conditions first, then by their run's state; the rest keeps its order."""
    state = node.run.state if node.run else ""
    return (0 if node.conditions else 1, _by_badness((state, 0))[0])


def _sentence(observed: Observed, nodes: tuple[NodeStatus, ...], plan: Plan, now: float) -> str:
    """One sentence, worst first."""
    if observed.machines is None:
        blind = "the provider cannot be read" if observed.doubt == "ProviderUnreadable" else "this cannot be true"
        return f"{blind} ({observed.unreadable}): everything is left alone"
    states = Counter(node.run.state if node.run else "without a run" for node in nodes)
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items(), key=_by_badness))
    parts = [counts or "no nodes"]
    suspended = observed.suspended(now)
    if suspended is not None:
        parts.insert(0, f"suspended by {suspended.by} ({suspended.reason})")
    if plan.refusals:
        parts.append(f"{len(plan.refusals)} refused")
    return "; ".join(parts)


def _by_badness(item: tuple[str, int]) -> tuple[int, str]:
    known = [str(state) for state in _WORST]
    return (known.index(item[0]) if item[0] in known else len(known), item[0])

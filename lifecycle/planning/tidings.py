"""What stands now and is worth waking a person for. Level-based: nothing has to be caught as it happens."""

from __future__ import annotations

from collections.abc import Iterator

from lifecycle.model.plan import Plan, Refusal
from lifecycle.model.quantities import spoken
from lifecycle.model.records import Condition
from lifecycle.model.states import RunState
from lifecycle.model.tidings import Tiding
from lifecycle.model.world import Observed
from lifecycle.planning import attempts, budget, contest, staleness
from lifecycle.planning.attempts import VerdictKind
from lifecycle.planning.status import blind_since
from lifecycle.planning.view import NodeView, views

REFUSED_FOR, BLIND_FOR = 600.0, 300.0
"""Seconds for which a refusal stands, or the provider cannot be read, before anybody is told."""

MOST = 500
"""More is not told of one fleet at once; what stands then is one fault, not five hundred."""

_ELSEWHERE = frozenset({"suspended", contest.GUARD, "budget.total", "launches per hour"})
"""Guards whose refusals were meant, or are told of in another way."""


def standing(observed: Observed, plan: Plan, now: float) -> tuple[Tiding, ...]:
    """Of a fleet that is applied and not being destroyed, worst first."""
    record = observed.record
    if record is None or record.destroying:
        return ()
    if observed.machines is None:
        return (_blind(observed, now),)
    fleet, seen = observed.fleet, views(record.spec, observed, now)
    accounts = {view.account.pool: view.account for view in seen if view.account}
    found = [
        *_stale(observed, now),
        *(tiding for view in seen for tiding in _failed(fleet, view)),
        *_breaker(plan),
        *(tiding for account in accounts.values() for tiding in _money(fleet, account)),
        *(_fought_over(view.node, fleet, condition) for view in seen for condition in contest.conditions(view)),
        *_refused(plan),
    ]
    return tuple({tiding.key: tiding for tiding in found}.values())[:MOST]


def converged(observed: Observed, plan: Plan) -> bool:
    """Whether nothing is left to do, refused or wrong, as `reconcile` says it."""
    errors = observed.last_tick.errors if observed.last_tick else ()
    return observed.machines is not None and plan.converged(errors)


def _blind(observed: Observed, now: float) -> Tiding:
    since = blind_since(observed, now)
    return Tiding(
        key="Unreadable",
        kind="Unreadable",
        fleet=observed.fleet,
        sentence=f"{observed.fleet}: its machines cannot be read ({observed.unreadable}); everything is left alone",
        cause=observed.doubt,
        since=since,
        patience=BLIND_FOR,
    )


def _stale(observed: Observed, now: float) -> Iterator[Tiding]:
    for run in observed.runs.values():
        if run.stale_since is None or run.attempt is None or not run.attempt.open:
            continue
        node = run.attempt.node
        yield Tiding(
            key=f"{staleness.CONDITION} {run.run} {run.stale_since:.0f}",
            kind=staleness.CONDITION,
            fleet=observed.fleet,
            node=node,
            cause="max_lost_work",
            since=run.stale_since,
            sentence=f"{node}: trains on without a save for {spoken(now - run.stale_since)} "
            "beyond max_lost_work; the save that was ordered did not come",
        )


def _failed(fleet: str, view: NodeView) -> Iterator[Tiding]:
    """A run that has ended in failure, and is not tried again by itself."""
    run = view.run
    over = view.pool is not None and view.verdict.kind is VerdictKind.NEVER
    if not over or run is None or run.attempt is None or run.state is RunState.COMPLETED:
        return
    yield Tiding(
        key=f"RunFailed {run.run} {run.attempt.number}",
        kind="RunFailed",
        fleet=fleet,
        node=run.nodes[0],
        cause=run.attempt.cause or "",
        since=run.since,
        sentence=f"{run.run}: {attempts.told(view.verdict, run)}",
    )


def _breaker(plan: Plan) -> Iterator[Tiding]:
    refused = next((each for each in plan.refusals if each.guard == "launches per hour"), None)
    if refused is not None:
        yield Tiding(
            key="BreakerOpen",
            kind="BreakerOpen",
            fleet=plan.fleet,
            cause="launches per hour",
            sentence=f"{plan.fleet}: {refused.evidence}; no more are made until `{refused.override}`",
        )


def _money(fleet: str, account: budget.Account) -> Iterator[Tiding]:
    if account.exhausted or account.near:
        kind = "BudgetExhausted" if account.exhausted else "BudgetNear"
        then = (
            "everything is saved and stopped" if account.exhausted else "at 100 % everything is saved and stopped"
        )
        yield Tiding(
            key=f"{kind} {account.pool} {account.total:g}",
            kind=kind,
            fleet=fleet,
            cause="budget.total",
            sentence=f"{fleet}: pool {account.pool}: {account.said} are spent; {then}",
        )


def _fought_over(node: str, fleet: str, condition: Condition) -> Tiding:
    return Tiding(
        key=f"Contested {node} {condition.reason}",
        kind="Contested",
        fleet=fleet,
        node=node,
        cause=condition.reason,
        since=condition.since,
        sentence=f"{node}: {condition.message}",
    )


def _refused(plan: Plan) -> Iterator[Tiding]:
    for refusal in plan.refusals:
        if refusal.guard not in _ELSEWHERE:
            yield _held_back(plan.fleet, refusal)


def _held_back(fleet: str, refusal: Refusal) -> Tiding:
    return Tiding(
        key=f"Refused {refusal.node} {refusal.action} {refusal.guard}",
        kind="Refused",
        fleet=fleet,
        node=refusal.node if "/" in refusal.node else None,
        cause=refusal.guard,
        patience=REFUSED_FOR,
        sentence=f"{refusal.node}: {refusal.action} is refused for long: {refusal.evidence}; "
        f"override: {refusal.override}",
    )

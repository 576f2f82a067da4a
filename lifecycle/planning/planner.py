"""plan(spec, observed, now) -> Plan: what differs, what to do about it, what is refused and why.

Every node goes down one list of rules; the first that has something to say decides. The result is
ordered (safety first, then by node) and passed through the guards.
"""

from __future__ import annotations

from lifecycle.model.fleet import FleetSpec
from lifecycle.model.ids import NodeName
from lifecycle.model.plan import Kind, Plan, Waiting
from lifecycle.model.records import Attempt, Run
from lifecycle.model.world import Observed
from lifecycle.planning import (
    attempts,
    behind,
    blocking,
    breaker,
    budget,
    contest,
    drift,
    guards,
    holds,
    labels,
    mending,
    presence,
    proving,
    ranks,
    rehearsing,
    shared,
    silence,
    training,
)
from lifecycle.planning.decision import SETTLED, Decision
from lifecycle.planning.view import NodeView, views

RULES = (
    presence.ending,
    presence.surplus,
    mending.unanswered,
    ranks.stranded,
    presence.absent,
    presence.off,
    ranks.resized,
    ranks.bereft,
    presence.missing,
    behind.tracker,
    presence.powered_down,
    presence.outdated,
    mending.unadopted,
    mending.retagged,
    silence.silent,
    blocking.under_way,
    ranks.stopping,
    presence.leaving,
    blocking.barred,
    rehearsing.rehearsed,
    training.another,
    ranks.outlived,
    training.taken_for_ended,
    training.running,
    ranks.idle,
    training.idle,
)

_ORDER = {kind: place for place, kind in enumerate(Kind)}


def plan(spec: FleetSpec | None, observed: Observed, now: float, *, share: bool = False) -> Plan:
    """The plan for one tick. `spec` None: nothing is declared, everything of ours is to go.

    With `share` what the machines share is made as declared too; else a difference there is only shown.
    """
    generation = observed.record.generation if observed.record else 0
    if observed.machines is None:
        return Plan(fleet=observed.fleet, generation=generation, waiting=(_blind(observed),))
    seen = views(spec, observed, now)
    decisions = ranks.together(seen, [decide(view) for view in seen])
    differs = {view.node: tuple(drift.compare(view)) for view in seen}
    drawn = ((d.action, view) for d, view in zip(decisions, seen, strict=True) if d.action)
    actions = [
        *shared.actions(spec if share else None, observed),
        *contest.counted(drawn),
    ]
    drafted = Plan(
        fleet=observed.fleet,
        generation=generation,
        at=now,
        drift=(*shared.drift(spec, observed), *(found for view in seen for found in differs[view.node])),
        actions=tuple(sorted(actions, key=lambda action: _ORDER[action.kind])),
        refusals=(
            *(d.refusal for d in decisions if d.refusal),
            *(each for view in seen for each in contest.refusals(view, differs[view.node])),
        ),
        waiting=tuple(d.waiting for d in decisions if d.waiting),
        holds=holds.active(spec, observed, now),
        saves=proving.saves(spec, observed),
        labels=labels.labels(seen),
    )
    affordable = budget.affordable(drafted, {v.name.pool: v.account for v in seen if v.account})
    limited = guards.blast_limit(affordable, len(seen))
    limited = breaker.held(limited, observed, len(spec.nodes()) if spec else 0, now)
    leaving = observed.record is not None and observed.record.destroying
    return guards.suspended(limited, observed.suspended(now), leaving=leaving)


def _blind(observed: Observed) -> Waiting:
    asked = "the provider's answer" if observed.doubt == "ProviderUnreadable" else "a second look"
    return Waiting(node=observed.fleet, what=f"{asked}: {observed.unreadable}")


def decide(view: NodeView) -> Decision:
    """What the first rule with an opinion says of this node. A machine in doubt is never settled."""
    for rule in RULES:
        decision = rule(view)
        if decision is None:
            continue
        if decision.refusal is not None and decision.refusal.guard.startswith("hook pre_"):
            return training.trains_on(view, decision)
        if decision != SETTLED:
            return decision
        break
    return mending.untaken(view) or SETTLED


def needs_receipts(spec: FleetSpec | None, observed: Observed) -> tuple[str, ...]:
    """The runs whose resume point this tick may need: those without an attempt that is open and ordered."""
    if spec is None:
        return ()
    between = (run for run in observed.runs.values() if run.attempt and not _under_way(observed, run.attempt))
    return tuple(sorted(run.run for run in between if _declared(spec, run)))


def _declared(spec: FleetSpec, run: Run) -> bool:
    """Whether it is the run of a node that the spec declares."""
    return any(spec.declares(name) and spec.run_of(name) == run.run for name in map(NodeName.parse, run.nodes))


def _under_way(observed: Observed, attempt: Attempt) -> bool:
    """Open, and its orders were written: nobody has to know any more where it goes on from."""
    return attempt.open and all(attempts.ordered(observed.orders.get(rank.node), attempt) for rank in attempt.ranks)

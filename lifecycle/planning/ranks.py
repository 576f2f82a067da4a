"""Rules about the ranks of a gang: they start together, stop together, and only the lost machine is replaced.

Each rule looks at one rank and returns a Decision, or None: for a node of its own it never has anything to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from lifecycle.model.gang import Member
from lifecycle.model.plan import GiveOut, Instruct, Kind, Reason, Refusal
from lifecycle.model.records import Attempt, Desired, Phase
from lifecycle.model.states import Cause, InstanceState, Outcome, RunState
from lifecycle.planning import attempts, gangs, presence, training
from lifecycle.planning.decision import SETTLED, Decision, act, wait
from lifecycle.planning.view import SILENT_AFTER, NodeView

_START = "the start with "

LINGER = 10.0
"""Seconds that ranks are left to end by themselves after another one has saved and stopped."""


def resized(view: NodeView) -> Decision | None:
    """A run that has trained with other ranks is not gone on with: their checkpoints fit no other number."""
    run, nodes = view.run, tuple(rank.node for rank in view.gang)
    if not nodes or run is None or run.nodes == nodes or run.state is RunState.COMPLETED:
        return None
    return Decision(
        refusal=Refusal(
            action=Kind.START,
            node=view.node,
            guard="resize",
            evidence=f"{run.run} has {len(run.nodes)} ranks, {len(nodes)} nodes are declared",
            override="another name of the run (`train.run`), or the nodes it had",
        )
    )


def bereft(view: NodeView) -> Decision | None:
    """A rank without a machine gets its next one when the attempt has ended on all ranks."""
    attempt = view.run.attempt if view.run else None
    if not view.gang or view.machine is not None or attempt is None or not attempt.open:
        return None
    mine = gangs.member(attempt, view.node)
    left = [rank.node for rank in attempt.members if rank.outcome is None and rank.node != view.node]
    if mine is None or mine.outcome is None or not left:
        return None
    return wait(view, f"attempt {attempt.number} to end on {_named(left)}")


def stranded(view: NodeView) -> Decision | None:
    """A rank whose peer has fallen can neither train on nor save: it stops in place, machine and disk kept."""
    attempt, fallen = view.attempt, _fallen(view)
    if attempt is None or fallen is None or _told_to_stop(view, attempt) or view.now < _due(view):
        return None
    evidence = f"{fallen.node} ended {fallen.outcome}: nothing can be saved without it"
    return _stop(view, attempt, evidence, fallen.cause or Cause.CONTROLLER)


def outlived(view: NodeView) -> Decision | None:
    """A rank whose machine seemed gone trains on, alone: nothing can be saved, and its peers wait for it to end."""
    attempt = training.outlived(view)
    if not view.gang or attempt is None:
        return None
    if _told_to_stop(view, attempt):
        return wait(view, "its last word: its gang has ended")
    return _stop(view, attempt, training.still_trains(attempt), attempt.cause or Cause.CONTROLLER)


def _stop(view: NodeView, attempt: Attempt, evidence: str, cause: Cause) -> Decision | None:
    """The order to stop in place."""
    ours = attempts.ordered(view.order, attempt)
    order = view.order if ours else training.order_of(view, attempt) if view.pool else None
    if order is None:
        return None
    asked = msgspec.structs.replace(
        order,
        number=(view.order.number if view.order else 0) + 1,
        desired=Desired.STOPPED,
        reason=evidence,
        at=view.now,
        lost_to=cause,
    )
    return act(view, Kind.STOP, Reason(cause=cause, evidence=evidence), Instruct(order=asked))


def stopping(view: NodeView) -> Decision | None:
    """A rank whose peer has fallen, and that has not ended yet."""
    fallen = _fallen(view)
    if fallen is None:
        return None
    due = _due(view)
    return wait(view, f"its last word: {fallen.node} ended {fallen.outcome}", due if view.now < due else None)


def _fallen(view: NodeView) -> Member | None:
    """The peer that ended without completing, while the attempt lasts on this rank."""
    attempt = view.attempt
    return gangs.gravest(attempt) if attempt is not None and attempt.open else None


def _due(view: NodeView) -> float:
    """When a rank is no longer left to end by itself: those that were all asked to save have a moment for it."""
    attempt = view.attempt
    assert attempt is not None
    over = [rank for rank in attempt.members if rank.outcome is not None]
    asked = all(rank.witnessed and rank.outcome in _ASKED for rank in over)
    return (attempt.ended_at or view.now) + LINGER if asked else 0.0


_ASKED = (Outcome.COMPLETED, Outcome.STOPPED, Outcome.INTERRUPTED)


def _told_to_stop(view: NodeView, attempt: Attempt) -> bool:
    order = view.order
    return order is not None and order.desired is Desired.STOPPED and attempts.ordered(order, attempt)


def idle(view: NodeView) -> Decision | None:
    """Ranks start together: none before the machine of every one is there, heard, idle and not about to go."""
    if not view.gang or view.pool is None or view.report is None:
        return None
    if view.verdict.kind is attempts.VerdictKind.LATER:
        return wait(view, view.verdict.why, view.verdict.until)
    if view.verdict.kind is not attempts.VerdictKind.GO:
        return SETTLED
    last = view.run.attempt if view.run else None
    if last is not None and last.open:
        left = [rank.node for rank in last.members if rank.outcome is None]
        return wait(view, f"attempt {last.number} to be known as ended on {_named(left)}")
    lacking = [(rank.node, what) for rank in view.gang if (what := _lacks(rank))]
    if lacking:
        return wait(view, "; ".join(f"{node}: {what}" for node, what in lacking[:3]))
    return training.start(view, view.pool) if view.node == view.gang[0].node else _ready(view)


def _ready(view: NodeView) -> Decision:
    return wait(view, _START + view.gang[0].node)


def together(views: Sequence[NodeView], decisions: Sequence[Decision]) -> list[Decision]:
    """What was decided, but for the start of a gang one of whose ranks has something else to do first."""
    said = {view.node: decision for view, decision in zip(views, decisions, strict=True)}
    return [_with_its_peers(view, said) if view.gang else said[view.node] for view in views]


def _with_its_peers(view: NodeView, said: Mapping[str, Decision]) -> Decision:
    mine = said[view.node]
    starts = mine.action is not None and any(isinstance(step, GiveOut) for step in mine.action.steps)
    peers = [(rank.node, said[rank.node]) for rank in view.gang if rank.node != view.node]
    busy = [(node, told) for node, told in peers if told.waiting is None or told.waiting.what != _START + view.node]
    return wait(view, "; ".join(f"{node}: {_words(told)}" for node, told in busy[:3])) if starts and busy else mine


def _words(decision: Decision) -> str:
    if decision.waiting is not None:
        return decision.waiting.what
    if decision.action is not None:
        return f"its {decision.action.kind}"
    return f"its {decision.refusal.action} is refused" if decision.refusal is not None else "nothing to start"


def _lacks(view: NodeView) -> str:
    """What this rank still needs before its gang can start; empty: nothing."""
    machine, report = view.machine, view.report
    if view.hold is not None and not (view.wanted.present and view.wanted.powered):
        return f"held ({view.hold.kind} by {view.hold.by})"
    if machine is None or machine.state is not InstanceState.RUNNING or machine.ending:
        return "its machine to run"
    if report is None or view.silence > SILENT_AFTER:
        return "its agent to be heard"
    if view.drain is not None and not view.drain.by.startswith("controller"):
        return f"the drain by {view.drain.by} to end"
    if (report.notice is not None and report.notice.deadline is not None) or presence.outdated(view) is not None:
        return "its machine to be replaced"
    return "" if report.ready and report.phase is Phase.IDLE else "its agent to be ready"


def _named(nodes: list[str]) -> str:
    rest = f" and {len(nodes) - 3} more" if len(nodes) > 3 else ""
    return ", ".join(nodes[:3]) + rest

"""Which hooks are due, until when, and what their failure holds back: decided from facts alone.

A hook's op id follows from what it is run for, so that the successor of a killed agent finds it again. Under a
deadline nothing blocks: the machine goes, whatever a hook says.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence

import msgspec

from lifecycle.model.demand import AskMode, Demand
from lifecycle.model.fleet import Hook, Hooks
from lifecycle.model.hooks import HookCall, HookDone, HookOutcome, HookPoint
from lifecycle.model.node import HookRun, Last, NodeState
from lifecycle.model.records import Assignment, DrainClaim, Drained, DrainOutcome, Order, Receipt
from lifecycle.model.states import Cause
from lifecycle.planning.drain import Move
from lifecycle.planning.outcome import exit_in_words
from lifecycle.planning.wants import Surroundings

KILL_AFTER = 5.0
RESERVE = 1.0
"""Seconds before a deadline that are kept to tell how a hook ended."""

START_WITHIN = 30.0
"""Seconds in which a hook that was asked for has to be seen running."""


_LEAVING = (HookPoint.PRE_STOP, HookPoint.PRE_TERMINATE)


def due(order: Order | None, incarnation: int, *, ends: bool) -> float:
    """Seconds that the hooks before a stop, or an end, of this machine may take; 0: none are declared there."""
    ours = order.assignment if order is not None and order.incarnation == incarnation else None
    points = _LEAVING if ends else _LEAVING[:1]
    declares = [hook for point in points for hook in declared(ours.hooks, point)] if ours else []
    return sum(float(hook.timeout) + KILL_AFTER for hook in declares)


class Occasion(msgspec.Struct, frozen=True, kw_only=True):
    """A point at which hooks are due. `key` names it for ever: op ids follow from it."""

    key: str
    points: tuple[HookPoint, ...]
    cause: Cause | None = None
    blocking: bool = True


def at_boot(instance: str, boot: str) -> Occasion:
    """Before the first attempt in this boot of the machine."""
    return Occasion(key=f"{instance}.{boot}", points=(HookPoint.POST_START,))


def at_drain(assignment: Assignment, drain: str, asked: Demand | DrainClaim) -> Occasion:
    """Before the machine, or the run on it, is stopped, or ended."""
    points = _LEAVING if asked.ends else _LEAVING[:1]
    key = f"{drain}.{_named(assignment)}"
    return Occasion(key=key, points=points, cause=asked.cause, blocking=asked.blocking)


def alone(assignment: Assignment, instance: str) -> Occasion:
    """Before a machine that is done, and that nobody comes for, powers itself off."""
    return Occasion(key=f"{instance}.alone.{_named(assignment)}", points=_LEAVING, blocking=False)


def at_end(assignment: Assignment, demand: Demand, instance: str) -> tuple[Occasion, ...]:
    """After an attempt that was asked to leave, in their order."""
    found = []
    if demand.deadline is not None:
        key = f"{instance}.{demand.request}.{_named(assignment)}"
        point = (HookPoint.ON_INTERRUPTION,)
        found.append(Occasion(key=key, points=point, cause=demand.cause, blocking=False))
    if demand.drain is not None:
        found.append(at_drain(assignment, demand.drain, demand))
    return tuple(found)


def _named(assignment: Assignment) -> str:
    return f"{assignment.run}.{assignment.attempt}"


def owed(assignment: Assignment, demand: Demand) -> bool:
    """Whether any hook is due after an attempt that was asked so to leave."""
    return any(calls(assignment.hooks, occasion) for occasion in at_end(assignment, demand, ""))


def last(state: NodeState, answer: Drained | None) -> Last | None:
    """What the end of the attempt leaves to be done: its hooks first, then the answer to its drain."""
    if state.assignment is None:
        return state.last
    demand = state.ask.demand if state.ask and state.ask.demand.mode is AskMode.SAVE_AND_EXIT else None
    if demand is None or not owed(state.assignment, demand):
        return Last(assignment=state.assignment)
    owing = answer if demand.drain is not None else None
    return Last(assignment=state.assignment, demand=demand, answer=owing)


def calls(hooks: Hooks, occasion: Occasion) -> tuple[HookCall, ...]:
    """The hooks that are due, in the order of the spec."""
    return tuple(
        _call(occasion, point, index, hook)
        for point in occasion.points
        for index, hook in enumerate(declared(hooks, point))
    )


def declared(hooks: Hooks, point: HookPoint) -> tuple[Hook, ...]:
    found: tuple[Hook, ...] = getattr(hooks, point)
    return found


def _call(occasion: Occasion, point: HookPoint, index: int, hook: Hook) -> HookCall:
    mark = hashlib.sha256(occasion.key.encode()).hexdigest()[:16]
    return HookCall(
        point=point,
        index=index,
        op_id=f"{point}-{index}-{mark}",
        command=hook.run,
        timeout=float(hook.timeout),
        may_block=hook.on_failure == "block",
        cause=occasion.cause,
    )


def deadline(around: Surroundings) -> float | None:
    """When this machine will be gone, whatever anybody says."""
    ends = [notice.deadline for notice in around.notices if notice.deadline is not None]
    if around.shutdown_at is not None:
        ends.append(around.shutdown_at)
    return min(ends, default=None)


def facts(call: HookCall, ends_at: float | None, receipt: Receipt | None) -> dict[str, str]:
    """What a hook finds in its environment beside what the trainer does."""
    found = {"STEADY_HOOK": str(call.point), "STEADY_OP_ID": call.op_id}
    if call.cause is not None:
        found["STEADY_CAUSE"] = str(call.cause)
    if ends_at is not None:
        found["STEADY_DEADLINE"] = str(int(ends_at))
    if receipt is not None:
        found["STEADY_CHECKPOINT"] = str(receipt.step)
    return found


def hindrance(around: Surroundings, now: float) -> str:
    """Why no hook can be started now; empty when one can."""
    ends_at = deadline(around)
    if around.orphaned:
        return "the machine's process died"
    if ends_at is not None and now >= ends_at - RESERVE:
        return "no time left before the deadline"
    return ""


def next_move(run: HookRun, started_at: float, ends_at: float | None, now: float) -> Move:
    """What to do about a hook that runs: its timeout is cut to the deadline."""
    if run.terminated_at is not None:
        due = run.killed_at is None and now >= run.terminated_at + KILL_AFTER
        return Move.KILL if due else Move.WAIT
    limit = started_at + run.call.timeout
    if ends_at is not None:
        limit = min(limit, ends_at - RESERVE)
    return Move.TERMINATE if now >= limit else Move.WAIT


def done(run: HookRun, exit_code: int | None, last_line: str, now: float) -> HookDone:
    """The judgement on a hook whose end was seen."""
    if run.terminated_at is not None:
        return _ended(
            run.call, run.assignment, HookOutcome.TIMED_OUT, f"not done in its time{_said(last_line)}", now
        )
    if exit_code == 0:
        return _ended(run.call, run.assignment, HookOutcome.DONE, "", now)
    return _ended(run.call, run.assignment, HookOutcome.FAILED, exit_in_words(exit_code) + _said(last_line), now)


def not_run(call: HookCall, assignment: Assignment, why: str, now: float) -> HookDone:
    return _ended(call, assignment, HookOutcome.NOT_RUN, why, now)


def _said(last_line: str) -> str:
    return f"; last line: {last_line}" if last_line else ""


def _ended(call: HookCall, assignment: Assignment, outcome: HookOutcome, detail: str, now: float) -> HookDone:
    words = f"{shlex.join(call.command)[:200]}: {detail}" if detail else ""
    return HookDone(
        point=call.point,
        name=call.name,
        op_id=call.op_id,
        run=assignment.run,
        outcome=outcome,
        at=now,
        cause=call.cause,
        blocks=call.may_block and outcome is not HookOutcome.DONE,
        detail=words,
    )


def blocker(occasion: Occasion, ended: Sequence[HookDone], around: Surroundings) -> HookDone | None:
    """The hook whose failure holds back what was to follow."""
    if not occasion.blocking or deadline(around) is not None or around.orphaned:
        return None
    return next((each for each in ended if each.blocks), None)


def refused(drain: str, by: HookDone, answer: Drained | None, now: float) -> Drained:
    """The answer to a drain that a hook refuses; what was saved before it stays saved."""
    return Drained(
        drain=drain,
        outcome=DrainOutcome.REFUSED,
        at=now,
        step=answer.step if answer else None,
        receipt=answer.receipt if answer else None,
        detail=f"{by.name} {by.detail}",
        hook=by.point,
    )

"""How an attempt ended, judged by request, newer checkpoint and result file; never by exit code alone.

Source of the table: exit codes measured on real trainers do not classify (a save on request may exit 0
or 1, a launcher flattens its ranks' codes).
"""

from __future__ import annotations

import signal
from typing import Any

import msgspec

from lifecycle.model.demand import AskMode
from lifecycle.model.node import Ask, NodeState
from lifecycle.model.records import Assignment, Drained, DrainOutcome, Ended, Outcome
from lifecycle.model.states import Cause
from lifecycle.planning import drain
from lifecycle.planning.drain import Trainee

_TAKEN = (Cause.SPOT, Cause.MAINTENANCE, Cause.HARDWARE)


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    outcome: Outcome
    cause: Cause | None
    step: int | None
    exact: bool
    forced: bool
    spared: int


def asked(state: NodeState, exit_code: int | None) -> Ask | None:
    """The ask that an end answers. Who leaves without a fault after one was taken back is leaving for that one."""
    return state.ask or (state.withdrawn if exit_code == 0 else None)


def judge(
    ask: Ask | None,
    trainee: Trainee,
    *,
    exit_code: int | None,
    finished: bool,
    shutting_down: bool,
    from_step: int | None,
) -> Judgement:
    """The judgement on a trainer that has ended. `finished`: it left its result file."""
    asked = ask if ask is not None and ask.demand.mode is AskMode.SAVE_AND_EXIT else None
    outcome, cause = _outcome(asked, exit_code, finished=finished, shutting_down=shutting_down)
    saved = drain.proof(asked, trainee) if asked else None
    step = _reached(trainee, from_step)
    ended_by_us = asked is not None and asked.terminated_at is not None and not asked.demand.futile
    return Judgement(
        outcome=outcome,
        cause=cause,
        step=step,
        exact=outcome is Outcome.COMPLETED or asked is not None,
        forced=ended_by_us and (saved is None or saved.step < (step or 0)),
        spared=max(0, saved.step - _before(asked, from_step)) if asked and saved else 0,
    )


def _outcome(
    asked: Ask | None, exit_code: int | None, *, finished: bool, shutting_down: bool
) -> tuple[Outcome, Cause | None]:
    if finished:
        return Outcome.COMPLETED, None
    if asked is not None:
        cause = asked.demand.cause
        taken = shutting_down or cause in _TAKEN
        return (Outcome.INTERRUPTED if taken else Outcome.STOPPED), cause
    if exit_code is None:
        return Outcome.INTERRUPTED, Cause.HARDWARE
    if shutting_down:
        return Outcome.INTERRUPTED, Cause.OPERATOR
    return (Outcome.COMPLETED, None) if exit_code == 0 else (Outcome.FAILED, Cause.USER_ERROR)


def _reached(trainee: Trainee, from_step: int | None) -> int | None:
    """The greatest step there is evidence for."""
    newest = trainee.checkpoints[-1].step if trainee.checkpoints else None
    known = [step for step in (trainee.progress, newest, from_step) if step is not None]
    return max(known, default=None)


def _before(ask: Ask, from_step: int | None) -> int:
    return ask.before if ask.before is not None else from_step or 0


def exit_in_words(exit_code: int | None) -> str:
    """`exit code 1`, `killed by SIGKILL`, or that nobody saw it."""
    if exit_code is None:
        return "its end was not seen"
    if exit_code >= 0:
        return f"exit code {exit_code}"
    named = {number.value: number.name for number in signal.Signals}
    return f"killed by {named.get(-exit_code, f'signal {-exit_code}')}"


def ended(state: NodeState, judged: Judgement, *, result: Any, detail: str, now: float) -> Ended:
    """The judgement as it is reported."""
    assignment = state.assignment
    assert assignment is not None
    asked = state.ask if state.ask and state.ask.demand.mode is AskMode.SAVE_AND_EXIT else None
    return Ended(
        run=assignment.run,
        attempt=assignment.attempt,
        outcome=judged.outcome,
        at=now,
        started_at=state.started_at,
        from_step=state.from_step,
        step=judged.step,
        exact=judged.exact,
        cause=judged.cause,
        forced=judged.forced,
        receipt=state.receipt,
        spared=judged.spared,
        result=result,
        detail=detail,
        request=asked.demand.request if asked else None,
        asked_at=asked.asked_at if asked else None,
    )


def unstarted(assignment: Assignment, how: Outcome, cause: Cause, why: str, now: float) -> Ended:
    """The end of an attempt whose trainer was never started."""
    return Ended(run=assignment.run, attempt=assignment.attempt, outcome=how, at=now, cause=cause, detail=why)


def drained(state: NodeState, judged: Judgement, trainee: Trainee, now: float) -> Drained | None:
    """The answer to the drain that asked for this end; the last one stands when none did."""
    ask = state.ask
    if ask is None or ask.demand.drain is None:
        return state.drained
    proven = drain.proof(ask, trainee) is not None and not judged.forced
    saved = proven or judged.outcome is Outcome.COMPLETED
    return Drained(
        drain=ask.demand.drain,
        outcome=DrainOutcome.SAVED if saved else DrainOutcome.FORCED,
        at=now,
        step=judged.step,
        receipt=state.receipt,
    )


def in_words(end: Ended) -> str:
    """What an end left behind, for the journal."""
    if end.receipt is None:
        return "no checkpoint"
    lost = (end.step or 0) - end.receipt.step
    if end.forced and lost > 0:
        return f"forced: steps {end.receipt.step + 1} to {end.step} are lost"
    spared = f", {end.spared} steps spared" if end.spared else ""
    return f"checkpoint at step {end.receipt.step}{spared}"

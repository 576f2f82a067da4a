"""How an attempt ended, judged by request, newer checkpoint and result file; never by exit code alone.

Source of the table: exit codes measured on real trainers do not classify (a save on request may exit 0
or 1, a launcher flattens its ranks' codes).
"""

from __future__ import annotations

import signal

import msgspec

from lifecycle.model.node import Ask, AskMode
from lifecycle.model.records import Outcome
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
    return Judgement(
        outcome=outcome,
        cause=cause,
        step=step,
        exact=outcome is Outcome.COMPLETED or asked is not None,
        forced=asked is not None and saved is None and asked.terminated_at is not None,
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
    if exit_code < 0:
        return f"killed by {signal.Signals(-exit_code).name}"
    return f"exit code {exit_code}"

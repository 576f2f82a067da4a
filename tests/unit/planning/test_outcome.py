"""How an attempt ended: request, newer checkpoint and result file; never the exit code alone."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.demand import AskMode, Demand
from lifecycle.model.node import Ask, NodeState
from lifecycle.model.records import Drained, DrainOutcome, Outcome
from lifecycle.model.states import Cause
from lifecycle.planning import outcome
from lifecycle.planning.drain import Trainee
from lifecycle.planning.outcome import Judgement
from lifecycle.ports.trainer import LocalCheckpoint
from tests.builders import NOW, a_receipt, an_assignment, an_end

OLD = LocalCheckpoint(100, "step-000100", "s100")
NEW = LocalCheckpoint(130, "step-000130", "s130")
FACTS: dict[str, Any] = {"exit_code": 0, "finished": False, "shutting_down": False, "from_step": 0}


def an_ask(cause: Cause = Cause.OPERATOR, mode: AskMode = AskMode.SAVE_AND_EXIT, **changes: Any) -> Ask:
    """Put when only the checkpoint of step 100 was there."""
    demand = Demand(
        request="r1", mode=mode, cause=cause, reason="lunch", grace=90.0, drain=changes.pop("drain", None)
    )
    fields = {"asked_at": NOW, "baseline": (("step-000100", "s100"),), "before": 100}
    return Ask(demand=demand, **{**fields, **changes})


def a_trainee(*checkpoints: LocalCheckpoint, progress: int | None = None) -> Trainee:
    return Trainee(alive=False, checkpoints=checkpoints, progress=progress)


def judged(ask: Ask | None = None, trainee: Trainee | None = None, **facts: Any) -> Judgement:
    return outcome.judge(ask, trainee or a_trainee(OLD), **{**FACTS, **facts})


@pytest.mark.parametrize(
    ("ask", "facts", "expected"),
    [
        (None, {}, (Outcome.COMPLETED, None)),
        (None, {"exit_code": 1}, (Outcome.FAILED, Cause.USER_ERROR)),
        (None, {"exit_code": -9}, (Outcome.FAILED, Cause.USER_ERROR)),
        (None, {"exit_code": None}, (Outcome.INTERRUPTED, Cause.HARDWARE)),
        (None, {"exit_code": None, "shutting_down": True}, (Outcome.INTERRUPTED, Cause.HARDWARE)),
        (None, {"shutting_down": True}, (Outcome.INTERRUPTED, Cause.OPERATOR)),
        (None, {"exit_code": 1, "shutting_down": True}, (Outcome.INTERRUPTED, Cause.OPERATOR)),
        (None, {"exit_code": 1, "finished": True}, (Outcome.COMPLETED, None)),
        (an_ask(), {"finished": True}, (Outcome.COMPLETED, None)),
        (an_ask(), {}, (Outcome.STOPPED, Cause.OPERATOR)),
        (an_ask(), {"exit_code": 1}, (Outcome.STOPPED, Cause.OPERATOR)),
        (an_ask(), {"exit_code": None}, (Outcome.STOPPED, Cause.OPERATOR)),
        (an_ask(Cause.DRIFT), {}, (Outcome.STOPPED, Cause.DRIFT)),
        (an_ask(Cause.SPOT), {}, (Outcome.INTERRUPTED, Cause.SPOT)),
        (an_ask(Cause.MAINTENANCE), {}, (Outcome.INTERRUPTED, Cause.MAINTENANCE)),
        (an_ask(Cause.HARDWARE), {}, (Outcome.INTERRUPTED, Cause.HARDWARE)),
        (an_ask(), {"shutting_down": True}, (Outcome.INTERRUPTED, Cause.OPERATOR)),
        (an_ask(mode=AskMode.SAVE), {}, (Outcome.COMPLETED, None)),
        (an_ask(mode=AskMode.SAVE), {"exit_code": 1}, (Outcome.FAILED, Cause.USER_ERROR)),
    ],
)
def test_the_table_of_ends(ask: Ask | None, facts: dict[str, Any], expected: tuple[Outcome, Cause | None]) -> None:
    judgement = judged(ask, **facts)
    assert (judgement.outcome, judgement.cause) == expected


@pytest.mark.parametrize(
    ("trainee", "from_step", "reached"),
    [
        (a_trainee(OLD, progress=150), 0, 150),
        (a_trainee(NEW, progress=90), 0, 130),
        (a_trainee(progress=20), 100, 100),
        (a_trainee(), 100, 100),
        (a_trainee(), None, None),
    ],
    ids=["its word", "its checkpoint", "its start before its word", "its start", "nothing"],
)
def test_an_attempt_reached_the_greatest_step_there_is_evidence_for(
    trainee: Trainee, from_step: int | None, reached: int | None
) -> None:
    assert judged(trainee=trainee, from_step=from_step).step == reached


def test_the_step_of_an_asked_end_is_exact() -> None:
    assert judged(an_ask(), a_trainee(OLD, NEW)).exact


def test_the_step_of_a_sudden_end_is_a_lower_bound() -> None:
    assert not judged(exit_code=1).exact


def test_the_step_of_a_completed_run_is_exact() -> None:
    assert judged(finished=True).exact


def test_what_a_save_on_request_spared_is_counted_from_the_checkpoint_before_it() -> None:
    assert judged(an_ask(), a_trainee(OLD, NEW)).spared == 30


def test_without_an_earlier_checkpoint_it_is_counted_from_the_start_of_the_attempt() -> None:
    first = an_ask(baseline=(), before=None)
    assert judged(first, a_trainee(NEW), from_step=50).spared == 80


def test_an_end_that_nobody_asked_for_spared_nothing() -> None:
    assert judged(None, a_trainee(OLD, NEW)).spared == 0


def test_an_end_by_our_hand_without_a_save_is_forced() -> None:
    assert judged(an_ask(terminated_at=NOW + 90), a_trainee(OLD, progress=150)).forced


def test_an_end_by_our_hand_after_a_save_that_covers_it_is_not_forced() -> None:
    assert not judged(an_ask(terminated_at=NOW + 90), a_trainee(OLD, NEW, progress=130)).forced


def test_an_end_by_our_hand_beyond_its_save_is_forced() -> None:
    assert judged(an_ask(terminated_at=NOW + 90), a_trainee(OLD, NEW, progress=170)).forced


def test_a_trainer_that_left_by_itself_was_not_forced() -> None:
    assert not judged(an_ask(), a_trainee(OLD, progress=150)).forced


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (None, "its end was not seen"),
        (0, "exit code 0"),
        (3, "exit code 3"),
        (-9, "killed by SIGKILL"),
        (-15, "killed by SIGTERM"),
        (-36, "killed by signal 36"),
    ],
)
def test_an_exit_code_in_words(code: int | None, words: str) -> None:
    assert outcome.exit_in_words(code) == words


def drained(ask: Ask | None, trainee: Trainee, *, before: Drained | None = None, **facts: Any) -> Drained | None:
    state = NodeState(assignment=an_assignment(), ask=ask, receipt=a_receipt(130), drained=before)
    return outcome.drained(state, judged(ask, trainee, **facts), trainee, NOW)


def test_a_drain_that_was_saved_is_answered_so() -> None:
    answer = drained(an_ask(drain="d1"), a_trainee(OLD, NEW))
    assert answer == Drained(drain="d1", outcome=DrainOutcome.SAVED, at=NOW, step=130, receipt=a_receipt(130))


def test_a_drain_that_left_without_a_save_is_answered_as_forced() -> None:
    answer = drained(an_ask(drain="d1"), a_trainee(OLD, progress=150))
    assert answer is not None
    assert (answer.outcome, answer.step) == (DrainOutcome.FORCED, 150)


def test_a_drain_of_a_run_that_completed_meanwhile_is_answered_as_saved() -> None:
    answer = drained(an_ask(drain="d1"), a_trainee(OLD, progress=150), finished=True)
    assert answer is not None
    assert answer.outcome is DrainOutcome.SAVED


def test_an_end_without_a_drain_leaves_the_last_answer() -> None:
    last = Drained(drain="d0", outcome=DrainOutcome.REFUSED, at=NOW - 9)
    assert drained(an_ask(), a_trainee(OLD, NEW), before=last) == last


def test_an_end_is_reported_with_what_is_remembered() -> None:
    state = NodeState(assignment=an_assignment(), started_at=NOW - 5, from_step=50, receipt=a_receipt(100))
    end = outcome.ended(state, judged(), result={"loss": 1}, detail="words", now=NOW)
    assert (end.from_step, end.started_at, end.receipt, end.result) == (50, NOW - 5, a_receipt(100), {"loss": 1})


@pytest.mark.parametrize(
    ("mode", "told"), [(AskMode.SAVE_AND_EXIT, True), (AskMode.SAVE, False)], ids=["to exit", "to train on"]
)
def test_an_end_tells_who_asked_for_it_and_when(mode: AskMode, told: bool) -> None:
    ask = an_ask(mode=mode)
    end = outcome.ended(
        NodeState(assignment=an_assignment(), ask=ask), judged(ask), result=None, detail="", now=NOW
    )
    assert (end.request, end.asked_at) == ((ask.demand.request, ask.asked_at) if told else (None, None))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"receipt": None}, "no checkpoint"),
        ({"receipt": a_receipt(130)}, "checkpoint at step 130"),
        ({"receipt": a_receipt(130), "spared": 30}, "checkpoint at step 130, 30 steps spared"),
        ({"receipt": a_receipt(100), "step": 130, "forced": True}, "forced: steps 101 to 130 are lost"),
        ({"receipt": a_receipt(130), "step": 130, "forced": True}, "checkpoint at step 130"),
    ],
)
def test_what_an_end_left_behind_in_words(changes: dict[str, Any], words: str) -> None:
    assert outcome.in_words(an_end(**changes)) == words


@pytest.mark.parametrize(("code", "counts"), [(0, True), (1, False), (None, False)])
def test_who_leaves_in_peace_after_an_ask_was_taken_back_leaves_for_that_one(
    code: int | None, counts: bool
) -> None:
    state = NodeState(assignment=an_assignment(), withdrawn=an_ask())
    assert (outcome.asked(state, code) == an_ask()) is counts

"""Whether a run may start again: retries per cause, back-off, the resume policy."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.fleet import FleetSpec, Retries
from lifecycle.model.records import Attempt, Outcome, Receipt, Run
from lifecycle.model.states import Cause, RunState
from lifecycle.planning.attempts import GO, Verdict, VerdictKind, allowed_retries, backoff, fingerprint, verdict
from tests.builders import NOW, RUN, a_receipt, a_run, a_spec, an_attempt, an_ended_attempt


def judged(run: Run | None, spec: FleetSpec | None = None, *resumable: Receipt, now: float = NOW) -> Verdict:
    return verdict((spec or a_spec()).pools["t"], run, resumable, now)


def failed(cause: Cause, spec: FleetSpec | None = None, outcome: Outcome = Outcome.FAILED) -> Attempt:
    return an_ended_attempt(spec, outcome=outcome, cause=cause, receipt=None, ended_at=NOW - 600)


def again(cause: Cause, count: int, spec: FleetSpec | None = None) -> Verdict:
    """The verdict after `count` failures in a row by this cause."""
    return judged(a_run(failed(cause, spec), state=RunState.FAILED, failures={cause: count}), spec)


def test_a_node_that_is_not_declared_never_starts() -> None:
    assert verdict(None, a_run(), (), NOW).kind is VerdictKind.NEVER


def test_a_run_that_never_trained_may_start() -> None:
    assert judged(None) == GO


def test_a_completed_run_never_starts_again() -> None:
    run = a_run(an_ended_attempt(outcome=Outcome.COMPLETED), state=RunState.COMPLETED, allowed=9)
    assert judged(run) == Verdict(kind=VerdictKind.NEVER, why="completed")


def test_an_attempt_under_way_is_not_judged() -> None:
    spec = a_spec(train={"resume": "manual"})
    assert judged(a_run(an_attempt(spec)), spec) == GO


def test_a_stopped_run_goes_on() -> None:
    assert judged(a_run(an_ended_attempt(), state=RunState.STOPPED)) == GO


@pytest.mark.parametrize(
    ("cause", "count"), [(Cause.SPOT, 50), (Cause.HARDWARE, 3), (Cause.USER_ERROR, 1), (Cause.MAINTENANCE, 999)]
)
def test_a_failure_within_its_retries_is_tried_again(cause: Cause, count: int) -> None:
    assert again(cause, count) == GO


@pytest.mark.parametrize(("cause", "count"), [(Cause.SPOT, 51), (Cause.HARDWARE, 4), (Cause.USER_ERROR, 2)])
def test_a_failure_beyond_its_retries_is_final(cause: Cause, count: int) -> None:
    assert again(cause, count).kind is VerdictKind.NEVER


def test_the_final_word_names_the_count_the_cause_and_the_way_on() -> None:
    why = "2 failures in a row by user_error, 1 retries allowed: failed; `steady start NODE --resume` tries again"
    assert again(Cause.USER_ERROR, 2).why == why


def test_a_spot_storm_never_uses_up_the_retries_for_user_errors() -> None:
    run = a_run(failed(Cause.USER_ERROR), state=RunState.FAILED, failures={"spot": 50, "user_error": 1})
    assert judged(run) == GO


def test_an_interruption_counts_as_a_failure_of_its_cause() -> None:
    attempt = failed(Cause.HARDWARE, outcome=Outcome.INTERRUPTED)
    run = a_run(attempt, state=RunState.INTERRUPTED, failures={"hardware": 4})
    assert judged(run).kind is VerdictKind.NEVER


def test_retries_of_the_spec_count() -> None:
    assert again(Cause.USER_ERROR, 5, a_spec(budget={"retries": {"user_error": 5}})) == GO


SPOT, HARDWARE, USER_ERROR = Cause.SPOT, Cause.HARDWARE, Cause.USER_ERROR


@pytest.mark.parametrize("cause", [SPOT, HARDWARE, USER_ERROR, Cause.MAINTENANCE])
def test_a_failure_of_any_cause_is_backed_off_from_the_moment_it_ended(cause: Cause) -> None:
    attempt = an_ended_attempt(outcome=Outcome.INTERRUPTED, cause=cause, ended_at=NOW - 0.5)
    spec = a_spec(budget={"retries": {"user_error": 9}})
    run = a_run(attempt, state=RunState.INTERRUPTED, failures={cause: 2})
    due = NOW - 0.5 + backoff(2, f"{RUN}#1")
    why = f"backing off after failure 2 by {cause}"
    assert judged(run, spec) == Verdict(kind=VerdictKind.LATER, why=why, until=due)
    assert judged(run, spec, now=due) == GO


def test_a_first_failure_is_tried_again_at_once() -> None:
    attempt = an_ended_attempt(outcome=Outcome.INTERRUPTED, cause=SPOT, ended_at=NOW)
    assert judged(a_run(attempt, state=RunState.INTERRUPTED, failures={"spot": 1})) == GO


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 0), (1, 0), (2, 1), (3, 5), (4, 15), (5, 60), (6, 300), (7, 300), (99, 300)]
)
def test_the_back_off_grows_and_then_stays(failures: int, seconds: float) -> None:
    assert seconds <= backoff(failures, "a run") <= seconds * 1.5


def test_those_that_failed_at_once_do_not_return_at_once_and_each_keeps_its_moment() -> None:
    found = [backoff(6, f"run {number}") for number in range(100)]
    assert len(set(found)) == 100
    assert (min(found) < 310, max(found) > 440) == (True, True)
    assert found == [backoff(6, f"run {number}") for number in range(100)]


@pytest.mark.parametrize(
    ("failures", "cause", "tried"),
    [
        ({SPOT: 50, USER_ERROR: 1}, USER_ERROR, True),
        ({SPOT: 50, USER_ERROR: 1}, SPOT, True),
        ({SPOT: 51, USER_ERROR: 1}, SPOT, False),
        ({SPOT: 50, USER_ERROR: 2}, USER_ERROR, False),
        ({HARDWARE: 3, SPOT: 50, USER_ERROR: 1}, HARDWARE, True),
        ({HARDWARE: 4, SPOT: 1, USER_ERROR: 0}, HARDWARE, False),
        ({HARDWARE: 3, SPOT: 1, USER_ERROR: 1}, SPOT, True),
    ],
)
def test_no_cause_uses_up_the_retries_of_another(failures: dict[str, int], cause: Cause, tried: bool) -> None:
    run = a_run(failed(cause), state=RunState.FAILED, failures=failures)
    assert (judged(run) == GO) is tried


def test_a_changed_train_section_gives_a_failed_run_a_fresh_chance() -> None:
    changed = a_spec(train={"command": ["python", "fixed.py"]})
    run = a_run(failed(Cause.USER_ERROR), state=RunState.FAILED, failures={"user_error": 9})
    assert judged(run, changed) == GO


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.STOPPED])
def test_a_person_may_let_it_start_whatever_budget_and_policy_say(state: RunState) -> None:
    spec = a_spec(train={"resume": "manual"})
    run = a_run(failed(Cause.USER_ERROR, spec), state=state, failures={"user_error": 9}, allowed=2)
    assert judged(run, spec) == GO


def test_the_leave_of_a_person_is_for_one_attempt() -> None:
    run = a_run(failed(Cause.USER_ERROR), state=RunState.FAILED, failures={"user_error": 9}, allowed=1)
    assert judged(run).kind is VerdictKind.NEVER


def test_resume_manual_asks_a_person() -> None:
    spec = a_spec(train={"resume": "manual"})
    assert judged(a_run(an_ended_attempt(spec), state=RunState.STOPPED), spec).kind is VerdictKind.ASK


def test_resume_manual_does_not_ask_for_what_never_started() -> None:
    spec = a_spec(train={"resume": "manual"})
    attempt = an_ended_attempt(spec, started_at=None, outcome=Outcome.VOID)
    assert judged(a_run(attempt, state=RunState.INTERRUPTED), spec) == GO


def test_resume_never_starts_again_all_the_same() -> None:
    spec = a_spec(train={"resume": "never"})
    assert judged(a_run(an_ended_attempt(spec), state=RunState.STOPPED, mark=(1, 100)), spec) == GO


def test_when_every_checkpoint_is_damaged_a_person_is_asked() -> None:
    run = a_run(an_ended_attempt(), state=RunState.STOPPED, mark=(1, 100))
    assert judged(run).kind is VerdictKind.ASK


def test_one_sound_checkpoint_is_enough_to_go_on() -> None:
    run = a_run(an_ended_attempt(), state=RunState.STOPPED, mark=(1, 100))
    assert judged(run, None, a_receipt(50)) == GO


def test_the_causes_without_a_budget_are_tried_without_limit() -> None:
    unlimited = {cause for cause in Cause if allowed_retries(Retries(), cause) is None}
    assert unlimited == set(Cause) - {Cause.SPOT, Cause.HARDWARE, Cause.USER_ERROR}


@pytest.mark.parametrize(
    "train",
    [
        {"command": ["other"]},
        {"workdir": "sub"},
        {"env": {"A": "1"}},
        {"profile": "torchrun"},
        {"hyperparameters": {"lr": 0.1}},
    ],
)
def test_what_makes_a_run_go_on_differently_changes_its_fingerprint(train: dict[str, Any]) -> None:
    assert fingerprint(a_spec(train=train).pools["t"]) != fingerprint(a_spec().pools["t"])


def test_another_directory_of_checkpoints_changes_the_fingerprint() -> None:
    changed = a_spec(checkpoint={"directory": "elsewhere"})
    assert fingerprint(changed.pools["t"]) != fingerprint(a_spec().pools["t"])


@pytest.mark.parametrize(
    "pool",
    [
        {"train": {"resume": "manual"}},
        {"train": {"on_completion": "keep"}},
        {"stop": {"grace": "5s"}},
        {"checkpoint": {"keep": 9}},
        {"nodes": 3},
    ],
)
def test_what_touches_no_trainer_keeps_the_fingerprint(pool: dict[str, Any]) -> None:
    assert fingerprint(a_spec(**pool).pools["t"]) == fingerprint(a_spec().pools["t"])


def test_the_order_of_the_environment_does_not_matter() -> None:
    there = a_spec(train={"env": {"A": "1", "B": "2"}}).pools["t"]
    assert fingerprint(there) == fingerprint(a_spec(train={"env": {"B": "2", "A": "1"}}).pools["t"])

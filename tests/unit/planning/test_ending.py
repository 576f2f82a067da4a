"""How a fleet's runs have ended: when `run` may return, and its last sentence."""

from __future__ import annotations

from typing import Any

from lifecycle.model.records import Outcome, Run
from lifecycle.model.states import Cause, RunState
from lifecycle.model.world import Observed
from lifecycle.planning.ending import Ending, ending
from tests.builders import NOW, RUN, a_run, a_spec, an_ended_attempt, nothing_yet, rested, training
from tests.unit.planning.reading import declared

COMPLETED = a_run(an_ended_attempt(outcome=Outcome.COMPLETED), state=RunState.COMPLETED)
FAILED = a_run(
    an_ended_attempt(outcome=Outcome.FAILED, cause=Cause.USER_ERROR),
    state=RunState.FAILED,
    failures={"user_error": 2},
)


def ended(run: Run, **changes: Any) -> Ending:
    observed = rested(runs={RUN: run}, **changes)
    return seen(observed)


def seen(observed: Observed) -> Ending:
    return ending(declared(observed), observed, NOW)


def test_a_fleet_that_trains_is_not_over() -> None:
    assert seen(training()) == Ending(over=False, runs=(a_run(),), failed=())


def test_a_fleet_that_has_not_begun_is_not_over() -> None:
    assert seen(nothing_yet()) == Ending(over=False, runs=(), failed=())


def test_a_fleet_whose_runs_completed_is_over_and_nothing_failed() -> None:
    assert ended(COMPLETED) == Ending(over=True, runs=(COMPLETED,), failed=())


def test_a_run_beyond_its_retries_is_over_and_failed() -> None:
    assert ended(FAILED) == Ending(over=True, runs=(FAILED,), failed=(FAILED,))


def test_a_run_that_will_be_tried_again_is_not_over() -> None:
    found = ended(a_run(FAILED.attempt, state=RunState.FAILED, failures={"user_error": 1}))
    assert (found.over, found.failed) == (False, ())


def test_a_run_that_asks_a_person_is_not_over() -> None:
    spec = a_spec(train={"resume": "manual"})
    observed = rested(spec)
    assert not ending(spec, observed, NOW).over


def test_one_run_that_trains_keeps_the_fleet_going() -> None:
    spec = a_spec(nodes=2)
    assert not ending(spec, rested(spec, runs={RUN: COMPLETED}), NOW).over


def test_a_fleet_without_nodes_is_over() -> None:
    assert seen(nothing_yet(a_spec(nodes=0))).over


def test_runs_no_longer_declared_do_not_count() -> None:
    assert ending(None, training(), NOW) == Ending(over=True, runs=(), failed=())


def test_the_sentence_of_an_undisturbed_fleet() -> None:
    assert ended(COMPLETED).sentence == "Lost work: 0 steps."


def test_the_sentence_says_what_the_saves_were_worth() -> None:
    run = a_run(COMPLETED.attempt, state=RunState.COMPLETED, lost={"spot": 30, "operator": 2}, spared=100)
    assert ended(run).sentence == "Lost work: 32 steps. Without the saves it would have been 132."


def test_the_sentence_says_when_it_is_a_lower_bound() -> None:
    run = a_run(COMPLETED.attempt, state=RunState.COMPLETED, lost={"hardware": 30}, spared=5, lost_exact=False)
    sentence = "Lost work: at least 30 steps. Without the saves it would have been at least 35."
    assert ended(run).sentence == sentence

"""How a fleet's runs have ended: when `run` may return, and its last sentence."""

from __future__ import annotations

from typing import Any

from lifecycle.model.money import Ledger
from lifecycle.model.records import Outcome, Run
from lifecycle.model.states import Cause, RunState, StopReason
from lifecycle.model.world import Observed
from lifecycle.planning.ending import Ending, ending, stuck
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_placement,
    a_run,
    a_spec,
    an_ended_attempt,
    nothing_yet,
    prices,
    rested,
    training,
)
from tests.unit.planning.reading import declared, planned

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


def broke(**changes: Any) -> Observed:
    """All its money is spent, and its machine is gone."""
    placed = {NODE: a_placement(present=False, reason=StopReason.BUDGET)}
    fields = {"ledgers": {"t": Ledger(pool="t", spent=10.0)}, "machines": (), "placements": placed, "reports": {}}
    return rested(a_spec(budget={"total": 10.0}), **{**fields, **changes})


def test_a_run_whose_money_is_spent_is_over_and_has_not_completed() -> None:
    found = seen(broke())
    assert (found.over, [run.run for run in found.failed]) == (True, [RUN])


def test_a_run_that_was_stopped_because_it_was_idle_is_over() -> None:
    idle = {NODE: a_placement(present=False, reason=StopReason.IDLE, run="main")}
    assert seen(broke(ledgers={}, placements=idle)).over


def test_a_fleet_that_is_refused_all_it_needs_is_stuck() -> None:
    observed = nothing_yet(a_spec(budget={"per_hour": 1.0}), prices=prices(2.0))
    assert stuck(planned(observed), seen(observed), observed)


def test_a_fleet_in_which_something_trains_is_not_stuck() -> None:
    observed = training(a_spec(nodes=2, budget={"per_hour": 3.0}), prices=prices(2.0))
    assert planned(observed).refusals
    assert not stuck(planned(observed), seen(observed), observed)


def test_a_fleet_without_refusals_is_not_stuck() -> None:
    assert not stuck(planned(nothing_yet()), seen(nothing_yet()), nothing_yet())

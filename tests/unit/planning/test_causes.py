"""Causes kept apart: every cause is reached by its own way, and an attempt's losses are booked to that one."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.fleet import FleetSpec
from lifecycle.model.money import Ledger
from lifecycle.model.plan import Claim
from lifecycle.model.records import Outcome, Run
from lifecycle.model.states import Cause, InstanceState
from lifecycle.model.world import Observed
from lifecycle.planning.drain import Trainee
from lifecycle.planning.outcome import judge
from lifecycle.planning.settle import settle
from lifecycle.planning.wants import Surroundings, strictest
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_claim,
    a_hold,
    a_machine,
    a_notice,
    a_record,
    a_report,
    a_run,
    a_spec,
    an_attempt,
    an_end,
    an_idle_report,
    an_order,
    but,
    training,
)
from tests.unit.planning.reading import step

ENDS = [cause for cause in Cause if cause is not Cause.REBALANCE]
"""Advice ends nothing: the trainer saves and trains on."""


def around(**what: Any) -> Surroundings:
    return Surroundings(**{"instance": "m1", "incarnation": 1, **what})


# ---- who asks the trainer to end -----------------------------------------------------------------


@pytest.mark.parametrize("cause", [Cause.SPOT, Cause.MAINTENANCE])
def test_a_notice_is_its_own_cause(cause: Cause) -> None:
    demand = strictest(around(notices=(a_notice(cause),)), NOW)
    assert demand is not None
    assert demand.cause is cause


def test_advice_is_rebalance() -> None:
    demand = strictest(around(notices=(a_notice(Cause.REBALANCE, lead=None),)), NOW)
    assert demand is not None
    assert demand.cause is Cause.REBALANCE


def test_a_machine_whose_process_died_is_hardware() -> None:
    demand = strictest(around(orphaned=True), NOW)
    assert demand is not None
    assert demand.cause is Cause.HARDWARE


def test_another_machine_in_its_place_is_the_controller() -> None:
    demand = strictest(around(order=an_order(incarnation=2)), NOW)
    assert demand is not None
    assert demand.cause is Cause.CONTROLLER


@pytest.mark.parametrize("cause", ENDS)
def test_a_drain_is_what_its_claim_says(cause: Cause) -> None:
    demand = strictest(around(drain=a_claim(cause=cause)), NOW)
    assert demand is not None
    assert demand.cause is cause


BROKE = {"ledgers": {"t": Ledger(pool="t", spent=9.0)}}
DRAINED = [
    (a_spec(), {"holds": (a_hold(),)}, Cause.OPERATOR),
    (a_spec(budget={"total": 9.0}), BROKE, Cause.BUDGET),
    (a_spec(train={"command": ["python", "other.py"]}), {}, Cause.DRIFT),
    (a_spec(instance_types=["big"]), {}, Cause.DRIFT),
]


@pytest.mark.parametrize(("spec", "changes", "cause"), DRAINED)
def test_the_plan_claims_a_drain_in_the_name_of_its_cause(
    spec: FleetSpec, changes: dict[str, Any], cause: Cause
) -> None:
    observed = training(record=a_record(spec), **changes)
    assert step(observed, Claim).claim.cause is cause


def test_a_trainer_that_died_on_a_healthy_machine_is_the_users_error() -> None:
    trainee = Trainee(alive=False)
    judged = judge(None, trainee, exit_code=1, finished=False, shutting_down=False, from_step=0)
    assert (judged.outcome, judged.cause) == (Outcome.FAILED, Cause.USER_ERROR)


# ---- whom the loss is booked to ------------------------------------------------------------------


def started_again(observed: Observed, at: float) -> Run:
    """The run after its second attempt began at step 100, so long after the first one's end."""
    (run,) = settle(observed, NOW).runs
    second = but(run, attempt=an_attempt(number=2, started_at=None, from_step=None))
    report = a_report(attempt=2, started_at=at, from_step=100, at=at)
    (again,) = settle(training(runs={RUN: second}, reports={NODE: report}), at + 1).runs
    return again


@pytest.mark.parametrize("cause", list(Cause))
def test_steps_and_seconds_that_an_end_cost_are_booked_to_its_cause(cause: Cause) -> None:
    ended = an_idle_report(ended=an_end(cause=cause, outcome=Outcome.INTERRUPTED, at=NOW - 2))
    run = started_again(training(runs={RUN: a_run()}, reports={NODE: ended}), NOW + 58)
    assert (run.lost, run.hours.lost) == ({cause: 30}, {cause: 60.0})


def test_a_machine_that_went_without_a_word_is_booked_to_what_its_provider_says() -> None:
    gone = a_machine(state=InstanceState.TERMINATED, cause=Cause.SPOT, ended_at=NOW - 2)
    run = started_again(training(machines=(gone,)), NOW + 58)
    assert (run.lost, run.hours.lost, run.lost_exact) == ({"spot": 30}, {"spot": 60.0}, False)

"""Idle machines: stopped on evidence of their own agent, back by a person's word; what is unknown is not idle."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.fleet import Market
from lifecycle.model.money import Use
from lifecycle.model.plan import Claim, Converge, Kind
from lifecycle.model.records import Outcome, Status
from lifecycle.model.states import Cause, InstanceState, RunState, StopReason
from lifecycle.model.world import Observed
from lifecycle.planning.status import fleet_status
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_claim,
    a_machine,
    a_placement,
    a_report,
    a_run,
    a_spec,
    an_ended_attempt,
    an_idle_report,
    but,
    rested,
    training,
)
from tests.unit.planning.reading import action, planned, seen, step, steps

WATCHED = a_spec(budget={"idle_stop": "10m"})
KEPT = a_spec(budget={"idle_stop": "10m"}, train={"on_completion": "keep"})


def using(spec: Any = WATCHED, **use: Any) -> Observed:
    return training(spec, reports={NODE: a_report(use=Use(**{"cpu": 0.02, "gpu": 0.0, **use}))})


STUCK = using(idle_since=NOW - 601)


def completed(ago: float, **changes: Any) -> Observed:
    attempt = an_ended_attempt(KEPT, outcome=Outcome.COMPLETED, cause=None, ended_at=NOW - ago)
    fields = {"runs": {RUN: a_run(attempt, state=RunState.COMPLETED)}, "reports": {NODE: an_idle_report(at=NOW)}}
    return rested(KEPT, attempt, **{**fields, **changes})


def test_a_trainer_that_uses_nothing_and_makes_no_step_is_saved_and_stopped() -> None:
    found = action(STUCK)
    assert (found.kind, found.reason.cause) == (Kind.STOP, "idle")
    assert found.reason.evidence == "no step, 0.02 cores and 0% GPU in use for 10m (budget.idle_stop 10m)"
    claim = step(STUCK, Claim).claim
    assert (claim.purpose, claim.cause) == (StopReason.IDLE, Cause.BUDGET)


def test_it_may_be_idle_for_a_while() -> None:
    assert planned(using(idle_since=NOW - 600)).settled


@pytest.mark.parametrize("use", [{}, {"cpu": None}, {"gpu": None}])
def test_what_is_used_or_unknown_is_not_idle(use: dict[str, Any]) -> None:
    assert planned(using(**use)).settled


def test_an_agent_that_says_nothing_of_it_proves_nothing() -> None:
    assert planned(training(WATCHED)).settled


def test_without_idle_stop_nothing_is_stopped_for_idleness() -> None:
    assert planned(using(a_spec(), idle_since=NOW - 86400)).settled


def test_our_own_clock_that_jumped_makes_nobody_idle() -> None:
    observed = using(idle_since=NOW - 60)
    assert seen(observed, now=NOW + 7200).idle == ""


def test_to_save_is_no_sign_of_life() -> None:
    """Its trainer works while it saves; the stop is not called off for that."""
    claim = a_claim(drain="m1.idle.1-1", purpose=StopReason.IDLE)
    observed = but(using(cpu=3.0), drains={NODE: claim})
    assert action(but(observed, drains={NODE: but(claim, expires_at=NOW + 60)})).kind is Kind.STOP
    assert planned(observed).actions == ()


def test_another_drain_makes_nobody_idle() -> None:
    assert seen(but(using(cpu=3.0), drains={NODE: a_claim()})).idle == ""


# ---- nothing left to train -----------------------------------------------------------------------


def test_a_kept_machine_whose_run_has_completed_is_stopped_after_a_while() -> None:
    assert planned(completed(590)).settled
    placement = step(completed(601), Converge).placement
    assert (placement.present, placement.reason, placement.run) == (False, StopReason.IDLE, "main")
    assert action(completed(601)).reason.evidence.startswith("nothing to train: completed for 10m")


def test_on_demand_it_is_switched_off() -> None:
    spec = a_spec(budget={"idle_stop": "10m"}, train={"on_completion": "keep"}, market="on_demand")
    machine = a_machine(market=Market.ON_DEMAND)
    observed = completed(601, record=training(spec).record, machines=(machine,))
    assert steps(but(observed, placements={NODE: a_placement(market=Market.ON_DEMAND)})) == ["Place", "PowerOff"]


def test_a_machine_that_was_brought_back_is_idle_from_then_on() -> None:
    assert planned(completed(86400, machines=(a_machine(launched_at=NOW - 60),))).settled


def test_a_run_that_will_start_by_itself_is_not_idle() -> None:
    attempt = an_ended_attempt(KEPT, ended_at=NOW - 86400)
    assert seen(rested(KEPT, attempt)).idle == ""


# ---- and back ------------------------------------------------------------------------------------


def away(**changes: Any) -> Observed:
    """It was stopped for idleness, on spot: there is no machine."""
    placed = a_placement(present=False, reason=StopReason.IDLE, run="main")
    attempt = an_ended_attempt(WATCHED)
    fields = {"machines": (), "placements": {NODE: placed}, "reports": {}}
    return rested(WATCHED, attempt, **{**fields, **changes})


def test_it_stays_stopped_until_a_person_wants_it() -> None:
    assert planned(away()).settled


def test_started_by_a_person_it_gets_a_machine() -> None:
    assert action(away(placements={NODE: a_placement(present=True)})).kind is Kind.CREATE


def test_on_demand_started_by_a_person_it_is_switched_on() -> None:
    spec = a_spec(market="on_demand", budget={"idle_stop": "10m"}, drift={"power": "report"})
    off = a_machine(state=InstanceState.STOPPED, market=Market.ON_DEMAND)
    placed = a_placement(market=Market.ON_DEMAND, powered=False)
    observed = rested(spec, an_ended_attempt(spec), machines=(off,), placements={NODE: placed}, reports={})
    assert steps(observed) == ["PowerOn", "Place"]


def test_another_run_is_wanted_without_being_asked() -> None:
    other = a_spec(budget={"idle_stop": "10m"}, train={"run": "other"})
    assert action(away(record=training(other).record, runs={})).kind is Kind.CREATE


def test_status_shows_it_with_its_evidence_and_the_way_back() -> None:
    observed = away()
    (node,) = fleet_status(observed, planned(observed), NOW).nodes
    (found,) = node.conditions
    assert (node.state, found.type, found.status, found.reason) == ("stopped", "Held", Status.TRUE, "IdleStop")
    assert "`steady start f/t/0` brings it back" in found.message


def test_a_completed_run_is_not_promised_back() -> None:
    done = a_run(an_ended_attempt(KEPT, outcome=Outcome.COMPLETED), state=RunState.COMPLETED)
    observed = away(record=training(KEPT).record, runs={RUN: done})
    (node,) = fleet_status(observed, planned(observed), NOW).nodes
    assert node.conditions[0].message.endswith("another `train.run` in the spec brings it back")

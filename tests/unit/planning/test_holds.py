"""Holds: people's and the schedules', what they do to a node, how they end, and how they read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from lifecycle.model.fleet import FleetSpec
from lifecycle.model.holds import Hold, HoldKind
from lifecycle.model.plan import Claim, Kind, PowerOff, PowerOn, Release
from lifecycle.model.records import Attempt, DrainOutcome, RunState
from lifecycle.model.states import Cause, InstanceState, StopReason
from lifecycle.model.world import Observed
from lifecycle.planning import holds
from lifecycle.planning.settle import apply_facts, settle
from lifecycle.planning.status import fleet_status
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_claim,
    a_hold,
    a_machine,
    a_placement,
    a_record,
    a_report,
    a_run,
    a_spec,
    an_answer,
    an_attempt,
    an_ended_attempt,
    an_idle_report,
    nothing_yet,
    rested,
    training,
)
from tests.unit.planning.reading import action, planned, refusal, seen, step, steps

NINE = datetime(2026, 11, 26, 21, 0, tzinfo=UTC).timestamp()
"""An hour after the stop, eleven before the start."""

EIGHT = datetime(2026, 11, 27, 8, 0, tzinfo=UTC).timestamp()


def nightly(**pool: Any) -> FleetSpec:
    return a_spec(schedule={"stop": "0 20 * * *", "start": "0 8 * * *"}, **pool)


def at_night(spec: FleetSpec, **changes: Any) -> Observed:
    """What trains at nine in the evening."""
    machine = a_machine(launched_at=NINE - 7200, market=spec.pools["t"].market)
    return training(spec, **{"machines": (machine,), "reports": {NODE: a_report(at=NINE - 1)}, **changes})


# ---- schedules -----------------------------------------------------------------------------------


def test_a_scheduled_stop_saves_first_and_is_booked_to_the_schedule() -> None:
    claim = step(at_night(nightly()), Claim, NINE).claim
    assert (claim.purpose, claim.cause) == (StopReason.SCHEDULE, Cause.SCHEDULE)
    assert claim.drain == f"m1.schedule.schedule-{NINE - 3600:.0f}"


def test_a_scheduled_stop_says_when_it_ends() -> None:
    evidence = action(at_night(nightly()), NINE).reason.evidence
    assert evidence == (
        "schedule by the spec since 2026-11-26 20:00 UTC until 2026-11-27 08:00 UTC: stop: 0 20 * * * (UTC)"
    )


def idle_at(now: float, spec: FleetSpec, **machine: Any) -> Observed:
    ended = an_ended_attempt(spec, ended_at=now - 60, cause=Cause.SCHEDULE)
    there = a_machine(market=spec.pools["t"].market, launched_at=now - 7200, **machine)
    return rested(spec, ended, machines=(there,), reports={NODE: an_idle_report(at=now - 1)})


def test_an_on_demand_machine_is_switched_off_by_the_schedule() -> None:
    observed = idle_at(NINE, nightly(market="on_demand"))
    assert step(observed, PowerOff, NINE).machine.id == "m1"


def test_and_switched_on_by_it() -> None:
    off = a_placement(market="on_demand", powered=False, reason=StopReason.SCHEDULE)
    spec = nightly(market="on_demand")
    observed = idle_at(EIGHT, spec, state=InstanceState.STOPPED)
    observed = training(spec, machines=observed.machines, runs=observed.runs, placements={NODE: off})
    assert (action(observed, EIGHT).reason.cause, step(observed, PowerOn, EIGHT).machine.id) == ("schedule", "m1")


def test_a_spot_node_comes_back_in_the_morning() -> None:
    away = a_placement(present=False, reason=StopReason.SCHEDULE)
    observed = nothing_yet(nightly(), placements={NODE: away})
    assert planned(observed, NINE).actions == ()
    assert action(observed, EIGHT).kind is Kind.CREATE


def test_a_person_may_start_a_node_until_the_schedule_changes_next() -> None:
    override = a_hold(HoldKind.START, until=EIGHT)
    assert seen(at_night(nightly(), holds=(override,)), now=NINE).hold is None


def test_a_person_may_stop_it_all_the_same() -> None:
    both = (a_hold(HoldKind.START, until=EIGHT), a_hold(HoldKind.STOP))
    hold = seen(at_night(nightly(), holds=both), now=NINE).hold
    assert hold is not None
    assert hold.kind is HoldKind.STOP


def test_a_fleet_that_is_destroyed_has_no_schedule() -> None:
    assert holds.active(None, training(nightly()), NINE) == ()


def test_a_schedules_hold_is_shown_once_for_its_pool() -> None:
    observed = at_night(nightly(nodes=3))
    shown = fleet_status(observed, planned(observed, NINE), NINE)
    assert [(hold.node, hold.kind, hold.until) for hold in shown.holds] == [("f/t", "schedule", EIGHT)]
    assert planned(observed, NINE).holds == shown.holds


# ---- how holds end -------------------------------------------------------------------------------


def after(observed: Observed) -> tuple[Hold, ...]:
    return apply_facts(observed, settle(observed, NOW)).holds


def story(observed: Observed) -> list[tuple[str, str]]:
    return [(entry.what, entry.result) for entry in settle(observed, NOW).entries]


@pytest.mark.parametrize("kind", [HoldKind.STOP, HoldKind.SUSPEND, HoldKind.START])
def test_a_hold_that_ran_out_is_lifted_and_told(kind: HoldKind) -> None:
    observed = training(holds=(a_hold(kind, until=NOW),))
    assert after(observed) == ()
    assert story(observed) == [(f"hold {kind} ran out", "was set by somebody")]


def test_a_replacement_that_is_done_is_told() -> None:
    observed = training(holds=(a_hold(HoldKind.REPLACE, instance="m0"),))
    assert story(observed) == [("hold replace is done", "was set by somebody")]


def test_a_stop_that_runs_out_while_its_drain_is_under_way_is_called_off() -> None:
    drained = a_claim(drain="m1.manual.stop-1")
    observed = training(holds=(a_hold(until=NOW - 1),), drains={NODE: drained})
    assert steps(apply_facts(observed, settle(observed, NOW))) == [Release.__name__]


def test_a_stopped_node_comes_back_when_its_hold_runs_out() -> None:
    away = a_placement(present=False, reason=StopReason.MANUAL)
    observed = nothing_yet(placements={NODE: away}, holds=(a_hold(until=NOW + 1),))
    assert planned(observed, NOW).actions == ()
    assert action(observed, NOW + 1).kind is Kind.CREATE


def test_a_suspended_fleet_acts_again_when_that_runs_out() -> None:
    observed = nothing_yet(holds=(a_hold(HoldKind.SUSPEND, node=None, until=NOW + 1),))
    assert "suspended by somebody until 2027-01-15 08:00 UTC: lunch" in refusal(observed).evidence
    assert action(observed, NOW + 1).kind is Kind.CREATE


def test_a_suspended_fleet_is_not_said_to_be_destroyed() -> None:
    held = (a_hold(HoldKind.SUSPEND, node=None),)
    refused = refusal(nothing_yet(record=a_record(destroying=True), holds=held))
    assert (refused.action, refused.node, refused.override) == (Kind.DESTROY, "f", "steady unsuspend f")


def rehearsed(attempt: Attempt, **changes: Any) -> Observed:
    hold = a_hold(HoldKind.REHEARSE, instance="m1", id="rehearse-4")
    return training(holds=(hold,), runs={RUN: a_run(attempt, state=RunState.TRAINING)}, **changes)


@pytest.mark.parametrize(
    ("attempt", "left"),
    [(an_attempt(), 1), (an_attempt(number=2, given_at=NOW - 1), 0), (an_ended_attempt(), 0)],
    ids=["still asked", "the next one trains", "ended"],
)
def test_a_rehearsal_is_over_when_its_attempt_is(attempt: Attempt, left: int) -> None:
    assert len(after(rehearsed(attempt))) == left


def test_a_rehearsal_is_over_when_it_is_refused() -> None:
    answer = an_answer(drain="m1.manual.rehearse-4", outcome=DrainOutcome.REFUSED, receipt=None)
    assert after(rehearsed(an_attempt(), reports={NODE: a_report(drained=answer)})) == ()


def test_a_rehearsal_is_over_when_its_machine_is_gone() -> None:
    gone = a_machine(state=InstanceState.TERMINATED)
    assert after(rehearsed(an_attempt(), machines=(gone,))) == ()


# ---- how they read -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hold", "words"),
    [
        (a_hold(), "f/t/0: stop by somebody since 2027-01-15 07:59 UTC: lunch"),
        (
            a_hold(HoldKind.SUSPEND, node=None, until=NOW + 60),
            "f: suspend by somebody since 2027-01-15 07:59 UTC until 2027-01-15 08:01 UTC: lunch",
        ),
    ],
)
def test_a_hold_in_words(hold: Hold, words: str) -> None:
    assert holds.line(hold) == words

"""One node's facts: which machine is in place, which hold counts, what is known of its agent."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.fleet import Market, WithoutCheckpoint
from lifecycle.model.holds import HoldKind
from lifecycle.model.money import Price
from lifecycle.model.records import Outcome, Placement
from lifecycle.model.states import Cause, InstanceState, RunState, StopReason
from lifecycle.model.world import Observed
from lifecycle.planning.view import views
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_claim,
    a_hold,
    a_machine,
    a_placement,
    a_receipt,
    a_record,
    a_report,
    a_run,
    a_spec,
    an_allowance,
    an_assignment,
    an_ended_attempt,
    an_order,
    but,
    nothing_yet,
    rested,
    training,
)
from tests.unit.planning.reading import seen


def held(*kinds: HoldKind, market: str = "on_demand") -> Placement:
    """What is wanted of a node under these holds, whose machine is of the spec's market."""
    there = (a_machine(market=Market(market)),)
    return seen(training(a_spec(market=market), machines=there, holds=tuple(a_hold(kind) for kind in kinds))).wanted


def over(on_completion: str, market: str) -> Placement:
    """What is wanted of a node whose run has completed."""
    spec = a_spec(market=market, train={"on_completion": on_completion})
    attempt, there = an_ended_attempt(spec, outcome=Outcome.COMPLETED), (a_machine(market=Market(market)),)
    return seen(rested(spec, machines=there, runs={RUN: a_run(attempt, state=RunState.COMPLETED)})).wanted


def test_every_node_declared_or_known_is_seen_in_natural_order() -> None:
    stray = a_machine(id="m9", node="f/t/10")
    observed = nothing_yet(a_spec(nodes=3), machines=(stray,), placements={"f/t/7": a_placement(node="f/t/7")})
    names = [view.node for view in views(a_spec(nodes=3), observed, NOW)]
    assert names == ["f/t/0", "f/t/1", "f/t/2", "f/t/7", "f/t/10"]


def test_a_terminated_machine_fills_no_node() -> None:
    assert seen(training(machines=(a_machine(state=InstanceState.TERMINATED),))).machine is None


@pytest.mark.parametrize("state", [s for s in InstanceState if s is not InstanceState.TERMINATED])
def test_a_machine_in_any_other_state_fills_its_node(state: InstanceState) -> None:
    assert seen(training(machines=(a_machine(state=state),))).machine is not None


def test_the_machine_of_the_placements_incarnation_is_in_place() -> None:
    older, newer = a_machine(), a_machine(id="m2", incarnation=2)
    view = seen(training(machines=(older, newer), placements={NODE: a_placement(incarnation=1)}))
    assert (view.machine, view.surplus) == (older, (newer,))


def test_without_that_incarnation_the_newest_machine_is_in_place() -> None:
    older, newer = a_machine(), a_machine(id="m2", incarnation=2)
    view = seen(training(machines=(newer, older), placements={NODE: a_placement(incarnation=5)}))
    assert (view.machine, view.surplus) == (newer, (older,))


@pytest.mark.parametrize("report", [a_report(instance="m0"), a_report(at=NOW - 7200)])
def test_a_report_of_another_machine_or_an_earlier_boot_does_not_count(report: Any) -> None:
    assert seen(training(reports={NODE: report})).report is None


def test_the_report_of_the_machine_in_place_counts() -> None:
    assert seen(training()).report == a_report()


def test_silence_is_counted_from_the_last_report() -> None:
    assert seen(training(reports={NODE: a_report(at=NOW - 40)})).silence == 40


def test_silence_is_counted_from_the_launch_of_a_machine_that_never_reported() -> None:
    assert seen(training(machines=(a_machine(launched_at=NOW - 50),), reports={})).silence == 50


def test_a_report_from_the_future_is_no_silence() -> None:
    assert seen(training(reports={NODE: a_report(at=NOW + 500)})).silence == 0


@pytest.mark.parametrize(
    ("kinds", "strictest"),
    [
        ((HoldKind.REPLACE, HoldKind.STOP, HoldKind.TERMINATE), HoldKind.TERMINATE),
        ((HoldKind.PAUSE, HoldKind.STOP), HoldKind.STOP),
        ((HoldKind.REPLACE, HoldKind.PAUSE), HoldKind.PAUSE),
        ((HoldKind.REPLACE,), HoldKind.REPLACE),
    ],
)
def test_the_strictest_hold_counts(kinds: tuple[HoldKind, ...], strictest: HoldKind) -> None:
    hold = seen(training(holds=tuple(a_hold(kind) for kind in kinds))).hold
    assert hold is not None
    assert hold.kind is strictest


def test_of_two_equal_holds_the_older_counts() -> None:
    young, old = a_hold(id="young", at=NOW), a_hold(id="old", at=NOW - 99)
    assert seen(training(holds=(young, old))).hold == old


def test_a_hold_of_the_whole_fleet_counts_for_every_node() -> None:
    assert seen(training(holds=(a_hold(node=None),))).hold is not None


@pytest.mark.parametrize(
    "hold", [a_hold(node="f/t/1"), a_hold(until=NOW), a_hold(HoldKind.SUSPEND, node=None)], ids=lambda h: h.id
)
def test_a_hold_that_is_of_another_node_or_over_or_only_suspends_does_not_count(hold: Any) -> None:
    assert seen(training(holds=(hold,))).hold is None


def test_a_hold_with_time_left_counts() -> None:
    assert seen(training(holds=(a_hold(until=NOW + 1),))).hold is not None


def test_a_terminate_hold_wants_no_machine() -> None:
    assert held(HoldKind.TERMINATE) == a_placement(market=Market.ON_DEMAND, present=False, reason=StopReason.MANUAL)


@pytest.mark.parametrize("kind", [HoldKind.STOP, HoldKind.PAUSE])
def test_a_stop_hold_powers_an_on_demand_machine_off(kind: HoldKind) -> None:
    assert held(kind) == a_placement(market=Market.ON_DEMAND, powered=False, reason=StopReason.MANUAL)


def test_a_stop_hold_ends_a_spot_machine_because_it_cannot_be_stopped() -> None:
    assert held(HoldKind.STOP, market="spot") == a_placement(present=False, reason=StopReason.MANUAL)


def test_a_spot_machine_cannot_be_stopped_whatever_the_spec_would_buy_now() -> None:
    found = seen(training(a_spec(market="on_demand"), holds=(a_hold(HoldKind.STOP),))).wanted
    assert (found.present, found.powered) == (False, True)


def test_a_machine_that_is_going_is_no_second_one() -> None:
    going = a_machine(id="m2", incarnation=2, ending=True)
    assert seen(training(machines=(going, a_machine()))).surplus == ()


def test_a_replace_hold_wants_a_machine_all_the_same() -> None:
    assert held(HoldKind.REPLACE).present


def test_a_node_that_nothing_holds_any_longer_is_wanted_again() -> None:
    away = a_placement(present=False, powered=False, reason=StopReason.MANUAL)
    assert seen(training(placements={NODE: away})).wanted == a_placement()


def test_a_completed_run_wants_no_machine() -> None:
    wanted = over("terminate", "on_demand")
    assert (wanted.present, wanted.reason, wanted.run) == (False, StopReason.COMPLETION, "main")


def test_a_completed_run_may_keep_its_machine() -> None:
    assert over("keep", "on_demand") == a_placement(market=Market.ON_DEMAND)


@pytest.mark.parametrize(("market", "wanted"), [("on_demand", (True, False)), ("spot", (False, True))])
def test_a_completed_run_may_stop_its_machine(market: str, wanted: tuple[bool, bool]) -> None:
    found = over("stop", market)
    assert (found.present, found.powered) == wanted


def test_a_run_that_asks_a_person_keeps_its_machine() -> None:
    spec = a_spec(train={"resume": "manual"})
    assert seen(rested(spec)).wanted.present


def test_an_attempt_on_the_machine_in_place_is_seen() -> None:
    assert seen(training()).attempt is not None


def test_an_attempt_on_an_earlier_machine_is_not_that_of_the_machine_in_place() -> None:
    assert seen(training(machines=(a_machine(id="m2", incarnation=2),))).attempt is None


def test_steps_since_the_newest_receipt_are_unsaved() -> None:
    assert seen(training()).unsaved_steps == 30


def test_without_a_receipt_all_steps_since_the_start_are_unsaved() -> None:
    assert seen(training(reports={NODE: a_report(receipt=None, from_step=50)})).unsaved_steps == 80


@pytest.mark.parametrize(
    "observed",
    [training(reports={}), training(reports={NODE: a_report(step=None)}), rested(), training(runs={})],
    ids=["no report", "no step", "ended", "no run"],
)
def test_nothing_is_known_as_unsaved_without_an_open_attempt_and_its_step(observed: Observed) -> None:
    assert seen(observed).unsaved_steps == 0


def test_a_claim_that_has_run_out_is_no_claim() -> None:
    assert seen(training(drains={NODE: a_claim(expires_at=NOW)})).drain is None


def test_a_claim_of_anybody_is_seen() -> None:
    theirs = a_claim(by="pulumi up (pid 7)")
    assert seen(training(drains={NODE: theirs})).drain == theirs


def test_an_allowance_is_for_the_machine_it_names() -> None:
    named, other = {"m1": an_allowance()}, {"m0": an_allowance(instance="m0")}
    assert [seen(training(allowances=each)).loss_allowed for each in (named, other)] == [True, False]


def test_a_loss_that_is_allowed_makes_the_policy_force() -> None:
    assert seen(training(allowances={"m1": an_allowance()})).policy is WithoutCheckpoint.FORCE


def test_grace_and_policy_are_those_of_the_pool() -> None:
    view = seen(training(a_spec(stop={"grace": "7s", "without_checkpoint": "force"})))
    assert (view.grace, view.policy) == (7.0, WithoutCheckpoint.FORCE)


def test_grace_and_policy_of_a_node_no_longer_declared_are_those_of_its_last_order() -> None:
    order = an_order(assignment=an_assignment(grace=7.0, policy=WithoutCheckpoint.FORCE))
    view = seen(training(record=a_record(destroying=True), orders={NODE: order}))
    assert (view.grace, view.policy) == (7.0, WithoutCheckpoint.FORCE)


def test_without_any_word_a_node_is_given_time_and_refuses() -> None:
    view = seen(training(record=a_record(destroying=True), orders={}))
    assert (view.grace, view.policy) == (90.0, WithoutCheckpoint.REFUSE)


def test_the_run_of_a_node_no_longer_declared_is_that_of_its_last_order() -> None:
    view = seen(training(a_spec(nodes=0)))
    assert view.run == a_run()


def test_resume_points_leave_out_what_was_rejected() -> None:
    observed = rested(receipts={RUN: (a_receipt(100), a_receipt(90))}, rejections=frozenset({"digest-1-100"}))
    assert [receipt.step for receipt in seen(observed).receipts] == [90]


def test_a_local_node_costs_nothing_and_the_price_of_others_is_not_known() -> None:
    here = training()
    there = training(record=a_record(but(a_spec(), provider="aws")))
    assert (seen(here).price, seen(there).price) == (Price(dollars=0.0, at=NOW, source="this computer"), None)


def test_a_fleet_that_is_being_destroyed_has_an_owner_who_is_leaving() -> None:
    assert seen(training(record=a_record(destroying=True))).owner_is_leaving


def test_an_interrupted_run_keeps_its_cause_for_the_next_start() -> None:
    attempt = an_ended_attempt(outcome=Outcome.INTERRUPTED, cause=Cause.SPOT)
    view = seen(rested(attempt=attempt))
    assert view.attempt == attempt

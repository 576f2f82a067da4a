"""Rules about machines: made once, off when held, replaced on proof, waited for when unknown."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.fleet import Market
from lifecycle.model.holds import HoldKind
from lifecycle.model.money import Meter
from lifecycle.model.plan import Claim, Converge, EndStray, Kind, Place, PowerOff, PowerOn, Release
from lifecycle.model.records import DrainOutcome, Outcome, Placement, Receipt
from lifecycle.model.states import Cause, InstanceState, RunState, StopReason
from lifecycle.model.world import Machine, Observed
from lifecycle.planning.attempts import backoff
from lifecycle.planning.presence import UNLISTED
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_claim,
    a_hold,
    a_machine,
    a_notice,
    a_placement,
    a_receipt,
    a_record,
    a_report,
    a_run,
    a_spec,
    an_allowance,
    an_answer,
    an_attempt,
    an_ended_attempt,
    an_idle_report,
    an_incarnation,
    but,
    nothing_yet,
    rested,
    training,
)
from tests.unit.planning.reading import action, planned, refusal, step, steps, waiting

ON_DEMAND = a_spec(market="on_demand")
STOPPED = a_machine(state=InstanceState.STOPPED, market=Market.ON_DEMAND)
BEFORE = an_incarnation(ended_at=NOW - 60, cause=Cause.SPOT)


def on_demand(**changes: Any) -> Observed:
    fields = {
        "machines": (a_machine(market=Market.ON_DEMAND),),
        "placements": {NODE: a_placement(market=Market.ON_DEMAND)},
    }
    return training(ON_DEMAND, **{**fields, **changes})


def switched_off(**changes: Any) -> Observed:
    """An on-demand machine that is off, its run saved."""
    fields = {"machines": (STOPPED,), "placements": {NODE: a_placement(market=Market.ON_DEMAND)}}
    return rested(ON_DEMAND, **{**fields, **changes})


def lost(attempt: Any = None, *, receipts: tuple[Receipt, ...] = (), **changes: Any) -> Observed:
    """Its spot machine was taken; its run is known as interrupted."""
    attempt = attempt or an_ended_attempt(outcome=Outcome.INTERRUPTED, cause=Cause.SPOT)
    fields = {
        "machines": (),
        "runs": {RUN: a_run(attempt, state=RunState.INTERRUPTED)},
        "receipts": {RUN: receipts},
        "incarnations": {(NODE, 1): BEFORE},
    }
    return training(**{**fields, **changes})


def drained(**changes: Any) -> dict[str, Any]:
    """The agent's report that it has answered the drain that `changes` describe."""
    return {NODE: a_report(drained=an_answer(**changes))}


def test_a_machine_that_is_ending_is_waited_for() -> None:
    ending = a_machine(ending=True, state=InstanceState.INTERRUPTED)
    assert waiting(training(machines=(ending,))).what == "its machine, which is ending"


def test_a_node_whose_machine_is_ending_gets_no_second_one() -> None:
    assert planned(lost(machines=(a_machine(ending=True),))).actions == ()


# A second machine


def doubled(stray: Machine, **changes: Any) -> Observed:
    """Incarnation 2 is in place and idle, and `stray` lives beside it."""
    keeper = a_machine(id="m2", incarnation=2)
    fields = {
        "machines": (stray, keeper),
        "placements": {NODE: a_placement(incarnation=2)},
        "runs": {},
        "reports": {NODE: an_idle_report(instance="m2", incarnation=2)},
    }
    return training(**{**fields, **changes})


def test_a_second_machine_that_is_old_enough_is_ended() -> None:
    assert step(doubled(a_machine(launched_at=NOW - 300)), EndStray).machine.id == "m1"


def test_a_young_second_machine_is_left_alone() -> None:
    wait = waiting(doubled(a_machine(launched_at=NOW - 299)))
    assert (wait.until, "m1" in wait.what) == (NOW + 1, True)


def test_a_machine_newer_than_the_placement_is_somebodys_work_in_progress() -> None:
    newer = a_machine(id="m2", incarnation=2)
    assert planned(training(machines=(a_machine(), newer))).actions == ()


def trains_beside(**changes: Any) -> Observed:
    """Incarnation 2 is in place, and the agent of m1 says that it trains on."""
    return doubled(a_machine(), **{"reports": {NODE: a_report()}, "runs": {RUN: a_run()}, **changes})


def test_a_second_machine_that_still_trains_is_drained_before_it_is_ended() -> None:
    claim = step(trains_beside(), Claim).claim
    assert (claim.instance, claim.drain, claim.cause) == ("m1", "m1.replacement.m1", Cause.CONTROLLER)


def test_a_second_machine_whose_attempt_is_open_is_not_ended_because_the_other_spoke_last() -> None:
    spoke_last = {NODE: an_idle_report(instance="m2", incarnation=2)}
    seen = trains_beside(reports=spoke_last)
    assert waiting(seen).what == "the last word of m1, whose attempt is open"
    known = trains_beside(reports=spoke_last, heard={"m1": a_report()})
    assert step(known, Claim).claim.instance == "m1"


def test_a_silent_second_machine_is_unknown_until_its_second_witness() -> None:
    heard = {"m1": a_report(at=NOW - 60)}
    assert "silent for" in waiting(trains_beside(reports={}, heard=heard)).what
    failed = doubled(a_machine(impaired=True), reports={}, heard=heard, runs={RUN: a_run()})
    assert step(failed, EndStray).machine.id == "m1"


def test_a_second_machine_without_a_word_is_let_go_by_a_person() -> None:
    allowed = {"m1": an_allowance(instance="m1")}
    assert step(trains_beside(reports={}, allowances=allowed), EndStray).machine.id == "m1"


def test_a_machine_is_not_silent_because_a_copy_of_it_spoke_last() -> None:
    reports = {NODE: an_idle_report(instance="copy")}
    assert planned(training(reports=reports, heard={"m1": a_report(), "copy": reports[NODE]})).settled


def test_a_second_machine_that_was_drained_is_ended() -> None:
    assert step(trains_beside(reports=drained(drain="m1.replacement.m1")), EndStray).machine.id == "m1"


def test_a_second_machine_whose_trainer_refuses_is_kept_until_a_person_allows_the_loss() -> None:
    reports = drained(drain="m1.replacement.m1", outcome=DrainOutcome.REFUSED)
    assert refusal(trains_beside(reports=reports)).override == "steady allow-loss m1 --reason ..."
    claim = step(trains_beside(reports=reports, allowances={"m1": an_allowance()}), Claim).claim
    assert claim.drain == "m1.replacement.m1.loss"


def test_a_second_machine_whose_attempt_ended_and_whose_agent_is_silent_is_ended() -> None:
    reports, runs = {NODE: a_report(at=NOW - 31)}, {RUN: a_run(an_ended_attempt())}
    assert step(trains_beside(reports=reports, runs=runs), EndStray).machine.id == "m1"


# A node without a machine


def test_a_declared_node_gets_a_machine_after_a_claim() -> None:
    converge = step(nothing_yet(), Converge)
    assert converge == Converge(
        placement=a_placement(),
        claim=an_incarnation(claimed_at=NOW, instance=None, meter=Meter(rate=0.0)),
    )


def test_the_first_machine_is_there_because_of_the_spec() -> None:
    reason = action(nothing_yet()).reason
    assert (reason.cause, reason.evidence) == ("spec", "declared, and no machine fills it")


def test_a_lost_machine_is_made_again_under_the_next_incarnation() -> None:
    assert step(lost(), Converge).placement.incarnation == 2


def test_the_reason_of_a_new_machine_names_what_took_the_last_and_where_it_goes_on() -> None:
    reason = action(lost(receipts=(a_receipt(100),))).reason
    assert reason.cause == Cause.SPOT
    assert reason.evidence == f"declared, and no machine fills it; run {RUN} goes on from step 100"


def test_a_machine_lost_before_any_attempt_is_booked_to_its_own_cause() -> None:
    assert action(lost(runs={})).reason.cause == Cause.SPOT


def test_a_claim_that_never_became_a_machine_is_taken_up_again() -> None:
    unused = an_incarnation(instance=None)
    observed = nothing_yet(placements={NODE: a_placement()}, incarnations={(NODE, 1): unused})
    assert step(observed, Converge) == Converge(placement=a_placement(), claim=None)


def test_a_claim_whose_machine_has_ended_is_not_used_again() -> None:
    used = an_incarnation(ended_at=NOW - 5)
    observed = nothing_yet(placements={NODE: a_placement()}, incarnations={(NODE, 1): used})
    assert step(observed, Converge).claim.number == 2


def test_a_claim_whose_machine_is_listed_no_longer_is_not_used_again() -> None:
    observed = nothing_yet(placements={NODE: a_placement()}, incarnations={(NODE, 1): an_incarnation()})
    assert step(observed, Converge).claim.number == 2


def test_a_machine_missing_from_the_list_is_not_made_again_before_its_attempt_is_known_as_ended() -> None:
    wait = waiting(training(machines=()))
    assert wait.what == f"its machine to be known as gone, {UNLISTED} (attempt 1 is open)"


def test_while_a_drain_is_claimed_no_machine_is_made() -> None:
    wait = waiting(lost(drains={NODE: a_claim(by="pulumi up (pid 7)")}))
    assert (wait.what, wait.until) == ("the drain by pulumi up (pid 7) to end", NOW + 600)


def test_no_machine_is_made_for_a_run_that_asks_a_person() -> None:
    spec = a_spec(train={"resume": "manual"})
    plan = planned(lost(an_ended_attempt(spec), record=a_record(spec)))
    assert plan.settled


def test_no_machine_is_made_while_a_user_error_is_backed_off() -> None:
    spec = a_spec(budget={"retries": {"user_error": 9}})
    attempt = an_ended_attempt(outcome=Outcome.FAILED, cause=Cause.USER_ERROR, ended_at=NOW)
    run = a_run(attempt, state=RunState.FAILED, failures={"user_error": 2})
    assert waiting(lost(record=a_record(spec), runs={RUN: run})).until == NOW + backoff(2, f"{RUN}#1")


def test_no_machine_is_made_for_a_node_that_is_held() -> None:
    assert planned(lost(holds=(a_hold(),))).settled


# A node that should have none


def test_a_node_that_should_be_empty_and_is_needs_nothing() -> None:
    assert planned(training(a_spec(nodes=0), machines=())).settled


def test_a_scaled_in_node_is_drained_before_it_goes() -> None:
    found = action(training(a_spec(nodes=0)))
    assert (found.kind, found.lost_steps, [type(s) for s in found.steps]) == (Kind.DESTROY, 30, [Claim])


def test_a_scaled_in_node_goes_once_it_is_drained() -> None:
    observed = training(a_spec(nodes=0), reports=drained(drain="m1.scale_in.1"))
    placement = step(observed, Converge).placement
    assert (placement.present, placement.reason) == (False, StopReason.SCALE_IN)


def test_scale_in_leaves_the_nodes_that_stay_alone() -> None:
    observed = training(placements={NODE: a_placement(), "f/t/1": a_placement(node="f/t/1")})
    assert planned(observed).settled


def test_a_fleet_that_is_destroyed_is_drained_in_the_name_of_its_operator() -> None:
    claim = step(training(record=a_record(destroying=True)), Claim).claim
    assert (claim.drain, claim.purpose, claim.cause) == ("m1.manual.1", StopReason.MANUAL, Cause.OPERATOR)


def test_a_fleet_that_is_destroyed_says_so() -> None:
    reason = action(training(record=a_record(destroying=True))).reason
    assert (reason.cause, reason.evidence) == (Cause.OPERATOR, "the fleet is being destroyed")


def test_a_machine_without_any_record_is_to_go_because_nothing_declares_it() -> None:
    observed = training(record=None, runs={}, orders={})
    assert action(observed).reason.evidence == "the spec no longer declares it"


def test_a_refused_drain_keeps_the_machine_and_gives_the_claim_back() -> None:
    answer = drained(drain="m1.scale_in.1", outcome=DrainOutcome.REFUSED)
    observed = training(a_spec(nodes=0), reports=answer, drains={NODE: a_claim(drain="m1.scale_in.1")})
    assert refusal(observed).override == "steady allow-loss m1 --reason ..."
    assert steps(observed) == ["Release"]


def test_a_refused_drain_is_not_asked_again_by_itself() -> None:
    answer = drained(drain="m1.scale_in.1", outcome=DrainOutcome.REFUSED)
    assert planned(training(a_spec(nodes=0), reports=answer)).actions == ()


def test_a_terminate_hold_drains_with_the_holds_own_id() -> None:
    observed = training(holds=(a_hold(HoldKind.TERMINATE),))
    assert (action(observed).kind, step(observed, Claim).claim.drain) == (Kind.DESTROY, "m1.manual.terminate-1")


def test_a_terminate_hold_says_who_and_why() -> None:
    reason = action(training(holds=(a_hold(HoldKind.TERMINATE),))).reason
    assert reason.evidence == "terminate by somebody since 2027-01-15 07:59 UTC: lunch"


@pytest.mark.parametrize("kind", [HoldKind.STOP, HoldKind.PAUSE])
def test_a_spot_machine_that_is_stopped_is_drained_and_ended(kind: HoldKind) -> None:
    reports = drained(drain=f"m1.manual.{kind}-1")
    found = action(training(holds=(a_hold(kind),), reports=reports))
    assert (found.kind, [type(s) for s in found.steps]) == (Kind.STOP, [Converge])


def test_a_completed_run_lets_its_machine_go_at_once() -> None:
    attempt = an_ended_attempt(outcome=Outcome.COMPLETED)
    observed = rested(runs={RUN: a_run(attempt, state=RunState.COMPLETED)})
    found = action(observed)
    assert (found.reason.evidence, step(observed, Converge).placement.present) == (
        "its run is over: completed",
        False,
    )


def test_a_completed_run_ends_its_machine_though_its_last_steps_have_no_receipt() -> None:
    attempt = an_ended_attempt(outcome=Outcome.COMPLETED, receipt=a_receipt(50))
    observed = rested(runs={RUN: a_run(attempt, state=RunState.COMPLETED)})
    assert steps(observed) == ["Converge"]


def test_a_completed_run_that_keeps_its_machine_needs_nothing() -> None:
    spec = a_spec(train={"on_completion": "keep"})
    attempt = an_ended_attempt(spec, outcome=Outcome.COMPLETED)
    assert planned(rested(spec, runs={RUN: a_run(attempt, state=RunState.COMPLETED)})).settled


def test_a_machine_that_leaves_keeps_its_incarnation_in_the_placement() -> None:
    machine = a_machine(incarnation=3)
    reports = {NODE: an_idle_report(incarnation=3)}
    world = {"machines": (machine,), "incarnations": {(NODE, 3): an_incarnation(number=3, instance=machine.id)}}
    observed = training(a_spec(nodes=0), runs={}, orders={}, placements={}, reports=reports, **world)
    assert step(observed, Converge).placement.incarnation == 3


def test_a_machine_that_only_wears_our_tags_is_not_ended() -> None:
    observed = training(a_spec(nodes=0), runs={}, orders={}, placements={}, incarnations={})
    (refusal,) = planned(observed).refusals
    assert (refusal.guard, planned(observed).actions) == ("ownership", ())
    assert "no creation claim of ours names m1" in refusal.evidence


# A machine that should be off


def test_a_machine_to_be_stopped_is_drained_first() -> None:
    assert steps(on_demand(holds=(a_hold(),))) == ["Claim"]


def test_a_drained_machine_is_stopped_and_its_placement_kept() -> None:
    observed = on_demand(holds=(a_hold(),), reports=drained(drain="m1.manual.stop-1"))
    assert steps(observed) == ["Place", "PowerOff"]
    assert step(observed, Place).placement.reason is StopReason.MANUAL


def test_a_stopped_machine_that_is_held_needs_nothing() -> None:
    assert planned(switched_off(holds=(a_hold(),))).settled


def test_a_held_node_without_a_machine_needs_nothing() -> None:
    assert planned(switched_off(machines=(), holds=(a_hold(),))).settled


def test_a_machine_that_is_stopping_is_waited_for() -> None:
    stopping = a_machine(state=InstanceState.STOPPING, market=Market.ON_DEMAND)
    assert waiting(on_demand(machines=(stopping,), holds=(a_hold(),))).what == "its machine, which is stopping"


def test_a_completed_run_stops_its_on_demand_machine() -> None:
    spec = a_spec(market="on_demand", train={"on_completion": "stop"})
    attempt = an_ended_attempt(spec, outcome=Outcome.COMPLETED)
    machine = a_machine(market=Market.ON_DEMAND)
    observed = rested(spec, machines=(machine,), runs={RUN: a_run(attempt, state=RunState.COMPLETED)})
    assert step(observed, PowerOff).machine == machine


# A machine that is off and should run


def test_a_machine_that_somebody_stopped_is_started_again() -> None:
    assert steps(switched_off()) == ["PowerOn", "Place"]
    assert action(switched_off()).reason.cause == Cause.DRIFT


@pytest.mark.parametrize("policy", ["report", "replace"])
def test_a_machine_that_somebody_stopped_stays_off_when_only_restore_would_start_it(policy: str) -> None:
    spec = a_spec(market="on_demand", drift={"power": policy})
    plan = planned(switched_off(record=a_record(spec)))
    assert plan.settled


def test_a_machine_that_we_stopped_is_started_when_nothing_holds_it() -> None:
    ours = a_placement(market=Market.ON_DEMAND, powered=False, reason=StopReason.MANUAL)
    observed = switched_off(
        placements={NODE: ours}, record=a_record(a_spec(market="on_demand", drift={"power": "report"}))
    )
    assert action(observed).reason.evidence == "nothing holds it any longer"


def test_a_machine_started_again_is_noted_as_powered_under_its_own_incarnation() -> None:
    ours = a_placement(market=Market.ON_DEMAND, powered=False, reason=StopReason.MANUAL)
    expected = Placement(node=NODE, market=Market.ON_DEMAND)
    assert step(switched_off(placements={NODE: ours}), Place).placement == expected


def test_a_machine_is_not_started_before_it_has_stopped() -> None:
    stopping = a_machine(state=InstanceState.STOPPING, market=Market.ON_DEMAND)
    assert waiting(switched_off(machines=(stopping,))).what == "its machine, which is stopping"


def test_a_machine_is_not_started_for_a_run_that_asks_a_person() -> None:
    spec = a_spec(market="on_demand", train={"resume": "manual"})
    run = a_run(an_ended_attempt(spec), state=RunState.STOPPED)
    assert planned(switched_off(record=a_record(spec), runs={RUN: run})).settled


def test_a_machine_that_is_off_with_an_open_attempt_is_started() -> None:
    run = a_run(an_attempt(ON_DEMAND), state=RunState.INTERRUPTED)
    assert step(switched_off(runs={RUN: run}), PowerOn).machine == STOPPED


# A machine to be replaced


def test_a_replacement_that_was_asked_for_drains_first() -> None:
    found = action(training(holds=(a_hold(HoldKind.REPLACE, instance="m1"),)))
    assert (found.kind, found.reason.cause, [type(s) for s in found.steps]) == (
        Kind.REPLACE,
        Cause.OPERATOR,
        [Claim],
    )


def test_a_drained_machine_is_replaced_under_the_next_incarnation() -> None:
    hold = a_hold(HoldKind.REPLACE, instance="m1")
    converge = step(training(holds=(hold,), reports=drained(drain="m1.replacement.replace-1")), Converge)
    assert (converge.placement.incarnation, converge.claim.number) == (2, 2)


def test_a_replacement_that_named_another_machine_is_over() -> None:
    assert planned(training(holds=(a_hold(HoldKind.REPLACE, instance="m0"),))).settled


def test_a_type_no_longer_declared_is_drained_and_replaced() -> None:
    found = action(training(a_spec(instance_types=["big"])))
    assert (found.kind, found.reason.evidence) == (Kind.REPLACE, "its type local is not declared")


@pytest.mark.parametrize("policy", ["report", "restore"])
def test_a_type_no_longer_declared_is_only_reported_when_the_policy_says_so(policy: str) -> None:
    spec = a_spec(instance_types=["big"], drift={"instance_type": policy})
    assert planned(training(spec)).actions == ()


def test_another_market_is_only_reported_by_default() -> None:
    assert planned(training(machines=(a_machine(market=Market.ON_DEMAND),))).actions == ()


def test_another_market_is_replaced_when_the_policy_says_so() -> None:
    spec = a_spec(drift={"market": "replace"})
    found = action(training(spec, machines=(a_machine(market=Market.ON_DEMAND),)))
    assert found.reason.evidence == "its market on_demand is not declared"


def test_a_silent_agent_is_waited_for_and_nothing_else() -> None:
    wait = waiting(training(reports={NODE: a_report(at=NOW - 31)}))
    assert wait.what == "its agent, silent for 31s: unknown, not dead"


def test_an_agent_heard_half_a_minute_ago_is_not_silent() -> None:
    assert planned(training(reports={NODE: a_report(at=NOW - 30)})).settled


def test_a_silent_agent_on_a_machine_whose_status_check_failed_is_replaced_with_its_loss() -> None:
    found = action(training(machines=(a_machine(impaired=True),), reports={NODE: a_report(at=NOW - 31)}))
    assert (found.kind, found.reason.cause, found.lost_steps) == (Kind.REPLACE, Cause.HARDWARE, 30)


def test_a_failed_status_check_alone_replaces_nothing() -> None:
    assert planned(training(machines=(a_machine(impaired=True),))).settled


def test_an_agent_silent_for_too_long_is_replaced() -> None:
    found = action(training(reports={NODE: a_report(at=NOW - 1801)}))
    assert found.reason.evidence == "its agent is silent for 30m (unreachable_after 30m)"


def test_an_agent_silent_for_not_quite_too_long_is_waited_for() -> None:
    assert planned(training(reports={NODE: a_report(at=NOW - 1800)})).actions == ()


def test_unreachable_after_never_waits_for_ever() -> None:
    spec = a_spec(unreachable_after="never")
    machine = a_machine(launched_at=NOW - 9e6)
    assert planned(training(spec, machines=(machine,), reports={NODE: a_report(at=NOW - 8e6)})).actions == ()


def test_a_machine_that_boots_is_waited_for() -> None:
    wait = waiting(training(machines=(a_machine(launched_at=NOW - 60),), runs={}, orders={}, reports={}))
    assert (wait.what, wait.until) == ("its machine to boot and its agent to report", NOW + 840)


def test_a_machine_whose_agent_never_reported_is_replaced() -> None:
    machine = a_machine(launched_at=NOW - 901)
    found = action(training(machines=(machine,), runs={}, orders={}, reports={}))
    assert (found.kind, found.reason.evidence) == (Kind.REPLACE, "its agent never reported in 15m")


STARTED_AGAIN = a_machine(market=Market.ON_DEMAND, launched_at=NOW - 1799)
"""Its disk may hold what nobody else has: it is no machine that never came up."""


def test_a_machine_that_was_started_again_is_waited_for_as_one_that_is_silent() -> None:
    wait = waiting(training(machines=(STARTED_AGAIN,), reports={NODE: a_report(at=NOW - 2000)}))
    assert (wait.what, wait.until) == ("its machine to boot and its agent to report", NOW + 1)


def test_and_replaced_once_it_is_silent_for_too_long() -> None:
    machine = but(STARTED_AGAIN, launched_at=NOW - 1801)
    spec = a_spec(market="on_demand")
    found = action(training(spec, machines=(machine,), reports={NODE: a_report(at=NOW - 2000)}))
    assert found.reason.evidence == (
        "its agent is silent for 30m since its machine was started again (unreachable_after 30m)"
    )


@pytest.mark.parametrize("state", [InstanceState.PENDING, InstanceState.INTERRUPTED])
def test_only_a_running_machine_is_judged_by_its_silence(state: InstanceState) -> None:
    assert planned(training(machines=(a_machine(state=state, impaired=True),), reports={})).actions == ()


# A machine that its provider takes


def noticed(observed: Observed, **changes: Any) -> Observed:
    report = observed.reports[NODE]
    fields = {name: getattr(report, name) for name in report.__struct_fields__}
    return training(
        machines=observed.machines,
        runs=observed.runs,
        receipts=observed.receipts,
        reports={NODE: a_report(**{**fields, "notice": a_notice(), **changes})},
    )


def test_under_a_notice_the_agent_is_given_time_to_save() -> None:
    wait = waiting(noticed(training()))
    assert (wait.what, wait.until) == ("its agent to save before the spot deadline", NOW + 100)


def test_once_its_work_is_safe_a_machine_under_notice_is_replaced_early() -> None:
    found = action(noticed(rested()))
    assert (found.kind, found.reason.cause, found.reason.evidence) == (
        Kind.REPLACE,
        "spot",
        "spot notice; saved at step 100",
    )


def test_a_machine_under_notice_that_never_trained_is_replaced() -> None:
    found = action(noticed(training(runs={}, reports={NODE: an_idle_report()})))
    assert found.reason.evidence == "spot notice"


def test_advice_without_a_deadline_replaces_nothing() -> None:
    advice = a_notice(Cause.REBALANCE, lead=None)
    assert planned(noticed(training(), notice=advice)).settled


def test_a_machine_under_notice_whose_run_is_over_is_not_replaced() -> None:
    spec = a_spec(train={"on_completion": "keep"})
    run = a_run(an_ended_attempt(spec, outcome=Outcome.COMPLETED), state=RunState.COMPLETED)
    observed = rested(spec, runs={RUN: run}, reports={NODE: an_idle_report(notice=a_notice())})
    assert planned(observed).actions == ()


def test_a_machine_is_never_replaced_while_its_agent_is_known_to_train() -> None:
    ends = (Converge, PowerOff, EndStray)
    plan = planned(training(allowances={"m1": an_allowance()}))
    assert not [each for found in plan.actions for each in found.steps if isinstance(each, ends)]


def test_a_drain_that_nothing_asks_for_any_longer_is_called_off() -> None:
    assert step(training(drains={NODE: a_claim()}), Release).node == NODE


def test_a_local_machine_that_goes_saves_no_money() -> None:
    assert action(training(a_spec(nodes=0))).cost_per_hour == 0.0

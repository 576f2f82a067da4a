"""The pass table, row by row: may this machine go now, and what comes first?"""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.plan import Claim, Release
from lifecycle.model.records import Desired, DrainOutcome, Outcome
from lifecycle.model.states import Cause, InstanceState, RunState, StopReason
from lifecycle.model.world import Observed
from lifecycle.planning.emptying import First, Passed, Purpose, Refused, Verdict, drain_id, empty
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_claim,
    a_machine,
    a_receipt,
    a_report,
    a_run,
    a_spec,
    an_allowance,
    an_answer,
    an_assignment,
    an_attempt,
    an_ended_attempt,
    an_idle_report,
    an_order,
    rested,
    training,
)
from tests.unit.planning.reading import seen

PURPOSE = Purpose(reason=StopReason.MANUAL, cause=Cause.OPERATOR, key="1")
ALLOWED = {"m1": an_allowance()}
FORCE = a_spec(stop={"without_checkpoint": "force"})


def asked(observed: Observed) -> Verdict:
    return empty(seen(observed), PURPOSE)


def answered(outcome: DrainOutcome, **changes: Any) -> Observed:
    """The agent has answered this very drain, its attempt not yet settled as ended."""
    answer = an_answer(outcome=outcome, **changes)
    return training(reports={NODE: a_report(drained=answer)}, drains={NODE: a_claim()})


def silent(**changes: Any) -> Observed:
    return training(reports={NODE: a_report(at=NOW - 31)}, **changes)


def test_a_machine_on_which_nothing_was_started_passes_at_once() -> None:
    observed = training(orders={}, runs={}, reports={NODE: an_idle_report()})
    assert asked(observed) == Passed(evidence="nothing was ever started on it")


def test_a_silent_machine_on_which_nothing_was_started_passes_too() -> None:
    assert isinstance(asked(training(orders={}, runs={}, reports={})), Passed)


def test_an_order_for_an_earlier_machine_does_not_count() -> None:
    machine = a_machine(id="m2", incarnation=2)
    assert isinstance(asked(training(machines=(machine,), runs={})), Passed)


def test_an_order_to_stop_starts_nothing() -> None:
    order = an_order(desired=Desired.STOPPED, assignment=None)
    assert isinstance(asked(training(orders={NODE: order}, runs={}, reports={NODE: an_idle_report()})), Passed)


def test_an_attempt_given_out_whose_order_was_never_written_may_have_started() -> None:
    assert isinstance(asked(training(orders={})), First)


def test_an_order_whose_run_is_not_known_may_have_started() -> None:
    assert isinstance(asked(training(runs={})), First)


def test_a_trainer_that_no_record_of_ours_names_is_drained_all_the_same() -> None:
    assert isinstance(asked(training(orders={}, runs={})), First)


def test_a_trainer_whose_attempt_was_given_up_as_lost_is_drained_when_its_agent_is_heard_again() -> None:
    attempt = an_ended_attempt(outcome=Outcome.INTERRUPTED, to_step=None, receipt=None)
    assert isinstance(asked(rested(attempt=attempt, reports={NODE: a_report()})), First)


def test_a_run_saved_at_its_last_step_passes_at_once() -> None:
    assert asked(rested()) == Passed(evidence="its run is stopped, saved at step 100")


def test_a_run_saved_beyond_its_last_reported_step_passes_at_once() -> None:
    assert isinstance(asked(rested(attempt=an_ended_attempt(receipt=a_receipt(101)))), Passed)


@pytest.mark.parametrize("receipt", [None, a_receipt(99)])
def test_what_its_agent_saw_end_passes_whatever_was_saved_the_rest_is_booked(receipt: Any) -> None:
    assert isinstance(asked(rested(attempt=an_ended_attempt(receipt=receipt))), Passed)


@pytest.mark.parametrize("receipt", [None, a_receipt(99)])
def test_what_nobody_saw_end_is_drained(receipt: Any) -> None:
    attempt = an_ended_attempt(receipt=receipt, witnessed=False)
    assert isinstance(asked(rested(attempt=attempt)), First)


def test_an_attempt_that_reached_no_step_has_nothing_to_lose() -> None:
    attempt = an_ended_attempt(outcome=Outcome.VOID, to_step=None, receipt=None)
    assert isinstance(asked(rested(attempt=attempt)), Passed)


def test_a_run_that_trains_is_drained_first() -> None:
    verdict = asked(training())
    assert isinstance(verdict, First)
    assert verdict.steps == (Claim(claim=a_claim(asked_at=NOW, expires_at=NOW + 690)),)


def test_a_drain_under_way_is_waited_for_until_its_grace_is_over() -> None:
    verdict = asked(training(drains={NODE: a_claim()}))
    assert verdict == First(steps=(), what="its drain by controller", until=NOW + 85)


def test_a_drain_under_way_is_renewed_before_it_runs_out_and_keeps_its_beginning() -> None:
    verdict = asked(training(drains={NODE: a_claim(expires_at=NOW + 119)}))
    assert isinstance(verdict, First)
    assert verdict.steps == (Claim(claim=a_claim(expires_at=NOW + 690)),)


def test_a_drain_that_has_run_out_is_claimed_afresh() -> None:
    verdict = asked(training(drains={NODE: a_claim(expires_at=NOW)}))
    assert isinstance(verdict, First)
    assert verdict.steps == (Claim(claim=a_claim(asked_at=NOW, expires_at=NOW + 690)),)


@pytest.mark.parametrize("left", [600, 1])
def test_the_drain_of_somebody_else_is_left_alone(left: float) -> None:
    theirs = a_claim(by="pulumi up (pid 7)", drain="theirs", expires_at=NOW + left)
    verdict = asked(training(drains={NODE: theirs}))
    assert verdict == First(steps=(), what="its drain by pulumi up (pid 7)", until=NOW + 85)


def test_our_drain_to_another_end_gives_way_to_this_one() -> None:
    verdict = asked(training(drains={NODE: a_claim(drain="m1.drift.1", purpose=StopReason.DRIFT)}))
    assert isinstance(verdict, First)
    assert [step.claim.drain for step in verdict.steps if isinstance(step, Claim)] == ["m1.manual.1"]


def test_a_saved_drain_passes() -> None:
    assert asked(answered(DrainOutcome.SAVED)) == Passed(evidence="drained: saved, saved at step 130")


def test_a_drain_that_found_nothing_passes() -> None:
    verdict = asked(answered(DrainOutcome.EMPTY, step=None, receipt=None))
    assert verdict == Passed(evidence="drained: empty")


def test_a_forced_drain_passes_with_its_loss() -> None:
    verdict = asked(answered(DrainOutcome.FORCED, receipt=a_receipt(100)))
    assert verdict == Passed(evidence="drained: forced, saved at step 100", lost=30)


def test_a_forced_drain_without_any_save_loses_all_it_had() -> None:
    assert asked(answered(DrainOutcome.FORCED, receipt=None)) == Passed(evidence="drained: forced", lost=130)


def test_the_answer_for_an_earlier_attempt_does_not_cover_the_one_that_trains_now() -> None:
    report = a_report(started_at=NOW - 60, drained=an_answer(at=NOW - 61))
    assert isinstance(asked(training(reports={NODE: report})), First)


def test_the_answer_to_another_drain_does_not_pass() -> None:
    observed = training(reports={NODE: a_report(drained=an_answer(drain="m1.drift.1"))})
    assert isinstance(asked(observed), First)


def test_the_answer_to_the_drain_of_somebody_else_passes_while_their_claim_stands() -> None:
    answer = an_answer(drain="theirs")
    theirs = a_claim(drain="theirs", by="pulumi up (pid 7)")
    assert isinstance(asked(training(reports={NODE: a_report(drained=answer)}, drains={NODE: theirs})), Passed)


def test_a_refused_drain_is_refused_and_names_its_override() -> None:
    verdict = asked(answered(DrainOutcome.REFUSED, detail="no checkpoint came"))
    assert verdict == Refused(
        guard="without_checkpoint: refuse",
        evidence="its trainer did not save within 1m: no checkpoint came",
        override="steady allow-loss m1 --reason ...",
        steps=(Release(node=NODE),),
    )


def test_a_refused_drain_stays_refused_and_asks_nothing_twice() -> None:
    observed = training(reports={NODE: a_report(drained=an_answer(outcome=DrainOutcome.REFUSED))})
    verdict = asked(observed)
    assert isinstance(verdict, Refused)
    assert verdict.steps == ()


def test_a_refusal_does_not_give_back_the_claim_of_somebody_else() -> None:
    answer = an_answer(drain="theirs", outcome=DrainOutcome.REFUSED)
    theirs = a_claim(drain="theirs", by="pulumi up (pid 7)")
    verdict = asked(training(reports={NODE: a_report(drained=answer)}, drains={NODE: theirs}))
    assert isinstance(verdict, Refused)
    assert verdict.steps == ()


def test_a_loss_that_is_allowed_asks_once_more_under_force() -> None:
    refused = a_report(drained=an_answer(outcome=DrainOutcome.REFUSED))
    verdict = asked(training(reports={NODE: refused}, allowances=ALLOWED))
    assert isinstance(verdict, First)
    assert [step.claim.drain for step in verdict.steps if isinstance(step, Claim)] == ["m1.manual.1.loss"]


def test_another_purpose_is_another_drain() -> None:
    view = seen(training())
    other = Purpose(reason=StopReason.MANUAL, cause=Cause.OPERATOR, key="2")
    assert drain_id(view, PURPOSE) != drain_id(view, other)


def test_a_forced_drain_is_another_drain() -> None:
    assert drain_id(seen(training(FORCE)), PURPOSE) == "m1.manual.1.loss"


def test_a_silent_agent_is_unknown_and_nothing_is_claimed() -> None:
    override = "`steady allow-loss m1 --reason ...` lets it go"
    wanted = f"its agent, silent for 31s: unknown, not dead ({override})"
    assert asked(silent()) == First(steps=(), what=wanted)


def test_force_does_not_make_a_silent_agent_dead() -> None:
    assert isinstance(asked(training(FORCE, reports={NODE: a_report(at=NOW - 31)})), First)


def test_a_silent_agent_on_a_machine_whose_status_check_failed_passes_with_its_loss() -> None:
    verdict = asked(silent(machines=(a_machine(impaired=True),)))
    assert verdict == Passed(evidence="its agent is silent for 31s; its status check failed", lost=30)


def test_a_silence_beyond_unreachable_after_passes_with_its_loss() -> None:
    verdict = asked(training(reports={NODE: a_report(at=NOW - 1801)}))
    assert verdict == Passed(evidence="its agent is silent for 30m; longer than unreachable_after 30m", lost=30)


def test_a_node_no_longer_declared_has_no_limit_to_its_silence() -> None:
    assert isinstance(asked(training(a_spec(nodes=0), reports={NODE: a_report(at=NOW - 3000)})), First)


def test_a_failed_status_check_alone_passes_nothing() -> None:
    assert isinstance(asked(training(machines=(a_machine(impaired=True),))), First)


def test_a_silent_agent_whose_loss_is_allowed_passes_with_what_was_unsaved() -> None:
    assert asked(silent(allowances=ALLOWED)) == Passed(evidence="loss allowed by an operator", lost=30)


def test_an_allowance_does_not_spare_a_live_agent_from_being_asked() -> None:
    assert isinstance(asked(training(allowances=ALLOWED)), First)


def test_a_machine_that_is_off_with_an_open_attempt_is_refused() -> None:
    verdict = asked(training(machines=(a_machine(state=InstanceState.STOPPED),)))
    assert isinstance(verdict, Refused)
    assert "off" in verdict.evidence


def test_a_machine_that_is_off_passes_under_force() -> None:
    verdict = asked(training(FORCE, machines=(a_machine(state=InstanceState.STOPPED),)))
    assert verdict == Passed(evidence="it is off; without_checkpoint: force", lost=30)


def test_a_machine_that_is_off_and_was_saved_passes() -> None:
    assert isinstance(asked(rested(machines=(a_machine(state=InstanceState.STOPPED),))), Passed)


def test_the_claim_carries_the_grace_and_policy_of_a_node_no_longer_declared() -> None:
    order = an_order(assignment=an_assignment(grace=7.0))
    verdict = asked(training(a_spec(nodes=0), orders={NODE: order}))
    assert isinstance(verdict, First)
    assert [step.claim.grace for step in verdict.steps if isinstance(step, Claim)] == [7.0]


def test_an_attempt_that_is_still_starting_is_drained_too() -> None:
    run = a_run(an_attempt(started_at=None, from_step=None), state=RunState.STARTING)
    assert isinstance(asked(training(runs={RUN: run}, reports={NODE: an_idle_report()})), First)

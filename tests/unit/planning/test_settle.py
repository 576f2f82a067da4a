"""What an observation means for the records: only evidence ends an attempt, losses are booked once."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.holds import HoldKind
from lifecycle.model.money import Meter
from lifecycle.model.plan import Facts
from lifecycle.model.records import Attempt, Outcome, Phase, Reached, Run
from lifecycle.model.states import Cause, InstanceState, RunState
from lifecycle.model.world import Machine, Observed
from lifecycle.planning.receipts import eligible
from lifecycle.planning.settle import apply_facts, newest, settle
from lifecycle.planning.untold import NO_LAST_WORD
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_claim,
    a_hold,
    a_machine,
    a_notice,
    a_receipt,
    a_report,
    a_run,
    a_shortage,
    an_allowance,
    an_attempt,
    an_end,
    an_idle_report,
    an_incarnation,
    but,
    rested,
    training,
)
from tests.unit.planning.reading import watched

GONE = a_machine(state=InstanceState.TERMINATED, cause=Cause.SPOT, ended_at=NOW - 3)
TWIN = but(GONE, id="m0")
GIVEN = an_attempt(number=2, started_at=None, from_step=None)


def settled(observed: Observed, now: float = NOW) -> Run:
    """The run as this observation leaves it."""
    observed = watched(observed, now)
    return apply_facts(observed, settle(observed, now)).runs[RUN]


def last(observed: Observed, now: float = NOW) -> Attempt:
    attempt = settled(observed, now).attempt
    assert attempt is not None
    return attempt


def ended(receipt: Any = None, **changes: Any) -> Observed:
    """The agent says how its attempt ended."""
    end = an_end(**({"receipt": receipt} if receipt else {}), **changes)
    return training(reports={NODE: an_idle_report(ended=end)})


def restarted(from_step: int, reached: Reached | None, **run: Any) -> Observed:
    """Attempt 2 has just started from this step."""
    report = a_report(attempt=2, from_step=from_step, started_at=NOW - 5, step=from_step)
    starting = a_run(GIVEN, state=RunState.STARTING, reached=reached, **run)
    return training(runs={RUN: starting}, reports={NODE: report})


def up_to(step: int, cause: Cause = Cause.SPOT, *, exact: bool = True) -> Reached:
    return Reached(attempt=1, step=step, cause=cause, exact=exact)


def test_nothing_new_settles_nothing() -> None:
    assert settle(training(), NOW) == Facts()


def test_machines_that_could_not_be_read_settle_nothing() -> None:
    observed = training(
        machines=None, reports={}, drains={NODE: a_claim(expires_at=NOW - 1)}, holds=(a_hold(until=NOW),)
    )
    assert settle(observed, NOW) == Facts()


# The agent's own word


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome.COMPLETED, RunState.COMPLETED),
        (Outcome.STOPPED, RunState.STOPPED),
        (Outcome.INTERRUPTED, RunState.INTERRUPTED),
        (Outcome.FAILED, RunState.FAILED),
        (Outcome.VOID, RunState.INTERRUPTED),
    ],
)
def test_an_attempt_ends_as_its_agent_judged_it(outcome: Outcome, state: RunState) -> None:
    run = settled(ended(outcome=outcome))
    assert (run.state, run.attempt.outcome if run.attempt else None) == (state, outcome)


def test_an_end_is_booked_with_its_proof() -> None:
    attempt = last(ended(spared=30, detail="asked to stop"))
    assert (attempt.to_step, attempt.ended_at, attempt.cause) == (130, NOW - 2, Cause.OPERATOR)
    assert (attempt.receipt, attempt.spared_steps, attempt.detail) == (a_receipt(130), 30, "asked to stop")


@pytest.mark.parametrize("other", [{"attempt": 7}, {"run": "f.t.other.0"}])
def test_the_end_of_another_attempt_or_run_ends_nothing(other: dict[str, Any]) -> None:
    report = a_report(ended=an_end(**other))
    assert settle(training(reports={NODE: report}), NOW).runs == ()


def test_the_report_of_another_incarnation_ends_nothing() -> None:
    report = an_idle_report(instance="m0", incarnation=0, ended=an_end())
    assert last(training(reports={NODE: report})).open


def test_a_forced_end_records_the_range_of_steps_that_is_gone() -> None:
    assert last(ended(a_receipt(100), forced=True)).forced == (100, 130)


def test_a_forced_end_without_any_save_records_everything_since_its_start() -> None:
    report = an_idle_report(ended=an_end(forced=True, receipt=None, from_step=50))
    assert last(training(reports={NODE: report})).forced == (50, 130)


def test_a_result_is_kept_when_the_run_completed() -> None:
    assert settled(ended(outcome=Outcome.COMPLETED, result={"loss": 0.1})).result == {"loss": 0.1}


def test_a_result_is_not_taken_from_a_run_that_did_not_complete() -> None:
    assert settled(ended(outcome=Outcome.FAILED, result={"loss": 0.1})).result is None


def test_an_end_that_came_together_with_its_start_counts_as_started() -> None:
    run = a_run(an_attempt(started_at=None, from_step=None), state=RunState.STARTING)
    attempt = last(training(runs={RUN: run}, reports={NODE: an_idle_report(ended=an_end())}))
    assert (attempt.started_at, attempt.from_step) == (NOW - 3600, 0)


def test_an_end_remembers_how_far_it_got() -> None:
    assert settled(ended()).reached == up_to(130, Cause.OPERATOR)


def test_a_completed_attempt_leaves_nothing_to_do_again() -> None:
    assert settled(ended(outcome=Outcome.COMPLETED)).reached is None


def test_an_attempt_that_never_started_leaves_what_was_reached_before() -> None:
    run = a_run(GIVEN, state=RunState.STARTING, reached=up_to(130))
    end = an_end(attempt=2, outcome=Outcome.VOID, started_at=None, from_step=None, step=None, receipt=None)
    observed = training(runs={RUN: run}, reports={NODE: an_idle_report(ended=end)})
    assert settled(observed).reached == up_to(130)


# A machine that went without a last word


def test_a_terminated_machine_ends_its_attempt() -> None:
    attempt = last(training(machines=(GONE,)))
    assert (attempt.outcome, attempt.cause, attempt.ended_at) == (Outcome.INTERRUPTED, Cause.SPOT, NOW - 3)
    assert (attempt.to_step, attempt.exact, attempt.detail) == (130, False, NO_LAST_WORD)


def test_the_last_word_of_the_agent_outweighs_the_end_of_its_machine() -> None:
    report = an_idle_report(ended=an_end())
    assert last(training(machines=(GONE,), reports={NODE: report})).outcome is Outcome.STOPPED


def test_an_attempt_that_never_started_on_a_terminated_machine_is_void() -> None:
    run = a_run(an_attempt(started_at=None), state=RunState.STARTING)
    attempt = last(training(machines=(GONE,), runs={RUN: run}, reports={}))
    assert (attempt.outcome, attempt.to_step) == (Outcome.VOID, None)


def test_without_a_word_of_the_provider_the_notice_is_the_cause() -> None:
    gone = a_machine(state=InstanceState.TERMINATED)
    report = a_report(notice=a_notice(Cause.MAINTENANCE))
    assert last(training(machines=(gone,), reports={NODE: report})).cause is Cause.MAINTENANCE


@pytest.mark.parametrize(("silence", "cause"), [(10.0, Cause.OPERATOR), (60.0, Cause.HARDWARE)])
def test_who_ends_a_machine_that_was_silent_for_long_did_not_end_its_attempt(silence: float, cause: Cause) -> None:
    gone = a_machine(state=InstanceState.TERMINATED, cause=Cause.OPERATOR, ended_at=NOW - 3)
    report = a_report(at=NOW - 3 - silence)
    assert last(training(machines=(gone,), reports={NODE: report})).cause is cause


def test_without_any_word_hardware_is_the_cause() -> None:
    assert last(training(machines=(a_machine(state=InstanceState.TERMINATED),))).cause is Cause.HARDWARE


@pytest.mark.parametrize("state", [s for s in InstanceState if s is not InstanceState.TERMINATED])
def test_a_machine_in_any_other_state_ends_no_attempt(state: InstanceState) -> None:
    silent = a_report(at=NOW - 9000)
    machine = a_machine(state=state, impaired=True)
    assert last(training(machines=(machine,), reports={NODE: silent})).open


@pytest.mark.parametrize("twins", [(a_machine(), TWIN), (TWIN, a_machine())])
def test_of_two_machines_of_one_incarnation_the_live_one_counts(twins: tuple[Machine, ...]) -> None:
    observed = training(machines=twins)
    assert last(observed).open
    assert settle(observed, NOW) == Facts()


def test_a_machine_missing_from_a_full_list_is_not_gone_while_its_agent_speaks() -> None:
    assert last(training(machines=())).open


def test_a_machine_missing_and_silent_for_a_minute_is_not_yet_gone() -> None:
    assert last(training(machines=(), reports={NODE: a_report(at=NOW - 60)})).open


def test_a_machine_missing_and_silent_for_longer_is_gone() -> None:
    attempt = last(training(machines=(), reports={NODE: a_report(at=NOW - 61)}))
    assert (attempt.outcome, attempt.ended_at) == (Outcome.INTERRUPTED, NOW)


def test_a_machine_missing_whose_claim_is_young_is_not_gone() -> None:
    claim = an_incarnation(claimed_at=NOW - 30)
    observed = training(machines=(), reports={}, incarnations={(NODE, 1): claim})
    assert last(observed).open


def test_an_attempt_given_out_a_moment_ago_is_not_gone() -> None:
    run = a_run(an_attempt(given_at=NOW - 30, started_at=None), state=RunState.STARTING)
    assert last(training(machines=(), reports={}, runs={RUN: run})).open


# Failures in a row


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.INTERRUPTED])
def test_a_failure_without_a_newer_receipt_adds_to_those_of_its_cause(outcome: Outcome) -> None:
    end = an_end(outcome=outcome, cause=Cause.SPOT, receipt=None)
    run = a_run(failures={"spot": 2, "user_error": 1}, mark=(1, 100))
    observed = training(runs={RUN: run}, reports={NODE: an_idle_report(ended=end)})
    assert settled(observed).failures == {"spot": 3, "user_error": 1}


def test_a_newer_receipt_clears_the_failures_first() -> None:
    end = an_end(outcome=Outcome.FAILED, cause=Cause.USER_ERROR, receipt=a_receipt(130))
    run = a_run(failures={"spot": 2, "user_error": 1}, mark=(1, 100))
    found = settled(training(runs={RUN: run}, reports={NODE: an_idle_report(ended=end)}))
    assert (found.failures, found.mark) == ({"user_error": 1}, (1, 130))


def test_the_receipt_of_the_mark_itself_clears_nothing() -> None:
    end = an_end(outcome=Outcome.FAILED, cause=Cause.USER_ERROR, receipt=a_receipt(100))
    run = a_run(failures={"user_error": 1}, mark=(1, 100))
    found = settled(training(runs={RUN: run}, reports={NODE: an_idle_report(ended=end)}))
    assert (found.failures, found.mark) == ({"user_error": 2}, (1, 100))


def test_a_stop_on_request_is_no_failure() -> None:
    assert settled(ended(outcome=Outcome.STOPPED)).failures == {}


def test_a_machine_that_vanished_counts_with_the_receipt_it_told_of() -> None:
    found = settled(training(machines=(GONE,), runs={RUN: a_run(failures={"spot": 5})}))
    assert (found.failures, found.mark) == ({"spot": 1}, (1, 100))


# Lost steps


def test_lost_steps_are_booked_when_the_next_attempt_starts() -> None:
    run = settled(restarted(100, up_to(130)))
    assert (run.lost, run.attempt.lost_steps if run.attempt else None, run.reached) == ({"spot": 30}, 30, None)


def test_lost_steps_after_a_notice_are_exact() -> None:
    assert settled(restarted(100, up_to(130))).lost_exact


def test_lost_steps_after_a_sudden_death_are_a_lower_bound() -> None:
    assert not settled(restarted(100, up_to(130, exact=False))).lost_exact


def test_a_lower_bound_stays_one() -> None:
    assert not settled(restarted(100, up_to(130), lost_exact=False)).lost_exact


def test_lost_steps_add_up_by_cause() -> None:
    run = settled(restarted(100, up_to(130), lost={"spot": 5, "operator": 7}))
    assert run.lost == {"spot": 35, "operator": 7}


def test_a_start_from_where_it_was_loses_nothing() -> None:
    assert settled(restarted(130, up_to(130))).lost == {}


def test_a_start_from_beyond_the_last_reported_step_loses_nothing() -> None:
    assert settled(restarted(140, up_to(130))).lost == {}


def test_a_start_from_the_beginning_loses_everything() -> None:
    assert settled(restarted(0, up_to(130))).lost == {"spot": 130}


def test_the_first_start_loses_nothing() -> None:
    assert settled(restarted(0, None)).lost == {}


def test_lost_steps_are_booked_once() -> None:
    observed = restarted(100, up_to(130))
    first = apply_facts(observed, settle(observed, NOW))
    assert settle(first, NOW + 1).runs == ()


def test_a_start_is_told_with_what_it_costs() -> None:
    (entry,) = settle(restarted(100, up_to(130, exact=False)), NOW).entries
    assert entry.what == "trainer started"
    assert entry.result == (
        "attempt 2 on incarnation 1 from step 100; at least 30 steps to do again, booked to spot"
    )


def test_an_end_that_the_agent_did_not_live_to_see_is_told() -> None:
    (entry,) = settle(training(machines=(GONE,)), NOW).entries
    assert (entry.what, entry.evidence, entry.cause) == ("attempt 1 interrupted", NO_LAST_WORD, Cause.SPOT)


def test_an_end_that_the_agent_told_itself_is_not_told_twice() -> None:
    assert settle(ended(), NOW).entries == ()


# What a run is seen to do


@pytest.mark.parametrize(
    ("phase", "state"),
    [
        (Phase.IDLE, RunState.STARTING),
        (Phase.RESTORING, RunState.STARTING),
        (Phase.TRAINING, RunState.TRAINING),
        (Phase.SAVING, RunState.CHECKPOINTING),
        (Phase.SHIPPING, RunState.CHECKPOINTING),
    ],
)
def test_a_run_is_in_the_state_that_its_agent_reports(phase: Phase, state: RunState) -> None:
    assert settled(training(reports={NODE: a_report(phase=phase)})).state is state


def test_a_report_of_an_earlier_attempt_does_not_make_the_new_one_train() -> None:
    run = a_run(GIVEN, state=RunState.STARTING)
    assert settled(training(runs={RUN: run})).state is RunState.STARTING


def test_the_run_on_a_machine_that_is_off_is_interrupted_and_its_attempt_open() -> None:
    run = settled(training(machines=(a_machine(state=InstanceState.STOPPED),)))
    assert run.state is RunState.INTERRUPTED
    assert run.attempt == an_attempt()


def test_it_stays_so_when_the_machine_was_started_again_until_its_agent_reports() -> None:
    """What it said before it went off says nothing of now."""
    observed = training(machines=(a_machine(launched_at=NOW - 60),))
    assert settled(but(observed, reports={NODE: a_report(at=NOW - 61)})).state is RunState.INTERRUPTED
    assert settled(but(observed, reports={NODE: a_report(at=NOW - 1)})) == a_run()


def test_a_jump_that_the_table_of_states_lacks_is_recorded() -> None:
    run = a_run(state=RunState.COMPLETED)
    assert settled(training(runs={RUN: run})).state is RunState.TRAINING


# Claims, holds, allowances, rejections


def test_a_creation_claim_learns_its_machine() -> None:
    observed = training(incarnations={(NODE, 1): an_incarnation(instance=None)})
    assert settle(observed, NOW).incarnations == (an_incarnation(),)


def _booked(ago: float) -> Meter:
    """Of a machine that was launched an hour ago."""
    return Meter(rate=0.0, hours=(3600 - ago) / 3600, booked=True, first=True)


def test_a_creation_claim_learns_when_and_why_its_machine_ended() -> None:
    facts = settle(training(machines=(GONE,)), NOW)
    assert facts.incarnations == (an_incarnation(ended_at=NOW - 3, cause=Cause.SPOT, meter=_booked(3)),)


def test_a_claim_that_a_persons_update_ended_learns_why() -> None:
    ended = {(NODE, 1): an_incarnation(ended_at=NOW - 9)}
    facts = settle(training(machines=(GONE,), incarnations=ended), NOW)
    assert facts.incarnations == (an_incarnation(ended_at=NOW - 9, cause=Cause.SPOT, meter=_booked(9)),)


def test_a_machine_without_a_claim_makes_none() -> None:
    assert settle(training(incarnations={}), NOW).incarnations == ()


@pytest.mark.parametrize("claim", [a_claim(expires_at=NOW), a_claim(instance="m0")])
def test_a_drain_that_has_run_out_or_names_a_machine_that_is_gone_is_released(claim: Any) -> None:
    assert settle(training(drains={NODE: claim}), NOW).released == (NODE,)


def test_a_drain_under_way_is_kept() -> None:
    assert settle(training(drains={NODE: a_claim()}), NOW).released == ()


@pytest.mark.parametrize("hold", [a_hold(until=NOW), a_hold(HoldKind.REPLACE, instance="m0")])
def test_a_hold_that_is_over_or_whose_machine_was_replaced_is_spent(hold: Any) -> None:
    assert settle(training(holds=(hold,)), NOW).spent == (hold,)


@pytest.mark.parametrize("hold", [a_hold(), a_hold(instance="m0"), a_hold(HoldKind.REPLACE, instance="m1")])
def test_a_hold_that_still_binds_is_kept(hold: Any) -> None:
    assert settle(training(holds=(hold,)), NOW).spent == ()


def test_an_allowance_is_spent_with_its_machine() -> None:
    allowances = {"m0": an_allowance(instance="m0"), "m1": an_allowance()}
    assert settle(training(allowances=allowances), NOW).spent_allowances == ("m0",)


def test_a_checkpoint_that_failed_its_digests_is_rejected_once() -> None:
    bad = a_receipt(90)
    observed = training(reports={NODE: a_report(rejected=(bad,))})
    facts = settle(observed, NOW)
    assert (facts.rejections, settle(apply_facts(observed, facts), NOW).rejections) == ((bad,), ())


def test_a_rejected_checkpoint_is_no_resume_point_from_then_on() -> None:
    observed = rested(reports={NODE: an_idle_report(rejected=(a_receipt(100),))})
    after = apply_facts(observed, settle(observed, NOW))
    assert eligible(after.receipts[RUN], after.rejections, None) == ()


@pytest.mark.parametrize(
    "observed",
    [
        ended(),
        training(machines=(GONE,)),
        training(machines=(), reports={}, incarnations={}),
        restarted(100, up_to(130)),
        training(drains={NODE: a_claim(instance="m0")}, holds=(a_hold(until=NOW),)),
        training(
            allowances={"m0": an_allowance(instance="m0")}, incarnations={(NODE, 1): an_incarnation(instance=None)}
        ),
        training(reports={NODE: a_report(rejected=(a_receipt(90),))}),
    ],
)
def test_what_was_settled_is_settled(observed: Observed) -> None:
    facts = settle(observed, NOW)
    assert facts != Facts()
    assert settle(apply_facts(observed, facts), NOW) == Facts()


def test_of_two_receipts_a_report_tells_of_the_greater_is_the_newest() -> None:
    report = a_report(receipt=a_receipt(100), ended=an_end(receipt=a_receipt(130)))
    assert newest(report) == a_receipt(130)


def test_a_report_without_receipts_has_no_newest() -> None:
    assert newest(an_idle_report()) is None


# Shortages, and machines that are twins


def test_a_shortage_is_over_once_a_machine_was_made_of_that_choice() -> None:
    made = a_machine(launched_at=NOW - 10)
    shortage = a_shortage()
    facts = settle(training(machines=(made,), shortages=(shortage,)), NOW)
    assert facts.over == (shortage,)
    assert apply_facts(training(shortages=(shortage,)), facts).shortages == ()


def test_a_shortage_stays_while_no_machine_was_made_since() -> None:
    assert settle(training(shortages=(a_shortage(),)), NOW).over == ()


def test_of_two_live_machines_of_one_incarnation_the_one_on_record_stays_on_record() -> None:
    copy = a_machine(id="m9")
    assert settle(training(machines=(a_machine(), copy)), NOW).incarnations == ()

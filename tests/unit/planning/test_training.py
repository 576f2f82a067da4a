"""Rules about runs: attempts given out once, orders repeated, saves asked for, changes saved first."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.fleet import FleetSpec, Market, OnCompletion, WithoutCheckpoint
from lifecycle.model.hours import Hours
from lifecycle.model.plan import Claim, GiveOut, Instruct, Kind, Release
from lifecycle.model.records import Desired, DrainOutcome, Outcome, Phase
from lifecycle.model.states import Cause, RunState
from lifecycle.model.world import Observed
from lifecycle.planning.attempts import backoff
from lifecycle.planning.training import RESUME_CANDIDATES
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_claim,
    a_machine,
    a_placement,
    a_receipt,
    a_record,
    a_report,
    a_run,
    a_spec,
    an_answer,
    an_assignment,
    an_attempt,
    an_ended_attempt,
    an_idle_report,
    an_order,
    but,
    rested,
    training,
)
from tests.unit.planning.reading import action, planned, refusal, step, steps, waiting

CHANGED = a_spec(train={"command": ["python", "better.py"]})
LIMITED = a_spec(checkpoint={"max_lost_work": "10m"})


def changed(**changes: Any) -> Observed:
    """Its train section was changed while it trains."""
    return training(record=a_record(CHANGED, generation=2), **changes)


def fresh(spec: FleetSpec | None = None, **changes: Any) -> Observed:
    """A machine that is ready and has never trained."""
    return training(spec, **{"runs": {}, "orders": {}, "reports": {NODE: an_idle_report()}, **changes})


def last_saved(seconds: float, **changes: Any) -> Observed:
    """The newest checkpoint is this old, ten minutes are allowed."""
    return training(LIMITED, **{"reports": {NODE: a_report(receipt=a_receipt(100, at=NOW - seconds))}, **changes})


def test_a_node_that_trains_as_declared_needs_nothing() -> None:
    assert planned(training()).settled


# The first attempt and the next


def test_a_ready_machine_gets_the_first_attempt() -> None:
    given = step(fresh(), GiveOut)
    assert given.attempt == an_attempt(given_at=NOW, started_at=None, from_step=None)


def test_the_first_attempt_starts_a_run_of_the_declared_name() -> None:
    run = step(fresh(a_spec(train={"hyperparameters": {"lr": 0.1}})), GiveOut).run
    assert (run.run, run.name, run.nodes, run.state) == (RUN, "main", (NODE,), RunState.STARTING)
    assert run.hyperparameters == {"lr": 0.1}


def test_the_first_start_says_that_it_is_the_first() -> None:
    found = action(fresh())
    assert (found.kind, found.reason.cause, found.reason.evidence) == (
        Kind.START,
        "spec",
        f"run {RUN} has never trained",
    )


def test_a_runs_clock_starts_when_its_first_attempt_is_given_out() -> None:
    run = step(fresh(), GiveOut).run
    assert run.hours == Hours(began=NOW, until=NOW, losing_to=Cause.CONTROLLER)


def test_a_second_attempt_does_not_start_the_clock_anew() -> None:
    hours = Hours(training=5.0, began=NOW - 9, until=NOW - 4, losing_to=Cause.SPOT)
    run = a_run(an_ended_attempt(), state=RunState.STOPPED, hours=hours)
    assert step(rested(runs={RUN: run}), GiveOut).run.hours == hours


def test_the_order_names_secrets_and_never_what_they_hold() -> None:
    spec = but(a_spec(), secrets={"KEY": "arn:aws:secretsmanager:us-east-1:1:secret:k"})
    assert step(fresh(spec), GiveOut).order.assignment.secrets == spec.secrets


@pytest.mark.parametrize(("budget", "watched"), [({}, False), ({"idle_stop": "10m"}, True)])
def test_the_use_of_a_machine_is_measured_where_idle_stop_is_set(budget: dict[str, str], watched: bool) -> None:
    assert step(fresh(a_spec(budget=budget)), GiveOut).order.assignment.watch_use is watched


def test_the_order_authorises_exactly_that_attempt() -> None:
    order = step(fresh(), GiveOut).order
    assert (order.number, order.incarnation, order.desired) == (1, 1, Desired.TRAINING)
    assert (order.assignment.run, order.assignment.attempt) == (RUN, 1)


def test_the_order_carries_all_that_the_agent_needs() -> None:
    spec = a_spec(
        train={"env": {"A": "1"}, "hyperparameters": {"lr": 0.1}, "on_completion": "stop"},
        checkpoint={"directory": "out", "keep": 5, "save_time": "9s"},
        stop={"grace": "7s", "without_checkpoint": "force"},
    )
    assignment = step(fresh(spec), GiveOut).order.assignment
    assert assignment == an_assignment(
        env={"A": "1"},
        hyperparameters={"lr": 0.1},
        checkpoint_directory="out",
        keep=5,
        save_time=9.0,
        grace=7.0,
        policy=WithoutCheckpoint.FORCE,
        fingerprint=assignment.fingerprint,
        on_completion=OnCompletion.STOP,
    )


@pytest.mark.parametrize(
    ("workdir", "there"), [(".", "/specs"), ("sub/x", "/specs/sub/x"), ("../up", "/up"), ("/abs", "/abs")]
)
def test_a_local_workdir_is_relative_to_the_spec_file(workdir: str, there: str) -> None:
    assert step(fresh(a_spec(train={"workdir": workdir})), GiveOut).order.assignment.workdir == there


def test_a_stopped_run_goes_on_from_its_newest_checkpoint() -> None:
    given = step(rested(), GiveOut)
    assert (given.attempt.number, given.order.number) == (2, 2)
    assert given.order.assignment.resume == (a_receipt(100),)


def test_going_on_says_what_ended_the_last_attempt_and_from_where() -> None:
    reason = action(rested()).reason
    assert (reason.cause, reason.evidence) == (Cause.OPERATOR, "attempt 1 ended stopped; goes on from step 100")


def test_without_a_checkpoint_it_starts_over_and_says_so() -> None:
    attempt = an_ended_attempt(outcome=Outcome.INTERRUPTED, cause=Cause.SPOT, receipt=None)
    assert action(rested(attempt=attempt)).reason.evidence.endswith("goes on from the beginning")


def test_resume_never_offers_no_checkpoint() -> None:
    assert step(rested(a_spec(train={"resume": "never"})), GiveOut).order.assignment.resume == ()


def test_resume_manual_waits_for_a_person() -> None:
    assert planned(rested(a_spec(train={"resume": "manual"}))).settled


def test_resume_manual_goes_on_when_a_person_says_so() -> None:
    spec = a_spec(train={"resume": "manual"})
    run = a_run(an_ended_attempt(spec), state=RunState.STOPPED, allowed=2)
    assert step(rested(spec, runs={RUN: run}), GiveOut).attempt.number == 2


def test_an_order_offers_the_newest_few_checkpoints() -> None:
    receipts = tuple(a_receipt(number) for number in range(30, 110, 10))
    offered = step(rested(receipts={RUN: receipts}), GiveOut).order.assignment.resume
    assert [receipt.step for receipt in offered] == [100, 90, 80, 70, 60]
    assert len(offered) == RESUME_CANDIDATES


def test_a_new_epoch_remembers_what_was_eligible_when_it_was_given_out() -> None:
    receipts = (a_receipt(100), a_receipt(90))
    assert step(rested(receipts={RUN: receipts}), GiveOut).attempt.earlier == ("digest-1-100", "digest-1-90")


def test_a_damaged_checkpoint_is_not_offered() -> None:
    observed = rested(receipts={RUN: (a_receipt(100), a_receipt(90))}, rejections=frozenset({"digest-1-100"}))
    assert [r.step for r in step(observed, GiveOut).order.assignment.resume] == [90]


def test_an_attempt_is_of_the_market_of_its_machine() -> None:
    machine = a_machine(market=Market.ON_DEMAND)
    assert step(fresh(machines=(machine,)), GiveOut).attempt.market is Market.ON_DEMAND


def test_failures_are_kept_over_a_start() -> None:
    run = a_run(an_ended_attempt(), state=RunState.STOPPED, failures={"spot": 3})
    assert step(rested(runs={RUN: run}), GiveOut).run.failures == {"spot": 3}


def test_a_changed_train_section_starts_with_a_clean_slate() -> None:
    run = a_run(an_ended_attempt(), state=RunState.STOPPED, failures={"user_error": 3})
    given = step(rested(CHANGED, attempt=an_ended_attempt(), runs={RUN: run}), GiveOut)
    assert given.run.failures == {}


def test_a_run_under_another_name_starts_from_its_own_beginning() -> None:
    given = step(rested(record=a_record(a_spec(train={"run": "second"}))), GiveOut)
    assert (given.attempt.run, given.attempt.number) == ("f.t.second.0", 1)
    assert given.order.assignment.resume == ()


def test_another_run_name_saves_and_stops_the_run_that_trains_first() -> None:
    spec = a_spec(train={"run": "next"})
    observed = training(spec, runs={RUN: a_run()})
    assert (action(observed).kind, steps(observed)) == (Kind.STOP, ["Claim"])
    assert action(observed).reason.evidence.startswith(f"it trains {RUN}, declared is f.t.next.0")


SEEMED_GONE = {"outcome": Outcome.INTERRUPTED, "cause": Cause.HARDWARE, "witnessed": False, "ended_at": NOW - 99}


def test_what_trains_although_its_machine_seemed_gone_is_saved_and_stopped_first() -> None:
    observed = training(runs={RUN: a_run(an_attempt(**SEEMED_GONE), state=RunState.INTERRUPTED)})
    assert (action(observed).kind, steps(observed)) == (Kind.STOP, ["Claim"])
    assert action(observed).reason.evidence.startswith("it trains attempt 1, whose machine seemed gone")


def test_and_the_next_attempt_starts_once_it_has_ended() -> None:
    over = a_run(an_attempt(**SEEMED_GONE), state=RunState.INTERRUPTED)
    observed = rested(runs={RUN: over}, receipts={RUN: (a_receipt(100),)})
    assert steps(observed) == ["GiveOut"]


def test_an_attempt_on_a_machine_not_known_as_gone_holds_back_the_next() -> None:
    second = a_machine(id="m2", incarnation=2)
    observed = training(
        machines=(second,),
        placements={NODE: a_placement(incarnation=2)},
        reports={NODE: an_idle_report(instance="m2", incarnation=2)},
    )
    assert waiting(observed).what == "attempt 1 on incarnation 1 to be known as ended"


@pytest.mark.parametrize("report", [an_idle_report(ready=False), an_idle_report(phase=Phase.SHIPPING)])
def test_an_agent_that_still_ships_is_given_no_attempt(report: Any) -> None:
    assert waiting(rested(reports={NODE: report})).what == "its agent to be ready"


def test_a_backed_off_run_waits_on_its_machine() -> None:
    spec = a_spec(budget={"retries": {"user_error": 9}})
    attempt = an_ended_attempt(outcome=Outcome.FAILED, cause=Cause.USER_ERROR, ended_at=NOW)
    run = a_run(attempt, state=RunState.FAILED, failures={"user_error": 2})
    assert waiting(rested(spec, runs={RUN: run})).until == NOW + backoff(2, f"{RUN}#1")


def test_the_drain_of_somebody_else_holds_back_the_next_attempt() -> None:
    wait = waiting(rested(drains={NODE: a_claim(by="pulumi up (pid 7)")}))
    assert (wait.what, wait.until) == ("the drain by pulumi up (pid 7) to end", NOW + 600)


def test_our_own_finished_drain_is_given_back_before_the_next_attempt() -> None:
    assert steps(rested(drains={NODE: a_claim()})) == ["Release", "GiveOut"]


def test_a_drain_of_ours_that_has_run_out_holds_nothing_back() -> None:
    assert steps(rested(drains={NODE: a_claim(expires_at=NOW)})) == ["GiveOut"]


# An attempt under way


def test_an_attempt_given_out_without_its_order_is_ordered_again() -> None:
    observed = training(
        orders={},
        runs={RUN: a_run(an_attempt(started_at=None), state=RunState.STARTING)},
        reports={NODE: an_idle_report()},
    )
    order = step(observed, Instruct).order
    assert (order.number, order.assignment.attempt, order.desired) == (1, 1, Desired.TRAINING)


def test_an_order_for_the_attempt_before_is_overtaken() -> None:
    attempt = an_attempt(number=2, started_at=None)
    observed = training(runs={RUN: a_run(attempt, state=RunState.STARTING)}, reports={NODE: an_idle_report()})
    order = step(observed, Instruct).order
    assert (order.number, order.assignment.attempt) == (2, 2)


def test_an_order_written_again_gives_out_no_epoch() -> None:
    found = action(training(orders={}))
    assert found.reason.evidence == "attempt 1 was given out and not ordered"
    assert [type(each) for each in found.steps] == [Instruct]


def test_a_trainer_that_starts_is_waited_for() -> None:
    run = a_run(an_attempt(started_at=None), state=RunState.STARTING)
    observed = training(runs={RUN: run}, reports={NODE: a_report(phase=Phase.RESTORING)})
    assert waiting(observed).what == "its trainer to start"


def test_a_last_checkpoint_on_its_way_is_waited_for() -> None:
    wait = waiting(training(reports={NODE: a_report(phase=Phase.SHIPPING)}))
    assert wait.what == "its last checkpoint to be stored: its trainer has ended"


def test_our_drain_that_nothing_asks_for_is_given_back() -> None:
    found = action(training(drains={NODE: a_claim()}))
    assert (found.kind, [type(each) for each in found.steps]) == (Kind.RESUME, [Release])


def test_the_drain_of_somebody_else_is_never_given_back() -> None:
    assert planned(training(drains={NODE: a_claim(by="pulumi up (pid 7)")})).settled


# A changed train section


def test_a_changed_train_section_is_saved_before_it_is_stopped() -> None:
    found = action(changed())
    assert (found.kind, found.reason.cause, found.lost_steps) == (Kind.STOP, Cause.DRIFT, 30)
    assert step(changed(), Claim).claim.drain == "m1.drift.2"


def test_a_changed_train_section_that_was_saved_waits_for_the_end_of_the_attempt() -> None:
    observed = changed(reports={NODE: a_report(drained=an_answer(drain="m1.drift.2"))})
    assert waiting(observed).what == "its agent's word that the attempt has ended"


def test_a_changed_train_section_that_cannot_be_saved_trains_on_as_it_was() -> None:
    answer = an_answer(drain="m1.drift.2", outcome=DrainOutcome.REFUSED)
    observed = changed(reports={NODE: a_report(drained=answer)}, drains={NODE: a_claim(drain="m1.drift.2")})
    assert refusal(observed).guard == "without_checkpoint: refuse"
    assert steps(observed) == ["Release"]


def test_a_changed_train_section_goes_on_from_its_last_save() -> None:
    observed = rested(record=a_record(CHANGED, generation=2), drains={NODE: a_claim(drain="m1.drift.2")})
    given = step(observed, GiveOut)
    assert given.order.assignment.command == ("python", "better.py")
    assert given.order.assignment.resume == (a_receipt(100),)


def test_another_resume_policy_disturbs_no_trainer() -> None:
    assert planned(training(record=a_record(a_spec(train={"resume": "manual"}), generation=2))).settled


# max_lost_work


def test_a_checkpoint_that_is_too_old_asks_for_a_save() -> None:
    order = step(last_saved(601), Instruct).order
    assert (order.desired, order.number, order.assignment) == (Desired.SAVED, 2, an_assignment())


def test_asking_for_a_save_says_how_old_the_checkpoint_is() -> None:
    found = action(last_saved(601))
    assert (found.kind, found.reason.cause) == (Kind.SAVE, "max_lost_work")
    assert found.reason.evidence == "its newest checkpoint is 10m old"


def test_a_checkpoint_that_is_young_enough_asks_for_nothing() -> None:
    assert planned(last_saved(599)).settled


def test_a_save_is_asked_for_once() -> None:
    asked = step(last_saved(601), Instruct).order
    assert planned(last_saved(601, orders={NODE: asked}), NOW + 20).settled


def test_a_save_that_did_not_come_is_asked_for_again_after_another_span() -> None:
    asked = step(last_saved(601), Instruct).order
    later = last_saved(
        601, orders={NODE: asked}, reports={NODE: a_report(at=NOW + 600, receipt=a_receipt(at=NOW - 601))}
    )
    assert step(later, Instruct, NOW + 600).order.save != asked.save


def test_without_any_checkpoint_the_age_is_counted_from_the_start() -> None:
    assert steps(training(LIMITED, reports={NODE: a_report(receipt=None)})) == ["Instruct"]


def test_a_checkpoint_of_an_earlier_attempt_does_not_make_a_young_one_overdue() -> None:
    run = a_run(an_attempt(LIMITED, started_at=NOW - 60))
    assert planned(last_saved(5000, runs={RUN: run})).settled


@pytest.mark.parametrize("phase", [Phase.SAVING, Phase.RESTORING])
def test_only_a_trainer_at_work_is_asked_to_save(phase: Phase) -> None:
    report = a_report(phase=phase, receipt=a_receipt(at=NOW - 5000))
    assert planned(last_saved(0, reports={NODE: report})).settled


def test_without_max_lost_work_nobody_is_asked() -> None:
    assert planned(training(reports={NODE: a_report(receipt=a_receipt(at=NOW - 5000))})).settled


def test_an_order_to_save_is_still_the_order_of_its_attempt() -> None:
    order = an_order(desired=Desired.SAVED, save="s1")
    assert planned(training(orders={NODE: order})).settled

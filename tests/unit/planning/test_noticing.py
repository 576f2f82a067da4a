"""What a run counts of its life: warnings, ends and restores, each once."""

from __future__ import annotations

from lifecycle.model.records import Outcome, Run
from lifecycle.model.states import Cause, RunState
from lifecycle.model.tally import Tally
from lifecycle.model.world import Observed
from lifecycle.planning.settle import apply_facts, settle
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_notice,
    a_report,
    a_run,
    an_attempt,
    an_end,
    an_idle_report,
    but,
    training,
)
from tests.gang_builders import GANG, NODES, gang_trains


def again(observed: Observed) -> Observed:
    """The world as one more look leaves it."""
    return apply_facts(observed, settle(observed, NOW))


def tally(observed: Observed, run: str = RUN) -> Tally:
    return again(observed).runs[run].tally


def warned(cause: Cause = Cause.SPOT, **changes: object) -> Observed:
    return training(reports={NODE: a_report(notice=a_notice(cause), **changes)})


def test_a_notice_is_counted_once_however_long_it_stands() -> None:
    assert tally(warned()).notices == {"spot": 1}
    assert tally(again(warned())).notices == {"spot": 1}


def test_a_second_notice_of_another_cause_is_counted_too() -> None:
    after = but(again(warned(Cause.REBALANCE)), reports=warned().reports)
    assert tally(after).notices == {"rebalance": 1, "spot": 1}


def test_a_notice_that_is_first_heard_of_with_the_attempts_end_is_counted() -> None:
    end = an_end(outcome=Outcome.INTERRUPTED, cause=Cause.SPOT)
    found = tally(training(reports={NODE: an_idle_report(notice=a_notice(), ended=end)}))
    assert (found.notices, found.ended) == ({"spot": 1}, {"spot": 1})


def test_a_notice_after_the_attempts_end_is_none_of_it() -> None:
    """History stays as it is."""
    over = again(training(reports={NODE: an_idle_report(ended=an_end())}))
    assert settle(but(over, reports={NODE: an_idle_report(notice=a_notice(), ended=an_end())}), NOW).runs == ()


def test_the_notice_of_another_incarnation_is_not_this_attempts() -> None:
    assert tally(warned(incarnation=0, instance="m0")).notices == {}


def test_each_rank_of_a_gang_is_warned_for_itself() -> None:
    world = gang_trains()
    reports = {node: but(report, notice=a_notice()) for node, report in world.reports.items()}
    told = but(world, reports=reports, heard={report.instance: report for report in reports.values()})
    assert tally(told, GANG).notices == {"spot": len(NODES)}
    assert tally(again(told), GANG).notices == {"spot": len(NODES)}


def test_an_attempt_that_completed_is_not_counted_among_the_ended() -> None:
    done = an_end(outcome=Outcome.COMPLETED, cause=None)
    assert tally(training(reports={NODE: an_idle_report(ended=done)})).ended == {}


def test_an_attempt_that_never_trained_is_not_counted_among_the_ended() -> None:
    end = an_end(attempt=2, outcome=Outcome.VOID, started_at=None, from_step=None, cause=Cause.CONTROLLER)
    assert tally(but(starting(), reports={NODE: an_idle_report(ended=end)})).ended == {}


def starting() -> Observed:
    """Attempt 2 was given out 40 s ago."""
    attempt = an_attempt(number=2, given_at=NOW - 40, started_at=None, from_step=None)
    return training(runs={RUN: a_run(attempt, state=RunState.STARTING)})


def started(from_step: int, at: float) -> Run:
    report = a_report(attempt=2, from_step=from_step, started_at=at, step=from_step)
    return again(but(starting(), reports={NODE: report})).runs[RUN]


def test_a_restore_takes_from_giving_out_to_the_trainers_start() -> None:
    run = started(100, NOW - 5)
    assert (run.tally.restores, run.tally.restore_seconds) == (1, 35)


def test_a_start_from_the_beginning_restores_nothing() -> None:
    assert started(0, NOW - 5).tally == Tally()


def test_a_restore_never_took_less_than_nothing() -> None:
    assert started(100, NOW - 60).tally.restore_seconds == 0

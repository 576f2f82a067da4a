"""A node's lane: its machines, attempts, saves, notices and holds, each in its time."""

from __future__ import annotations

from typing import Any

from lifecycle.model.holds import HoldKind
from lifecycle.model.journal import Entry, EntryKind
from lifecycle.model.past import Past
from lifecycle.model.records import Outcome
from lifecycle.model.states import Cause
from lifecycle.planning.lanes import Lane, Sign, lanes
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_hold,
    a_receipt,
    a_run,
    an_attempt,
    an_ended_attempt,
    an_incarnation,
    but,
    nothing_yet,
    training,
)
from tests.gang_builders import GANG, NODES, a_gang_attempt, a_gang_run, a_whole


def the_lane(*, entries: Any = (), holds: Any = (), observed: Any = None, **past: Any) -> Lane:
    found = lanes(observed or nothing_yet(runs={RUN: a_run()}), Past(**past), entries, holds)
    return found[NODE]


def told(what: str, at: float, **changes: Any) -> Entry:
    return Entry(**{"at": at, "kind": EntryKind.OBSERVED, "what": what, "node": NODE, **changes})


def test_machines_follow_each_other() -> None:
    first = an_incarnation(ended_at=NOW - 60)
    lane = the_lane(claims={NODE: (first, an_incarnation(number=2, claimed_at=NOW - 50))})
    assert [(stay.begin, stay.end) for stay in lane.stays] == [(NOW - 3600, NOW - 60), (NOW - 50, None)]


def test_a_machine_that_was_lost_sight_of_ends_where_the_next_begins() -> None:
    lane = the_lane(claims={NODE: (an_incarnation(), an_incarnation(number=2, claimed_at=NOW - 50))})
    assert lane.stays[0].end == NOW - 50


def test_a_claim_without_a_machine_is_no_stay() -> None:
    assert the_lane(claims={NODE: (an_incarnation(instance=None),)}).stays == ()


def test_an_attempt_that_lost_nothing_has_no_lost_stretch() -> None:
    lane = the_lane(attempts={RUN: (an_ended_attempt(), an_attempt(number=2))})
    assert [(trial.attempt, trial.lost_from) for trial in lane.trials][:1] == [(1, None)]


def test_work_that_was_done_again_was_lost_since_the_save_it_went_on_from() -> None:
    again = an_attempt(number=2, from_step=100, lost_steps=30, given_at=NOW - 30, started_at=NOW - 20)
    observed = nothing_yet(runs={RUN: a_run(again)})
    receipts = (a_receipt(50, at=NOW - 900), a_receipt(100, at=NOW - 600), a_receipt(120, at=NOW - 300))
    lane = the_lane(observed=observed, attempts={RUN: (an_ended_attempt(), again)}, receipts={RUN: receipts})
    assert lane.trials[0].lost_from == NOW - 600


def test_a_save_of_an_attempt_before_says_nothing_of_what_was_lost_later() -> None:
    second = an_ended_attempt(number=2, started_at=NOW - 500, from_step=100)
    third = an_attempt(number=3, from_step=100, lost_steps=30, given_at=NOW - 30, started_at=NOW - 20)
    observed = nothing_yet(runs={RUN: a_run(third)})
    attempts = (an_ended_attempt(), second, third)
    lane = the_lane(observed=observed, attempts={RUN: attempts}, receipts={RUN: (a_receipt(100, at=NOW - 600),)})
    assert {trial.attempt: trial.lost_from for trial in lane.trials}[2] == NOW - 500


def test_without_a_save_all_of_an_attempt_was_lost() -> None:
    again = an_attempt(number=2, from_step=0, lost_steps=100)
    observed = nothing_yet(runs={RUN: a_run(again)})
    lane = the_lane(observed=observed, attempts={RUN: (an_ended_attempt(), again)})
    assert {trial.attempt: trial.lost_from for trial in lane.trials}[1] == NOW - 3600


def test_the_newest_attempt_is_as_its_run_has_it() -> None:
    observed = nothing_yet(runs={RUN: a_run(an_ended_attempt(outcome=Outcome.INTERRUPTED, cause=Cause.SPOT))})
    (trial,) = the_lane(observed=observed, attempts={RUN: (an_attempt(),)}).trials
    assert (trial.outcome, trial.cause, trial.end) == ("interrupted", "spot", NOW - 60)


def test_saves_of_a_gang_are_in_the_lane_of_every_rank() -> None:
    observed = nothing_yet(runs={GANG: a_gang_run()})
    past = Past(attempts={GANG: (a_gang_attempt(),)}, receipts={GANG: (a_whole(at=NOW - 9),)})
    assert [lane.saves for lane in lanes(observed, past, (), ()).values()] == [(NOW - 9,)] * len(NODES)


def test_a_notice_is_what_an_agent_was_asked_for_by_the_provider() -> None:
    noticed = told("asked to save-and-exit", NOW - 5, cause="spot", evidence="spot notice")
    ordered = told("asked to save", NOW - 4, cause="operator")
    assert the_lane(entries=(noticed, ordered)).notices == (Sign(at=NOW - 5, cause="spot", said="spot notice"),)


def test_a_hold_that_was_lifted_is_told_by_the_journal() -> None:
    entries = (
        told("stop", NOW - 60, kind=EntryKind.COMMAND),
        told("stop lifted", NOW - 20, kind=EntryKind.COMMAND),
    )
    assert the_lane(entries=entries).holds == ((NOW - 60, NOW - 20),)


def test_a_hold_that_ran_out_is_too() -> None:
    entries = (told("stop", NOW - 60, kind=EntryKind.COMMAND), told("hold stop ran out", NOW - 20))
    assert the_lane(entries=entries).holds == ((NOW - 60, NOW - 20),)


def test_holds_that_stand_are_in_the_lanes_they_hold() -> None:
    holds = (a_hold(until=NOW + 9), a_hold(HoldKind.SUSPEND, node=None), a_hold(node="f/t/7"))
    assert the_lane(holds=holds).holds == ((NOW - 10, NOW + 9), (NOW - 10, None))


def test_what_keeps_a_node_running_is_no_hold_of_its_lane() -> None:
    assert the_lane(holds=(a_hold(HoldKind.START), a_hold(HoldKind.REHEARSE))).holds == ()


def test_a_hold_of_a_pool_holds_its_nodes() -> None:
    assert the_lane(holds=(a_hold(HoldKind.SCHEDULE, node="f/t"),)).holds == ((NOW - 10, None),)


def test_every_node_that_ever_was_has_a_lane_in_natural_order() -> None:
    claims = {f"f/t/{index}": (an_incarnation(node=f"f/t/{index}"),) for index in (10, 9)}
    assert list(lanes(training(), Past(claims=claims), (), ())) == [NODE, "f/t/9", "f/t/10"]


def test_an_attempt_that_never_started_ends_where_it_was_given_out() -> None:
    void = but(an_attempt(outcome=Outcome.VOID), started_at=None)
    observed = nothing_yet(runs={RUN: a_run(void)})
    (trial,) = the_lane(observed=observed, attempts={RUN: (void,)}).trials
    assert (trial.begin, trial.end) == (None, void.given_at)

"""Rules about the ranks of a gang: together or not at all, and one machine lost is one machine replaced."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.holds import HoldKind
from lifecycle.model.plan import Claim, Converge, GiveOut, Instruct, Kind, Release
from lifecycle.model.records import Desired, Outcome
from lifecycle.model.states import Cause, InstanceState, RunState
from lifecycle.model.world import Observed
from lifecycle.planning.gangs import port
from lifecycle.planning.planner import needs_receipts
from lifecycle.planning.ranks import LINGER
from lifecycle.planning.settle import apply_facts, settle
from tests.builders import NOW, a_claim, a_hold, a_notice, a_placement, a_record, an_answer, an_incarnation, but
from tests.gang_builders import (
    GANG,
    NODES,
    a_gang_attempt,
    a_gang_run,
    a_gang_spec,
    a_machine_of,
    a_whole,
    an_order_of,
    at_rest,
    at_work,
    ended,
    gang_rests,
    gang_trains,
    members,
    with_machine,
    with_report,
)
from tests.unit.planning.reading import action, planned, seen


def given_out(observed: Observed) -> GiveOut:
    (found,) = (s for a in planned(observed).actions for s in a.steps if isinstance(s, GiveOut))
    return found


def waits(observed: Observed) -> dict[str, str]:
    """What each node waits for, when nothing is done."""
    plan = planned(observed)
    assert plan.actions == ()
    return {waiting.node: waiting.what for waiting in plan.waiting}


def told(observed: Observed) -> Observed:
    """The world once its facts are written."""
    return apply_facts(observed, settle(observed, NOW))


def test_a_gang_that_trains_as_declared_needs_nothing() -> None:
    assert planned(gang_trains()).settled


# Starting together


def test_one_attempt_is_given_out_with_an_order_for_every_rank() -> None:
    given = given_out(gang_rests())
    assert (given.attempt.number, given.attempt.node) == (2, NODES[0])
    assert [(m.node, m.incarnation) for m in given.attempt.members] == [(node, 1) for node in NODES]
    orders = [given.order, *given.others]
    assert [(order.node, order.assignment.rank) for order in orders if order.assignment] == list(
        zip(NODES, range(3), strict=True)
    )
    assert given.run.nodes == NODES


def test_every_rank_is_told_where_rank_0_is_and_who_is_with_it() -> None:
    given = given_out(gang_rests())
    for order in (given.order, *given.others):
        assert order.assignment is not None
        told = order.assignment
        assert (told.count, told.master, told.port, told.nodes) == (3, "10.0.0.1", port(GANG, 2), NODES)


def test_a_gang_is_offered_one_checkpoint_only() -> None:
    observed = gang_rests(receipts={GANG: (a_whole(100), a_whole(50))})
    given = given_out(observed)
    assert {o.assignment.resume for o in (given.order, *given.others) if o.assignment} == {(a_whole(100),)}
    assert given.attempt.earlier == (a_whole(100).digest, a_whole(50).digest)


LACKING = {
    "no machine": lambda o: but(o, machines=tuple(m for m in o.machines if m.node != NODES[1])),
    "off": lambda o: with_machine(o, 1, state=InstanceState.STOPPING),
    "not heard yet": lambda o: but(o, reports={n: r for n, r in o.reports.items() if n != NODES[1]}),
    "silent": lambda o: with_report(o, at_rest(1, at=NOW - 100)),
    "noticed": lambda o: with_report(o, at_rest(1, notice=a_notice())),
    "drained by another": lambda o: but(o, drains={NODES[1]: a_claim(node=NODES[1], instance="m1", by="guard")}),
    "held": lambda o: but(o, holds=(a_hold(HoldKind.STOP, node=NODES[1]),)),
    "to be replaced": lambda o: but(o, holds=(a_hold(HoldKind.REPLACE, node=NODES[1], instance="m1"),)),
    "not ready": lambda o: with_report(o, at_rest(1, ready=False)),
}


@pytest.mark.parametrize("what", LACKING)
def test_no_rank_starts_before_every_rank_can(what: str) -> None:
    plan = planned(LACKING[what](gang_rests()))
    assert not [step for each in plan.actions for step in each.steps if isinstance(step, GiveOut)]
    waiting = {waiting.node: waiting.what for waiting in plan.waiting}
    assert waiting[NODES[0]].startswith(f"{NODES[1]}: ")
    assert waiting[NODES[2]] == waiting[NODES[0]]


def test_no_rank_starts_while_a_peer_has_anything_else_to_do() -> None:
    doubtful = an_incarnation(node=NODES[1], instance="m1", tried_at=NOW - 100)
    plan = planned(gang_rests(incarnations={(NODES[1], 1): doubtful}))
    assert [(each.kind, each.node) for each in plan.actions] == [(Kind.ADOPT, NODES[1])]
    assert {w.node: w.what for w in plan.waiting}[NODES[0]] == "f/t/1: its adopt"


def test_the_other_ranks_start_with_rank_0() -> None:
    plan = planned(gang_rests())
    assert [each.node for each in plan.actions] == [NODES[0]]
    assert {w.node: w.what for w in plan.waiting} == dict.fromkeys(NODES[1:], "the start with f/t/0")


def test_the_drains_of_all_ranks_end_with_the_start() -> None:
    claims = {NODES[rank]: a_claim(node=NODES[rank], instance=f"m{rank}") for rank in (1, 2)}
    steps = action(gang_rests(drains=claims)).steps
    assert [step.node for step in steps if isinstance(step, Release)] == list(NODES[1:])


def test_an_open_attempt_is_waited_for_by_name() -> None:
    half = with_report(gang_trains(), ended(0), ended(1))
    assert waits(told(half))[NODES[0]] == "attempt 1 to be known as ended on f/t/2"


def test_retries_and_back_off_are_the_gangs() -> None:
    patient = a_gang_spec(budget={"retries": {"user_error": 3}})
    fell = [ended(rank, Outcome.FAILED, cause=Cause.USER_ERROR, at=NOW, receipt=None) for rank in range(3)]
    run = a_gang_run(a_gang_attempt(patient), failures={"user_error": 1}, mark=(1, 100))
    observed = told(with_report(gang_trains(patient, runs={GANG: run}), *fell))
    assert set(waits(observed).values()) == {"backing off after failure 2 by user_error"}


# Some ordered, some not: the controller died between


def unordered(*ranks: int, **changes: Any) -> Observed:
    """Attempt 2 was given out; these ranks got no order."""
    attempt = a_gang_attempt(number=2, started_at=None, from_step=None, earlier=("digest-1-100", "digest-1-50"))
    orders = {node: an_order_of(i, attempt=1 if i in ranks else 2) for i, node in enumerate(NODES)}
    reports = {node: at_rest(rank) for rank, node in enumerate(NODES)}
    run = a_gang_run(attempt, state=RunState.STARTING)
    return gang_trains(**{"runs": {GANG: run}, "orders": orders, "reports": reports, **changes})


def test_what_a_rank_was_not_ordered_it_is_ordered_as_its_peers_were() -> None:
    found = action(unordered(1, receipts={GANG: (a_whole(50),)}))
    (step,) = found.steps
    assert isinstance(step, Instruct)
    assert step.order.assignment == but(an_order_of(0, attempt=2).assignment, rank=1)
    assert step.order.number == 2


def test_before_any_rank_was_ordered_the_receipts_are_waited_for() -> None:
    assert "the receipts of its checkpoints" in waits(unordered(0, 1, 2))[NODES[0]]
    ordered = planned(unordered(0, 1, 2, receipts={GANG: (a_whole(100),)})).actions
    resumed = [step.order.assignment.resume for each in ordered for step in each.steps]  # type: ignore[union-attr]
    assert resumed == [(a_whole(100),)] * 3


@pytest.mark.parametrize(("ranks", "needed"), [((), ()), ((2,), (GANG,))])
def test_receipts_are_read_while_any_rank_is_not_ordered(ranks: tuple[int, ...], needed: tuple[str, ...]) -> None:
    assert needs_receipts(a_gang_spec(), unordered(*ranks)) == needed


# Stopping in place


def lost(rank: int = 2, **changes: Any) -> Observed:
    """The machine of this rank is gone without a word; the others do not know yet."""
    taken = {"state": InstanceState.TERMINATED, "cause": Cause.SPOT, "ended_at": NOW - 1}
    return told(with_machine(gang_trains(**changes), rank, **taken))


def test_ranks_that_lost_a_peer_are_ordered_to_stop_where_they_are() -> None:
    plan = planned(lost())
    orders = [s.order for a in plan.actions for s in a.steps if isinstance(s, Instruct)]
    assert [(o.node, o.desired, o.lost_to) for o in orders] == [
        (node, Desired.STOPPED, Cause.SPOT) for node in NODES[:2]
    ]
    assert {each.kind for each in plan.actions} == {Kind.STOP}
    assert {w.node: w.what for w in plan.waiting} == {NODES[2]: "attempt 1 to end on f/t/0, f/t/1"}


def test_a_rank_is_ordered_to_stop_once() -> None:
    stopped = {node: an_order_of(i, desired=Desired.STOPPED) for i, node in enumerate(NODES)}
    assert waits(lost(orders=stopped))[NODES[0]] == "its last word: f/t/2 ended interrupted"


def test_a_rank_that_got_no_order_yet_is_ordered_to_stop_as_well() -> None:
    orders = {NODES[0]: an_order_of(0)}
    reports = {NODES[0]: at_work(0), NODES[1]: at_rest(1), NODES[2]: at_work(2)}
    plan = planned(lost(orders=orders, reports=reports))
    assert [a.node for a in plan.actions] == list(NODES[:2])
    assert [s.order.desired for a in plan.actions for s in a.steps] == [Desired.STOPPED] * 2  # type: ignore[union-attr]


@pytest.mark.parametrize(("ago", "stopped"), [(LINGER - 1, False), (LINGER + 1, True)])
def test_ranks_that_were_asked_to_save_together_are_left_to_end_by_themselves(ago: float, stopped: bool) -> None:
    observed = told(with_report(gang_trains(), ended(0, at=NOW - ago)))
    assert bool(planned(observed).actions) is stopped


def test_a_rank_that_is_to_go_for_good_is_stopped_too() -> None:
    ending = lost(record=a_record(a_gang_spec(), destroying=True))
    orders = [s.order for a in planned(ending).actions for s in a.steps if isinstance(s, Instruct)]
    assert [(order.node, order.desired) for order in orders] == [(node, Desired.STOPPED) for node in NODES[:2]]


def test_a_rank_that_fell_silent_is_replaced_in_its_time_all_the_same() -> None:
    stopped = {node: an_order_of(i, desired=Desired.STOPPED) for i, node in enumerate(NODES)}
    silent = with_report(lost(orders=stopped), at_work(1, at=NOW - 2000))
    assert (Kind.REPLACE, NODES[1]) in {(each.kind, each.node) for each in planned(silent).actions}


def test_ranks_are_not_stopped_because_one_has_finished() -> None:
    done = ended(0, Outcome.COMPLETED, cause=None, at=NOW - 1000)
    assert planned(told(with_report(gang_trains(), done))).actions == ()


def test_a_silent_rank_stops_nobody() -> None:
    assert planned(with_report(gang_trains(), at_work(2, at=NOW - 100))).actions == ()


def test_only_the_lost_machine_is_made_anew() -> None:
    stopped = [ended(rank, Outcome.INTERRUPTED, cause=Cause.SPOT) for rank in (0, 1)]
    over = told(with_report(lost(), *stopped))
    (made,) = planned(over).actions
    assert (made.kind, made.node, made.reason.cause) == (Kind.CREATE, NODES[2], Cause.SPOT)
    assert any(isinstance(step, Converge) for step in made.steps)


def test_a_noticed_rank_that_has_saved_is_replaced_at_once_and_the_others_stay() -> None:
    saved = [ended(rank, Outcome.INTERRUPTED, cause=Cause.SPOT) for rank in (0, 1)]
    last = ended(
        2,
        Outcome.INTERRUPTED,
        cause=Cause.SPOT,
    )
    observed = told(with_report(gang_trains(), *saved, but(last, notice=a_notice())))
    (replaced,) = planned(observed).actions
    assert (replaced.kind, replaced.node) == (Kind.REPLACE, NODES[2])


# One rank asked to go


def test_a_rank_to_be_replaced_is_drained_and_passes_with_its_answer() -> None:
    hold = a_hold(HoldKind.REPLACE, node=NODES[1], instance="m1")
    (drain,) = action(gang_trains(holds=(hold,))).steps
    assert isinstance(drain, Claim)
    answered = ended(1, Outcome.STOPPED)
    answer = an_answer(drain=drain.claim.drain, receipt=a_whole(130))
    passed = told(with_report(gang_trains(holds=(hold,)), but(answered, drained=answer)))
    assert [a.kind for a in planned(passed).actions] == [Kind.REPLACE]


def test_a_rank_that_has_ended_may_go_while_others_still_end() -> None:
    observed = told(with_report(gang_trains(), ended(1)))
    assert seen(observed, NODES[1]).attempt == but(
        observed.runs[GANG].attempt, node=NODES[1], outcome=Outcome.STOPPED, cause=Cause.OPERATOR
    )


def test_a_second_machine_of_a_rank_that_trains_is_not_ended_before_its_last_word() -> None:
    newer = a_machine_of(1, id="m9", incarnation=2)
    observed = gang_trains(placements={NODES[1]: a_placement(node=NODES[1], incarnation=2)})
    observed = but(observed, machines=(*(observed.machines or ()), newer), reports={})
    waiting = {w.node: w.what for w in planned(observed).waiting}
    assert waiting[NODES[1]] == "the last word of m1, whose attempt is open"


# Another number of ranks


def grown() -> Observed:
    attempt = a_gang_attempt(members=members()[:2], outcome=Outcome.STOPPED, cause=Cause.OPERATOR)
    return gang_rests(runs={GANG: but(a_gang_run(attempt, state=RunState.STOPPED), nodes=NODES[:2])})


def test_a_run_is_not_gone_on_with_by_another_number_of_ranks() -> None:
    plan = planned(grown())
    assert plan.actions == ()
    assert {(r.node, r.guard) for r in plan.refusals} == {(node, "resize") for node in NODES}
    assert "train.run" in plan.refusals[0].override


def test_a_completed_run_may_have_had_other_ranks() -> None:
    done = but(grown().runs[GANG], state=RunState.COMPLETED)
    assert planned(but(grown(), runs={GANG: done})).refusals == ()


# A rank whose machine seemed gone


def seemed_gone(**changes: Any) -> Observed:
    """Rank 0 was taken for gone, so that the others were stopped; its agent is heard again, and trains."""
    gone = {"outcome": Outcome.VOID, "cause": Cause.HARDWARE, "witnessed": False}
    fell = {"outcome": Outcome.INTERRUPTED, "cause": Cause.HARDWARE}
    over = a_gang_attempt(members=members(r0=gone, r1=fell, r2=fell), ended_at=NOW - 60, **fell)
    run = a_gang_run(over, state=RunState.INTERRUPTED)
    return with_report(gang_rests(runs={GANG: run}, **changes), at_work(0))


def test_a_rank_that_trains_on_alone_is_told_to_stop_in_place() -> None:
    (stop,) = planned(seemed_gone()).actions
    (told,) = stop.steps
    assert isinstance(told, Instruct)
    assert (stop.node, told.order.desired, told.order.number) == (NODES[0], Desired.STOPPED, 2)


def test_its_last_word_is_waited_for_and_it_is_told_once() -> None:
    told = {node: an_order_of(rank, desired=Desired.STOPPED) for rank, node in enumerate(NODES)}
    assert waits(seemed_gone(orders=told))[NODES[0]] == "its last word: its gang has ended"

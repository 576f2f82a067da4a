"""The last guard: nothing unsaved is deleted, nothing claimed is made twice, nothing that trains is changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lifecycle.control.guard import LOOK_EVERY, UNKNOWN_FOR, LastGuard
from lifecycle.model.errors import GuardRefused
from lifecycle.model.plan import Kind
from lifecycle.model.records import DrainOutcome, Incarnation, Outcome
from lifecycle.model.states import InstanceState, StopReason
from lifecycle.planning.mending import ADOPT_AFTER
from tests.builders import (
    NODE,
    NOW,
    a_machine,
    a_placement,
    a_record,
    a_report,
    a_spec,
    an_allowance,
    an_answer,
    an_assignment,
    an_end,
    an_ended_attempt,
    an_idle_report,
    an_incarnation,
    an_order,
    but,
    rested,
    training,
)
from tests.unit.control.doubles import Room


def a_guard(room: Room, *, by: str = "pulumi up", **pool: Any) -> LastGuard:
    hands = room._hands(lambda _: None)
    return LastGuard("f", a_spec(**pool), tracker=room.tracker, compute=hands, clock=room.clock, by=by)


def heard(room: Room, **changes: Any) -> None:
    """Its agent tells, now."""
    room.hears(a_report(at=room.clock.now(), **changes))


def answering(room: Room, outcome: DrainOutcome, after: float = 3.0, **answer: Any) -> None:
    """The agent goes on telling, and answers whatever drain is claimed after so many seconds."""
    slept, began = room.clock.sleep, room.clock.now()

    def sleep(seconds: float) -> None:
        slept(seconds)
        claim = room.seen().drains.get(NODE)
        if claim is not None and room.clock.now() - began >= after:
            told = {"drain": claim.drain, "outcome": outcome, "at": room.clock.now(), "detail": "no save", **answer}
            heard(room, drained=an_answer(**told))
        else:
            heard(room)

    room.clock.sleep = sleep  # type: ignore[method-assign]


# ---- deleting ------------------------------------------------------------------------------------


def test_a_machine_that_trains_is_drained_and_then_let_go(room: Room) -> None:
    room.is_as(training())
    answering(room, DrainOutcome.SAVED)
    assert "drained: saved, saved at step 130" in a_guard(room).before_delete(NODE, "m1")
    claim = room.seen().drains[NODE]
    assert (claim.by, claim.instance) == ("pulumi up", "m1")


@pytest.mark.parametrize(
    ("declared", "leaving", "purpose"),
    [(1, False, StopReason.REPLACEMENT), (0, False, StopReason.SCALE_IN), (1, True, StopReason.MANUAL)],
)
def test_a_trainer_is_told_why_it_is_to_save(room: Room, declared: int, leaving: bool, purpose: StopReason) -> None:
    room.is_as(training(record=a_record(destroying=leaving)))
    answering(room, DrainOutcome.SAVED)
    a_guard(room, nodes=declared).before_delete(NODE, "m1")
    assert room.seen().drains[NODE].purpose is purpose


def test_a_trainer_that_cannot_save_is_not_deleted_and_trains_on(room: Room) -> None:
    room.is_as(training())
    answering(room, DrainOutcome.REFUSED)
    with pytest.raises(GuardRefused, match="f/t/0: m1 is not deleted") as refused:
        a_guard(room).before_delete(NODE, "m1")
    assert "steady allow-loss m1" in refused.value.fix
    assert "steady stop f/t/0" in refused.value.fix
    assert room.seen().drains == {}


def test_an_agent_that_never_answers_holds_the_deletion_back_at_the_deadline(room: Room) -> None:
    room.is_as(training())
    answering(room, DrainOutcome.SAVED, after=1e9)
    began = room.clock.now()
    with pytest.raises(GuardRefused, match="it still waits for its drain"):
        a_guard(room).before_delete(NODE, "m1")
    assert 90 + 60 <= room.clock.now() - began <= 90 + 60 + 2 * LOOK_EVERY


def with_hooks(room: Room) -> None:
    """A machine at rest before whose end a hook stands."""
    spec = a_spec(hooks={"pre_terminate": [{"run": ["./hook"], "timeout": "5m"}]})
    room.is_as(rested(spec, orders={NODE: an_order(assignment=an_assignment(hooks=spec.pools["t"].hooks))}))


def test_a_machine_at_rest_is_deleted_once_its_hooks_have_run(room: Room) -> None:
    with_hooks(room)
    answering(room, DrainOutcome.EMPTY, after=300.0)
    assert "drained: empty" in a_guard(room).before_delete(NODE, "m1")
    assert room.seen().drains[NODE].ends


def test_a_hook_that_refuses_the_end_is_named(room: Room) -> None:
    with_hooks(room)
    answering(room, DrainOutcome.REFUSED, hook="pre_terminate")
    with pytest.raises(GuardRefused, match="f/t/0: m1 is not deleted: no save") as refused:
        a_guard(room).before_delete(NODE, "m1")
    assert "steady allow-loss m1" in refused.value.fix
    assert room.seen().drains == {}


def test_a_silent_agent_is_unknown_and_not_deleted(room: Room) -> None:
    room.is_as(training())
    with pytest.raises(GuardRefused, match="silent"):
        a_guard(room, unreachable_after="never").before_delete(NODE, "m1")


def test_an_allowance_lets_exactly_this_machine_go(room: Room) -> None:
    room.is_as(training(reports={NODE: a_report(at=0.0)}))
    room.tracker.allow_loss("f", an_allowance(instance="m1"))
    assert "loss allowed" in a_guard(room, unreachable_after="never").before_delete(NODE, "m1")


ENDED: dict[str, Callable[[], dict[str, Any]]] = {
    "stopped": dict,
    "completed": lambda: {"attempt": an_ended_attempt(outcome=Outcome.COMPLETED)},
    "off": lambda: {"machines": (a_machine(state=InstanceState.STOPPED),)},
    "terminated": lambda: {"machines": (a_machine(state=InstanceState.TERMINATED),)},
    "going": lambda: {"machines": (a_machine(ending=True),)},
    "not listed, its agent silent": lambda: {"machines": (), "reports": {NODE: an_idle_report(at=NOW - 60)}},
    "never ordered": lambda: {"runs": {}, "orders": {}},
}


@pytest.mark.parametrize("case", ENDED)
def test_a_machine_with_nothing_to_save_goes_at_once(room: Room, case: str) -> None:
    room.is_as(rested(**ENDED[case]()))
    began = room.clock.now()
    assert a_guard(room).before_delete(NODE, "m1")
    assert room.clock.now() == began
    assert room.seen().drains == {}


def test_a_machine_that_is_listed_no_longer_and_whose_agent_speaks_is_not_deleted(room: Room) -> None:
    room.is_as(training(machines=()))
    heard(room)
    with pytest.raises(GuardRefused, match="m1 is not deleted: it is not listed, and its agent spoke") as refused:
        a_guard(room).before_delete(NODE, "m1")
    assert "put them back" in refused.value.fix


def test_a_machine_that_another_foundations_tracker_would_know_is_not_taken_for_gone(room: Room) -> None:
    room.is_as(training(machines=(), incarnations={}, reports={}))
    with pytest.raises(GuardRefused, match="m1 is not deleted: nothing is on record of it here") as refused:
        a_guard(room).before_delete(NODE, "m1")
    assert "aws:region" in refused.value.fix


def test_a_machine_that_wears_another_nodes_tags_is_not_taken_for_gone(room: Room) -> None:
    room.is_as(training(machines=(a_machine(node="f/t/1"),), incarnations={}))
    heard(room)
    with pytest.raises(GuardRefused, match="m1 is not deleted: its tags say that it is f/t/1's"):
        a_guard(room).before_delete(NODE, "m1")


def test_a_drain_of_the_controller_is_waited_for_and_counts(room: Room) -> None:
    room.is_as(training())
    answering(room, DrainOutcome.SAVED)
    a_guard(room, by="controller").before_delete(NODE, "m1")
    assert "saved at step 130" in a_guard(room).before_delete(NODE, "m1")
    assert room.seen().drains[NODE].by == "controller"


def test_each_up_asks_anew_and_a_refusal_of_the_last_one_is_not_held_against_it(room: Room) -> None:
    room.is_as(training())
    answering(room, DrainOutcome.REFUSED)
    with pytest.raises(GuardRefused):
        a_guard(room).before_delete(NODE, "m1")
    answering(room, DrainOutcome.SAVED)
    assert "drained: saved" in a_guard(room).before_delete(NODE, "m1")


def test_a_tick_before_the_deletion_leaves_the_drain_alone_and_starts_nothing(room: Room) -> None:
    room.is_as(training())
    answering(room, DrainOutcome.SAVED)
    a_guard(room).before_delete(NODE, "m1")
    standing = room.seen().drains[NODE]
    room.hears(but(an_idle_report(ended=an_end(outcome=Outcome.STOPPED)), at=room.clock.now()))
    ticked = room.controller().tick("f")
    assert [waiting.what for waiting in ticked.plan.waiting] == ["the drain by pulumi up to end"]
    assert (ticked.plan.actions, room.seen().drains[NODE]) == ((), standing)


def test_what_cannot_be_read_is_not_deleted(room: Room) -> None:
    room.is_as(training())
    room.cloud.away = True
    with pytest.raises(GuardRefused, match="cannot be read"):
        a_guard(room).before_delete(NODE, "m1")


# ---- making --------------------------------------------------------------------------------------


def test_an_incarnation_is_claimed_and_its_placement_stored_before_it_is_made(room: Room) -> None:
    a_guard(room).before_create(a_placement(incarnation=3))
    assert room.seen().placements[NODE].incarnation == 3
    assert room.tracker.incarnations("f", [(NODE, 3)])[NODE, 3].claimed_by == "pulumi up"


def test_a_claim_of_the_loop_that_made_nothing_yet_is_used(room: Room) -> None:
    room.tracker.put_incarnation("f", an_incarnation(instance=None), None)
    a_guard(room).before_create(a_placement())
    assert room.tracker.incarnations("f", [(NODE, 1)])[NODE, 1].claimed_by == "controller"


def claim(room: Room) -> Incarnation:
    return room.tracker.incarnations("f", [(NODE, 1)])[NODE, 1]


def test_a_making_is_an_open_question_until_it_is_answered(room: Room) -> None:
    guard = a_guard(room)
    guard.before_create(a_placement(), "image-1")
    assert (claim(room).tried_at, claim(room).form, claim(room).instance) == (room.clock.now(), "image-1", None)
    guard.made(NODE, 1, "m1")
    assert (claim(room).tried_at, claim(room).instance) == (None, "m1")


def test_a_making_that_was_refused_may_be_tried_again_at_once(room: Room) -> None:
    guard = a_guard(room)
    guard.before_create(a_placement())
    guard.refused(NODE, 1)
    guard.before_create(a_placement(instance_type="g6.2xlarge"))
    assert (claim(room).tried_at, claim(room).instance_type) == (room.clock.now(), "g6.2xlarge")


def test_a_making_whose_end_nobody_knows_is_not_repeated_until_lists_cannot_lag_any_more(room: Room) -> None:
    a_guard(room).before_create(a_placement())
    with pytest.raises(GuardRefused, match="whether incarnation 1 was made is not known") as refused:
        a_guard(room).before_create(a_placement())
    assert "try again in 5m" in refused.value.fix
    room.clock.pass_by(UNKNOWN_FOR)
    a_guard(room).before_create(a_placement())
    assert claim(room).tried_at == room.clock.now()


def test_what_was_deleted_ends_its_claim_and_later_news_do_not_change_it(room: Room) -> None:
    room.tracker.put_incarnation("f", an_incarnation(), None)
    guard = a_guard(room)
    guard.ended(NODE, 1)
    ended = claim(room)
    assert ended.ended_at == room.clock.now()
    guard.made(NODE, 1, "m2")
    assert claim(room) == ended


@pytest.mark.parametrize("used", [{"instance": "m1"}, {"instance": None, "ended_at": 1.0}])
def test_a_used_incarnation_is_never_made_again(room: Room, used: dict[str, Any]) -> None:
    room.tracker.put_incarnation("f", but(an_incarnation(), **used), None)
    with pytest.raises(GuardRefused, match="incarnation 1 is taken by"):
        a_guard(room).before_create(a_placement())


def test_a_machine_whose_making_was_never_confirmed_is_not_made_twice(room: Room) -> None:
    room.cloud.has(a_machine())
    with pytest.raises(GuardRefused, match="taken by m1"):
        a_guard(room).before_create(a_placement())
    assert room.seen().placements == {}


def test_another_nodes_machine_that_wears_these_tags_does_not_take_the_incarnation(room: Room) -> None:
    room.is_as(training(a_spec(nodes=2)))
    room.cloud.has(a_machine(node="f/t/1"))
    a_guard(room, nodes=2).before_create(a_placement(node="f/t/1"))
    claim = room.tracker.incarnations("f", [("f/t/1", 1)])["f/t/1", 1]
    assert (claim.instance, claim.tried_at) == (None, room.clock.now())


def test_a_machine_that_the_stack_does_not_know_is_taken_up_by_the_loop(room: Room) -> None:
    room.is_as(training())
    with pytest.raises(GuardRefused, match="is taken by m1"):
        a_guard(room).before_create(a_placement())
    room.clock.pass_by(ADOPT_AFTER)
    heard(room)
    (action,) = room.controller().look("f")[1].actions
    assert (action.kind, action.node) == (Kind.ADOPT, NODE)


# ---- changing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["tags", "vpcSecurityGroupIds", "iamInstanceProfile"])
def test_what_a_trainer_does_not_notice_changes_in_place(room: Room, field: str) -> None:
    a_guard(room).before_update(NODE, {field: "a", "ami": "x", "__defaults": []}, {field: "b", "ami": "x"})


@pytest.mark.parametrize("field", ["instanceType", "userData", "ami", "instanceMarketOptions", "disableApiStop"])
def test_everything_else_would_stop_it_unsaved(room: Room, field: str) -> None:
    with pytest.raises(GuardRefused, match=f"a change of {field} in place") as refused:
        a_guard(room).before_update(NODE, {"tags": {}}, {"tags": {}, field: "b"})
    assert "steady apply SPEC" in refused.value.fix

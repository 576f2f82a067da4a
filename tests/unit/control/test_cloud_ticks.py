"""Ticks against a cloud that is short, locked, slow or away: what is done, what is not, and who is told."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.control.loop import ASK_SHARED_EVERY, AWS, Ticked
from lifecycle.control.observe import observe
from lifecycle.model.errors import NotAuthorised, TimedOut, Unreadable
from lifecycle.model.fleet import Market
from lifecycle.model.holds import HoldKind
from lifecycle.model.journal import EntryKind
from lifecycle.model.plan import Kind
from lifecycle.model.world import Observed
from lifecycle.ports.provisioner import Outcome
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_hold,
    a_machine,
    a_placement,
    a_receipt,
    a_record,
    a_run,
    a_spec,
    an_ended_attempt,
    an_incarnation,
    but,
    training,
)
from tests.unit.control.clouds import Hands
from tests.unit.control.doubles import Room, quiet

LINE = "security group: a rule for port 22 from anywhere"
TWO = a_spec(instance_types=["big", "small"])


def settled(ticked: Ticked) -> bool:
    return ticked.plan.settled


# ---- capacity ------------------------------------------------------------------------------------


def refuse(room: Room, node: str = NODE) -> None:
    room.cloud.answers[node] = Outcome(node=node, error="none left", no_capacity=True)


def test_the_next_choice_is_tried_by_the_next_tick_under_a_claim_of_its_own(room: Room) -> None:
    room.apply(TWO)
    refuse(room)
    room.controller().tick("f")
    room.cloud.answers.clear()
    room.controller().tick("f")
    claims = room.tracker.history_of("f", NODE)
    assert [(claim.instance_type, claim.ended_at is None) for claim in claims] == [("big", False), ("small", True)]
    assert (room.cloud.made, room.seen().placements[NODE].instance_type) == ([(NODE, 2)], "small")


def test_when_nothing_is_to_be_had_a_tick_calls_nobody_until_it_is_time(room: Room) -> None:
    room.apply(TWO)
    refuse(room)
    for _ in range(4):
        ticked = room.controller().tick("f")
    assert (len(room.cloud.calls), ticked.plan.waiting[0].until) == (2, NOW + 300)
    room.clock.pass_by(300)
    room.controller().tick("f")
    assert len(room.cloud.calls) == 3


def test_the_fallback_comes_in_its_time_and_is_in_the_journal(room: Room) -> None:
    room.apply(a_spec(fallback={"to": "on_demand", "after": "2m"}))
    refuse(room)
    room.controller().tick("f")
    room.cloud.answers.clear()
    room.clock.pass_by(120)
    room.controller().tick("f")
    assert room.cloud.listed[f"{NODE}#2"].market is Market.ON_DEMAND
    assert "no spot capacity for 2m: on_demand" in room.story(EntryKind.OUTCOME)[-1].evidence


def test_a_shortage_is_forgotten_once_a_machine_was_made_of_it(room: Room) -> None:
    room.apply(a_spec())
    refuse(room)
    room.controller().tick("f")
    room.cloud.answers.clear()
    room.clock.pass_by(300)
    for _ in range(2):
        room.controller().tick("f")
    assert (room.cloud.live(), room.seen().shortages) == ([(NODE, 2)], ())


# ---- answers that were lost ----------------------------------------------------------------------


def test_after_a_lost_answer_nothing_is_made_before_five_minutes_and_then_once(room: Room) -> None:
    room.apply()
    room.tracker.place("f", a_placement(), None)
    room.tracker.put_incarnation("f", an_incarnation(instance=None, tried_at=NOW), None)
    room.controller().tick("f")
    room.clock.pass_by(299)
    room.controller().tick("f")
    assert room.cloud.calls == []
    room.clock.pass_by(1)
    for _ in range(3):
        room.controller().tick("f")
    assert room.cloud.made == [(NODE, 1)]


def test_a_machine_that_shows_up_is_taken_up_once_and_trains_on(room: Room) -> None:
    room.is_as(training(incarnations={(NODE, 1): an_incarnation(instance=None, tried_at=NOW - 60)}))
    assert [action.kind for action in room.controller().tick("f").plan.actions] == [Kind.ADOPT]
    assert room.controller().tick("f").plan.settled
    assert (room.cloud.calls, room.cloud.made) == ([(NODE,)], [])


def test_a_machine_that_could_not_be_taken_up_is_tried_again_later_not_every_tick(room: Room) -> None:
    room.is_as(training(incarnations={(NODE, 1): an_incarnation(tried_at=NOW - 60)}))
    room.cloud.answers[NODE] = Outcome(node=NODE, error="the stack is locked by ann")
    for _ in range(5):
        room.controller().tick("f")
    assert len(room.cloud.calls) == 1
    room.clock.pass_by(30)
    room.controller().tick("f")
    assert len(room.cloud.calls) == 2


# ---- what machines share -------------------------------------------------------------------------


def asked(room: Room) -> int:
    return room.cloud.calls.count(("f",))


def test_upkeep_asks_what_machines_share_at_first_and_then_now_and_then(room: Room) -> None:
    room.is_as(training())
    controller = room.controller()
    for seconds in (0, ASK_SHARED_EVERY - 1, 1):
        room.clock.pass_by(seconds)
        controller.tick("f", upkeep=True)
    assert asked(room) == 2


def test_a_tick_without_upkeep_does_not_ask(room: Room) -> None:
    room.is_as(training())
    room.controller().tick("f")
    assert asked(room) == 0


def test_a_difference_is_reported_and_remembered_by_ticks_that_do_not_ask(room: Room) -> None:
    room.is_as(training())
    room.cloud.differs = (LINE,)
    room.controller().tick("f", upkeep=True)
    ticked = room.controller().tick("f")
    assert ([drift.actual for drift in ticked.plan.drift], ticked.record.shared) == ([LINE], (LINE,))
    assert "share f" not in room.changes


def test_with_share_it_is_made_as_declared_and_known_as_such(room: Room) -> None:
    room.is_as(training())
    room.cloud.differs = (LINE,)
    ticked = room.controller().tick("f", share=True)
    assert ("share f" in room.changes, ticked.record.shared, ticked.record.errors) == (True, (), ())
    assert room.controller().tick("f").plan.drift == ()


def test_a_look_that_fails_is_a_note_and_stops_nothing(room: Room) -> None:
    room.apply()
    room.cloud.unseen = "the CLI is missing"
    ticked = room.controller().tick("f", upkeep=True)
    assert ticked.record.notes == ("what the machines share was not looked at: the CLI is missing",)
    assert (ticked.record.errors, room.cloud.made) == ((), [(NODE, 1)])


def test_a_look_that_fails_keeps_what_was_found_before(room: Room) -> None:
    room.is_as(training())
    room.cloud.differs = (LINE,)
    room.controller().tick("f", upkeep=True)
    room.cloud.unseen = "the CLI is missing"
    assert room.controller().tick("f", upkeep=True).record.shared == (LINE,)


def test_until_goes_on_until_what_is_shared_is_as_declared(room: Room) -> None:
    room.is_as(training())
    room.cloud.differs, room.cloud.failing = (LINE,), {"f": "the stack is locked by ann"}
    seen: list[Ticked] = []

    def look(ticked: Ticked) -> None:
        seen.append(ticked)
        if len(seen) == 3:
            room.cloud.failing.clear()

    ticked = room.controller().until("f", settled, timeout=60, share=True, seen=look)
    assert (ticked.record.shared, room.changes.count("share f")) == ((), 1)


def test_looking_may_ask_too(room: Room) -> None:
    room.is_as(training())
    room.cloud.differs = (LINE,)
    _, plan = room.controller().look("f", share=True)
    assert [action.node for action in plan.actions] == ["f"]
    assert (room.controller().look("f")[1].actions, room.changes) == ((), [])


# ---- the end of a fleet --------------------------------------------------------------------------


def leaving() -> Observed:
    return training(machines=(), runs={}, reports={}, orders={}, record=a_record(destroying=True, generation=2))


def test_what_machines_shared_goes_before_the_record(room: Room) -> None:
    room.is_as(leaving())
    room.controller().tick("f")
    assert room.changes.index("dismantle f") < room.changes.index("-spec f")


def test_the_record_stays_while_what_was_shared_does_not_go(room: Room) -> None:
    room.is_as(leaving())
    room.cloud.failing["f"] = "the stack is locked by ann"
    ticked = room.controller().tick("f")
    assert (room.seen().record is None, ticked.record.errors) == (False, ("f: the stack is locked by ann",))
    assert not ticked.plan.settled
    room.cloud.failing.clear()
    room.controller().tick("f")
    assert room.seen().record is None


def test_nothing_shared_goes_while_a_machine_is_left(room: Room) -> None:
    room.is_as(but(leaving(), machines=(a_machine(),), holds=(a_hold(HoldKind.SUSPEND, node=None),)))
    room.controller().tick("f")
    assert "dismantle f" not in room.changes


# ---- a world that cannot be read -----------------------------------------------------------------


def away(*_: object, **__: object) -> Any:
    raise Unreadable("DynamoDB is away", fix="wait")


@pytest.mark.parametrize("read", ["scan", "get_many", "newest"])
def test_a_tracker_that_cannot_be_read_fails_the_tick_before_anything_is_done(
    room: Room, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    run = a_run(an_ended_attempt())
    room.is_as(training(runs={RUN: run}, holds=(a_hold(HoldKind.STOP),)))
    with monkeypatch.context() as patched, room.unchanged():
        patched.setattr(type(room.table), read, away)
        with pytest.raises(Unreadable):
            room.controller().tick("f")
    assert room.cloud.calls == []


def test_credentials_that_ran_out_fail_the_tick_before_anything_is_done(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> Any:
        raise NotAuthorised("the credentials have expired", fix="aws sso login")

    room.is_as(training(holds=(a_hold(HoldKind.STOP),)))
    monkeypatch.setattr(Hands, "machines", refused)
    with room.unchanged(), pytest.raises(NotAuthorised):
        room.controller().tick("f")


def test_until_rides_out_a_world_that_cannot_be_read_for_a_while(room: Room) -> None:
    room.apply()
    controller = room.controller()
    seen: list[Ticked] = []
    real = controller.tick

    def tick(*args: Any, **how: Any) -> Ticked:
        if len(seen) == 1 and room.bell.waited.count(1.0) < 3:
            away()
        return real(*args, **how)

    controller.tick = tick  # type: ignore[method-assign]
    controller.until("f", lambda _: len(seen) == 2, timeout=60, seen=seen.append)
    assert len(seen) == 2


def test_a_world_that_could_never_be_read_is_told_at_once(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(room.table), "scan", away)
    with pytest.raises(Unreadable):
        room.controller().until("f", settled, timeout=60)
    assert room.bell.waited == []


def test_a_store_that_is_away_fails_upkeep_and_no_run(room: Room) -> None:
    room.is_as(training(receipts={RUN: tuple(a_receipt(step) for step in range(10, 90, 10))}))
    room.store.away = True
    ticked = room.controller().tick("f", upkeep=True)
    assert ticked.record.errors == (f"{RUN}: pruning: the store is away",)
    assert (ticked.plan.actions, room.cloud.live()) == ((), [(NODE, 1)])


# ---- pace and calls ------------------------------------------------------------------------------


def test_a_cloud_that_counts_calls_is_asked_less_often(room: Room) -> None:
    room.is_as(training())
    controller = room.controller(pace=AWS)
    plan = controller.look("f")[1]
    controller.pause(plan)
    controller.pause(plan, at_most=0.5)
    assert room.bell.waited == [AWS.settled, AWS.busy]


def test_a_steady_fleet_is_labelled_once_and_changed_no_more(room: Room) -> None:
    machine = a_machine(tags={"Name": NODE, "steady:pool": "t", "steady:node": NODE, "steady:incarnation": "1"})
    room.is_as(training(but(a_spec(), provider="aws"), machines=(machine,)))
    room.controller().tick("f")
    assert [dict(label.tags) for label in room.cloud.labelled] == [{"steady:state": "training", "steady:run": RUN}]
    room.cloud.has(but(machine, tags={**machine.tags, **room.cloud.labelled[0].tags}))
    room.changes.clear()
    room.controller().tick("f")
    assert room.changes == ["lease f", "tick f", "lease f"]


def test_a_machine_that_was_renamed_is_seen_as_the_one_on_record(room: Room) -> None:
    room.is_as(training())
    room.cloud.has(a_machine(node="f/t/5", tags={"steady:node": "f/t/5"}))
    seen = observe("f", Hands(room.cloud, quiet, []), room.tracker, NOW)
    assert [(machine.id, machine.node) for machine in seen.machines or ()] == [("m1", NODE)]


def test_a_timeout_tells_of_the_shared_that_does_not_go(room: Room) -> None:
    room.is_as(leaving())
    room.cloud.failing["f"] = "locked"
    with pytest.raises(TimedOut, match="what its machines shared to be removed: f: locked"):
        room.controller().until("f", settled, timeout=5)

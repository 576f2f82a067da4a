"""What became of a change: claims and shortages learn of it, failures stop nothing else, the fleet's own steps."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.errors import LostLease
from lifecycle.model.journal import EntryKind
from lifecycle.model.plan import Action, Claim, Converge, Kind, Label, Share
from lifecycle.model.records import Incarnation
from lifecycle.model.states import InstanceState
from lifecycle.ports.provisioner import Outcome
from tests.builders import NODE, NOW, a_claim, a_machine, a_placement, a_shortage, an_incarnation, but
from tests.unit.control.doubles import OVERTAKEN, Room, a_plan, an_action

OTHER = "f/t/1"
OUTCOME = EntryKind.OUTCOME


@pytest.fixture(autouse=True)
def applied(room: Room) -> None:
    """Generation 1 is the spec of record."""
    room.apply()


def making(node: str = NODE) -> Action:
    claim = an_incarnation(node=node, instance=None)
    return an_action(Converge(placement=a_placement(node=node), claim=claim), node=node, kind=Kind.CREATE)


def tried(room: Room, **outcome: Any) -> Incarnation:
    """Makes a machine whose hook has begun, with this outcome; the claim as it stands after."""
    room.cloud.answers[NODE] = Outcome(node=NODE, **outcome)
    begun = an_incarnation(instance=None, tried_at=NOW - 9)
    room.tracker.put_incarnation("f", begun, None)
    room.executor().execute(a_plan(taking_up()))
    return room.tracker.incarnations("f", [(NODE, 1)])[NODE, 1]


def taking_up() -> Action:
    return an_action(Converge(placement=a_placement()), kind=Kind.CREATE)


def test_a_made_machine_is_no_longer_being_tried(room: Room) -> None:
    assert tried(room).tried_at is None


def test_a_definite_refusal_ends_the_try(room: Room) -> None:
    assert tried(room, error="UnauthorizedOperation") == an_incarnation(instance=None)


def test_a_lost_answer_leaves_the_try_as_it_is(room: Room) -> None:
    assert tried(room, error="connection lost", uncertain=True).tried_at == NOW - 9


def test_a_want_of_capacity_closes_the_claim_and_is_noted(room: Room) -> None:
    assert tried(room, error="none left", no_capacity=True).ended_at == NOW
    (shortage,) = room.seen().shortages
    assert (shortage.market, shortage.since, shortage.at, shortage.said) == ("spot", NOW, NOW, "none left")
    assert room.story(OUTCOME)[0].result == "failed: none left"


def test_a_shortage_that_goes_on_keeps_its_beginning(room: Room) -> None:
    room.cloud.answers[NODE] = Outcome(node=NODE, error="none left", no_capacity=True)
    room.executor().execute(a_plan(taking_up()), (a_shortage(ago=400),))
    assert [(each.since, each.at) for each in room.seen().shortages] == [(NOW - 400, NOW)]


def test_a_change_that_failed_on_a_machine_in_place_is_noted_to_be_tried_again(room: Room) -> None:
    room.tracker.put_incarnation("f", an_incarnation(), None)
    room.cloud.answers[NODE] = Outcome(node=NODE, error="the stack is locked by ann")
    room.executor().execute(a_plan(an_action(Converge(placement=a_placement()), kind=Kind.UPDATE)))
    assert room.tracker.incarnations("f", [(NODE, 1)])[NODE, 1].tried_at == NOW


def test_an_outcome_that_changes_no_claim_writes_none(room: Room) -> None:
    room.tracker.put_incarnation("f", an_incarnation(instance=None), None)
    room.changes.clear()
    room.executor().execute(a_plan(taking_up()))
    assert not [change for change in room.changes if change.startswith("incarnation")]


def test_the_claim_of_a_machine_that_was_to_go_is_left_alone(room: Room) -> None:
    room.tracker.put_incarnation("f", an_incarnation(tried_at=NOW - 9), None)
    room.executor().execute(a_plan(an_action(Converge(placement=a_placement(present=False)))))
    assert room.tracker.incarnations("f", [(NODE, 1)])[NODE, 1].tried_at == NOW - 9


def test_a_provisioner_that_fails_as_a_whole_fails_each_node_and_decides_nothing(room: Room) -> None:
    begun = an_incarnation(instance=None, tried_at=NOW - 9)
    room.tracker.put_incarnation("f", begun, None)
    room.cloud.broken = "no CLI"
    errors = room.executor().execute(a_plan(taking_up(), making(OTHER)))
    assert errors == (f"{NODE}: no CLI", f"{OTHER}: no CLI")
    assert [entry.result for entry in room.story(OUTCOME)] == ["failed: no CLI"] * 2
    assert room.tracker.incarnations("f", [(NODE, 1)])[NODE, 1] == begun


def test_orders_and_drains_were_written_before_a_provisioner_that_fails(room: Room) -> None:
    room.cloud.broken = "the stack is locked by ann"
    room.executor().execute(a_plan(making(OTHER), an_action(Claim(claim=a_claim()))))
    assert set(room.seen().drains) == {NODE}


def test_a_machine_that_the_provisioner_does_not_keep_is_ended_by_us(room: Room) -> None:
    room.cloud.has(a_machine())
    room.cloud.answers[NODE] = Outcome(node=NODE, orphan=a_machine())
    room.executor().execute(a_plan(an_action(Converge(placement=a_placement(present=False)))))
    assert room.cloud.listed["m1"].state is InstanceState.TERMINATED


def test_a_machine_that_could_not_be_ended_is_an_error(room: Room) -> None:
    room.cloud.answers[NODE] = Outcome(node=NODE, orphan=a_machine(node=OTHER))
    room.cloud.failing[OTHER] = "its tags say otherwise"
    errors = room.executor().execute(a_plan(an_action(Converge(placement=a_placement(present=False)))))
    assert errors == (f"{NODE}: its tags say otherwise",)


# ---- the fleet's own -----------------------------------------------------------------------------


def sharing() -> Action:
    return an_action(Share(), node="f", kind=Kind.UPDATE)


def test_what_is_shared_is_made_as_declared_before_machines(room: Room) -> None:
    room.executor().execute(a_plan(making(), sharing()))
    assert room.changes.index("share f") < room.changes.index(f"make {NODE}")


def test_what_is_shared_is_journalled_as_the_fleets(room: Room) -> None:
    room.executor().execute(a_plan(sharing()))
    assert [(entry.node, entry.what) for entry in room.story(OUTCOME)] == [
        (None, "update: make what the machines share as declared")
    ]


def test_labels_are_written_last_and_not_journalled(room: Room) -> None:
    label = Label(machine=a_machine(), tags={"steady:state": "training"})
    room.executor().execute(but(a_plan(), labels=(label,)))
    assert (room.cloud.labelled, room.changes) == ([label], [f"label {NODE}"])


def test_labels_that_fail_stop_nothing(room: Room) -> None:
    room.cloud.failing[NODE] = "throttled"
    label = Label(machine=a_machine(), tags={})
    assert room.executor().execute(but(a_plan(making(OTHER)), labels=(label,))) == ("labels of f: throttled",)
    assert room.cloud.made == [(OTHER, 1)]


@pytest.mark.parametrize("what", ["share", "label", "dismantle"])
def test_an_overtaken_controller_touches_nothing_that_is_shared(room: Room, what: str) -> None:
    executor = room.executor(OVERTAKEN)
    label = Label(machine=a_machine(), tags={})
    does = {
        "share": lambda: executor.execute(a_plan(sharing())),
        "label": lambda: executor.execute(but(a_plan(), labels=(label,))),
        "dismantle": executor.dismantle,
    }
    with pytest.raises(LostLease):
        does[what]()
    assert not [change for change in room.changes if change.startswith(what)]

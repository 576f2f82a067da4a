"""One reading of the world: the provider first, then our own records, and doubt as doubt."""

from __future__ import annotations

from lifecycle.control.observe import RECEIPTS_READ, observe, with_receipts
from lifecycle.tracker.node import NodeTracker
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_machine,
    a_placement,
    a_receipt,
    a_report,
    a_run,
    a_spec,
    an_ended_attempt,
    an_incarnation,
    training,
)
from tests.unit.control.doubles import Hands, Room, quiet


def hands(room: Room) -> Hands:
    return Hands(room.cloud, quiet, room.changes)


def test_an_observation_is_what_provider_and_tracker_hold(room: Room) -> None:
    room.is_as(training())
    seen = observe("f", hands(room), room.tracker, NOW)
    assert seen == training(heard={"m1": a_report()})


def test_a_provider_that_cannot_be_read_leaves_the_machines_unknown(room: Room) -> None:
    room.cloud.has(a_machine())
    room.cloud.away = True
    seen = observe("f", hands(room), room.tracker, NOW)
    assert (seen.machines, seen.unreadable) == (None, "the cloud is away")


def test_our_records_are_read_even_when_the_provider_cannot_be(room: Room) -> None:
    room.is_as(training())
    room.cloud.away = True
    seen = observe("f", hands(room), room.tracker, NOW)
    assert seen.incarnations == {(NODE, 1): an_incarnation()}
    assert seen.reports == {NODE: a_report()}


def test_a_machine_made_while_we_look_is_never_seen_without_its_record(room: Room) -> None:
    """The provider is read first: what appears between the two reads is in the records only."""

    class Meanwhile(Hands):
        def machines(self, fleet: str) -> list:  # type: ignore[type-arg]
            found = list(super().machines(fleet))
            room.tracker.place("f", a_placement(), None)
            return found

    seen = observe("f", Meanwhile(room.cloud, quiet, room.changes), room.tracker, NOW)
    assert (seen.machines, set(seen.placements)) == ((), {NODE})


def test_the_claim_of_a_machine_that_no_placement_names_is_read_too(room: Room) -> None:
    room.tracker.put_incarnation("f", an_incarnation(number=4), None)
    room.cloud.has(a_machine(incarnation=4))
    seen = observe("f", hands(room), room.tracker, NOW)
    assert set(seen.incarnations) == {(NODE, 4)}


def test_a_machine_under_another_nodes_tags_is_known_by_its_agents_word_once_its_node_is_placed_anew(
    room: Room,
) -> None:
    """A replacement was placed, and its making failed: no placement names the old claim any more."""
    room.is_as(training(placements={NODE: a_placement(incarnation=2)}))
    room.cloud.has(a_machine(node="f/t/1"))
    seen = observe("f", hands(room), room.tracker, NOW)
    assert [(machine.node, machine.incarnation) for machine in seen.machines or ()] == [(NODE, 1)]


def test_another_fleets_records_are_not_seen(room: Room) -> None:
    room.tracker.place("g", a_placement(node="g/t/0"), None)
    seen = observe("f", hands(room), room.tracker, NOW)
    assert seen.placements == {}


def test_receipts_are_read_of_a_run_that_needs_a_resume_point(room: Room) -> None:
    room.is_as(training(runs={RUN: a_run(an_ended_attempt())}))
    NodeTracker(room.table, NODE).receive(a_receipt(100))
    seen = with_receipts(a_spec(), observe("f", hands(room), room.tracker, NOW), room.tracker)
    assert seen.receipts == {RUN: (a_receipt(100),)}


def test_receipts_are_not_read_of_a_run_that_trains(room: Room) -> None:
    room.is_as(training())
    NodeTracker(room.table, NODE).receive(a_receipt(100))
    seen = with_receipts(a_spec(), observe("f", hands(room), room.tracker, NOW), room.tracker)
    assert seen.receipts == {}


def test_only_the_newest_receipts_are_read(room: Room) -> None:
    room.is_as(training(runs={RUN: a_run(an_ended_attempt())}))
    for step in range(1, RECEIPTS_READ + 5):
        NodeTracker(room.table, NODE).receive(a_receipt(step))
    seen = with_receipts(a_spec(), observe("f", hands(room), room.tracker, NOW), room.tracker)
    assert [receipt.step for receipt in seen.receipts[RUN]] == list(range(RECEIPTS_READ + 4, 4, -1))

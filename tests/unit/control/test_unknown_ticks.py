"""A world that lies: clocks that jump, lists that lack machines. Nothing is made, nothing ended, all is told."""

from __future__ import annotations

import pytest

from lifecycle.control.loop import Ticked
from lifecycle.planning.status import fleet_status
from tests.builders import (
    NOW,
    a_machine,
    a_placement,
    a_receipt,
    a_report,
    a_run,
    a_spec,
    an_attempt,
    an_incarnation,
    an_order,
    nothing_yet,
)
from tests.unit.control.doubles import Room

NODES = ("f/t/0", "f/t/1", "f/t/2")
RUNS = tuple(f"f.t.main.{number}" for number in range(3))


@pytest.fixture
def busy(room: Room) -> Room:
    """Three nodes that train; one tick has seen them."""
    pairs = list(zip(NODES, RUNS, strict=True))
    room.is_as(
        nothing_yet(
            a_spec(nodes=3),
            machines=tuple(a_machine(id=f"m{node[-1]}", node=node) for node in NODES),
            placements={node: a_placement(node=node) for node in NODES},
            incarnations={(node, 1): an_incarnation(node=node, instance=f"m{node[-1]}") for node in NODES},
            orders={node: an_order(node=node) for node in NODES},
            runs={run: a_run(an_attempt(run=run, node=node), run=run, nodes=(node,)) for node, run in pairs},
        )
    )
    speak(room, 1)
    tick(room)
    return room


def speak(room: Room, sequence: int, at: float | None = None) -> None:
    for node, run in zip(NODES, RUNS, strict=True):
        when = room.clock.now() if at is None else at
        told = {"node": node, "instance": f"m{node[-1]}", "run": run, "sequence": sequence, "at": when}
        room.hears(a_report(receipt=a_receipt(100, run=run, node=node), **told))


def tick(room: Room) -> Ticked:
    return room.controller().tick("f")


def conditions(found: Ticked) -> set[tuple[str, str]]:
    status = fleet_status(found.observed, found.plan, found.record.at)
    return {(each.status, each.reason) for node in status.nodes for each in node.conditions}


def untouched(room: Room) -> bool:
    return not [each for each in room.changes if each.startswith(("make", "end", "power", "-", "drain", "order"))]


def test_an_empty_list_is_waited_for_while_the_agents_speak(busy: Room) -> None:
    busy.cloud.listed.clear()
    for sequence in range(2, 6):
        busy.clock.pass_by(60)
        speak(busy, sequence)
        found = tick(busy)
    assert untouched(busy)
    assert conditions(found) == {("Unknown", "ListDoubtful")}
    assert found.plan.waiting[0].what.startswith("a second look: the provider lists 0 of 3 machines")


def test_the_age_of_the_doubt_is_told_and_ends_with_it(busy: Room) -> None:
    busy.cloud.away = True
    busy.clock.pass_by(60)
    tick(busy)
    busy.clock.pass_by(300)
    found = tick(busy)
    (told, *_) = fleet_status(found.observed, found.plan, found.record.at).nodes[0].conditions
    assert (told.since, told.message) == (NOW + 60, "the cloud is away, for 5m")
    busy.cloud.away = False
    assert tick(busy).record.blind_since is None


def test_machines_that_vanished_with_their_agents_are_made_anew(busy: Room) -> None:
    busy.cloud.listed.clear()
    for _ in range(3):
        busy.clock.pass_by(31)
        tick(busy)
    assert busy.cloud.made == [(node, 2) for node in NODES]


def test_our_own_clock_may_jump_by_an_hour(busy: Room) -> None:
    """The nodes' clocks are right: to us their reports are an hour old from now on."""
    busy.clock.pass_by(3600)
    for sequence in range(2, 6):
        speak(busy, sequence, at=NOW + sequence)
        found = tick(busy)
        busy.clock.pass_by(20)
    assert untouched(busy)
    assert conditions(found) == {("Unknown", "ClockOff")}


def test_a_controller_that_was_away_looks_twice_before_it_calls_an_agent_dead(busy: Room) -> None:
    busy.clock.pass_by(3600)
    found = tick(busy)
    assert untouched(busy)
    assert ("Unknown", "AgentSilent") in conditions(found)
    busy.clock.pass_by(15)
    tick(busy)
    assert sorted(busy.cloud.made) == [(node, 2) for node in NODES]


def test_a_clock_that_went_back_costs_one_tick(busy: Room) -> None:
    busy.clock.pass_by(-3600)
    busy.apply(a_spec(nodes=4))
    found = tick(busy)
    assert (untouched(busy), conditions(found)) == (True, {("Unknown", "ClockWentBack")})
    tick(busy)
    assert busy.cloud.made == [("f/t/3", 1)]


def test_looks_that_only_look_leave_nothing_behind(busy: Room) -> None:
    busy.clock.pass_by(3600)
    with busy.unchanged():
        busy.controller().look("f")
    assert not busy.seen().last_tick.quiet  # type: ignore[union-attr]

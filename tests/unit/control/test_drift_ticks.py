"""Whatever drifts is put back, or told with its reason, within two ticks; and a fight over it is broken off."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.control.loop import Ticked
from lifecycle.model.fleet import Market
from lifecycle.model.ids import NodeName
from lifecycle.model.records import Condition, Status
from lifecycle.model.states import InstanceState
from lifecycle.model.world import Machine
from lifecycle.planning.status import fleet_status
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_machine,
    a_placement,
    a_report,
    a_run,
    a_spec,
    an_ended_attempt,
    an_idle_report,
    an_incarnation,
    but,
    training,
)
from tests.unit.control.doubles import Room

OFF = {"state": InstanceState.STOPPED, "said": "User initiated (2027-01-15 07:59:00 GMT)"}
TAGS = {"Name": NODE, "steady:pool": "t", "steady:node": NODE, "steady:incarnation": "1"}
WORN = {"security_group": "sg-1", "role": "node-1"}
MADE = {
    "market": Market.ON_DEMAND,
    "instance_type": "big",
    "zone": "a",
    "image": "ami-1",
    "tags": TAGS,
    "worn": WORN,
}


def rested_on_aws(room: Room, **drift: str) -> Machine:
    """An on-demand node between two attempts, as declared; `drift` is the spec's."""
    declared = {"market": "on_demand", "instance_types": ["big"], "zones": ["a"], "image": "ami-1"}
    spec = but(a_spec(**declared, drift=drift), provider="aws")
    machine = a_machine(**MADE)
    placed = a_placement(market=Market.ON_DEMAND, instance_type="big", zone="a")
    room.is_as(
        training(
            spec,
            machines=(machine,),
            placements={NODE: placed},
            incarnations={
                (NODE, 1): an_incarnation(market=Market.ON_DEMAND, instance_type="big", zone="a", worn=WORN)
            },
            runs={RUN: a_run(an_ended_attempt(spec))},
            reports={NODE: an_idle_report()},
        )
    )
    return machine


def ticked(room: Room, times: int = 2) -> Ticked:
    for _ in range(times):
        found = room.controller().tick("f")
    return found


def told(found: Ticked) -> str:
    (node,) = fleet_status(found.observed, found.plan, found.record.at).nodes
    return "\n".join(f"{each.reason} {each.message}" for each in node.conditions)


RESTORED = [
    ("power", {}, OFF, "power_on f/t/0"),
    ("market", {"market": "replace"}, {"market": Market.SPOT}, "make f/t/0"),
    ("instance_type", {}, {"instance_type": "small"}, "make f/t/0"),
    ("zone", {}, {"zone": "b"}, "make f/t/0"),
    ("image", {"image": "replace"}, {"image": "ami-0"}, "make f/t/0"),
    ("tags", {}, {"tags": {**TAGS, "Name": "mine"}}, "make f/t/0"),
]


@pytest.mark.parametrize(("field", "policy", "changed", "done"), RESTORED, ids=[row[0] for row in RESTORED])
def test_what_is_to_be_put_back_is_within_two_ticks(
    room: Room, field: str, policy: dict[str, str], changed: dict[str, Any], done: str
) -> None:
    machine = rested_on_aws(room, **policy)
    room.cloud.has(but(machine, **changed))
    ticked(room)
    assert done in room.changes
    assert field in {each.field for each in room.seen().corrections}


REPORTED = [
    ("power", {"power": "report"}, OFF, "declared on, found off"),
    ("market", {}, {"market": Market.SPOT}, "declared on_demand, found spot"),
    ("instance_type", {"instance_type": "report"}, {"instance_type": "small"}, "declared big, found small"),
    ("zone", {"instance_type": "report"}, {"zone": "b"}, "declared a, found b"),
    ("image", {}, {"image": "ami-0"}, "declared ami-1, found ami-0"),
    ("tags", {"tags": "report"}, {"tags": {**TAGS, "Name": "mine"}}, "declared Name=f/t/0, found Name=mine"),
    ("security_group", {}, {"worn": {**WORN, "security_group": "sg-9"}}, "declared sg-1, found sg-9"),
    ("role", {}, {"worn": {"security_group": "sg-1"}}, "declared node-1, found none"),
]


@pytest.mark.parametrize(("field", "policy", "changed", "said"), REPORTED, ids=[row[0] for row in REPORTED])
def test_what_is_only_reported_is_told_and_left_alone(
    room: Room, field: str, policy: dict[str, str], changed: dict[str, Any], said: str
) -> None:
    machine = rested_on_aws(room, **policy)
    room.cloud.has(but(machine, **changed))
    assert f"Drift {field}: {said} (policy: report)" in told(ticked(room))
    assert not [each for each in room.changes if each.startswith(("make", "end", "power"))]


def test_a_foreign_process_is_told_and_left_alone(room: Room) -> None:
    rested_on_aws(room)
    told_by_agent = Condition(
        type="ForeignProcess", status=Status.TRUE, reason="Accelerator", message="miner (pid 7)", since=NOW
    )
    room.hears(an_idle_report(conditions=(told_by_agent,), sequence=8))
    assert "Drift foreign_process: declared none, found miner (pid 7) (policy: report)" in told(ticked(room))


def test_what_trains_is_saved_before_it_is_replaced(room: Room) -> None:
    spec = a_spec(drift={"market": "replace"})
    room.is_as(training(spec, machines=(a_machine(market=Market.ON_DEMAND),), reports={NODE: a_report()}))
    ticked(room)
    assert (room.cloud.made, room.seen().drains[NODE].instance) == ([], "m1")


def fought(room: Room) -> Ticked:
    """Somebody stops the machine, however often it is put back."""
    machine = rested_on_aws(room)
    for _ in range(5):
        room.clock.pass_by(60)
        room.cloud.has(but(machine, **OFF, ended_at=room.clock.now()))
        found = ticked(room, 1)
    return found


def test_a_list_that_is_behind_is_no_fight(room: Room) -> None:
    """It goes on to show the machine as it was before we started it."""
    machine = rested_on_aws(room)
    for _ in range(5):
        room.cloud.has(but(machine, **OFF, ended_at=NOW - 9))
        found = ticked(room, 1)
        room.clock.pass_by(15)
    assert room.changes.count("power_on f/t/0") == 1
    assert "Contested" not in told(found)


def test_after_three_times_it_is_left_alone_and_told_who_changes_it(room: Room) -> None:
    found = fought(room)
    assert room.changes.count("power_on f/t/0") == 3
    assert "Power power was changed again and again (by: User initiated (2027-01-15 07:59:00 GMT))" in told(found)


def test_an_operator_ends_the_fight(room: Room) -> None:
    fought(room)
    room.operator().start(NodeName.parse(NODE), resume=False)
    assert "Contested" not in told(ticked(room, 1))
    assert room.changes.count("power_on f/t/0") == 4


def test_an_hour_ends_the_fight(room: Room) -> None:
    fought(room)
    room.clock.pass_by(3600)
    ticked(room, 1)
    assert room.changes.count("power_on f/t/0") == 4


def test_a_correction_that_failed_is_not_counted(room: Room) -> None:
    machine = rested_on_aws(room)
    room.cloud.has(but(machine, **OFF))
    room.cloud.failing[NODE] = "no capacity"
    ticked(room, 5)
    assert room.seen().corrections == ()

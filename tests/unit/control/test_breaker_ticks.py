"""A fleet whose machines never live: the breaker ends that, and a person lets it go on."""

from __future__ import annotations

from lifecycle.control.loop import Ticked
from lifecycle.model.states import InstanceState
from tests.builders import NODE, a_spec, but
from tests.unit.control.doubles import Room, when


def churn(room: Room, times: int) -> Ticked:
    """Every machine is gone a minute after it was made."""
    for _ in range(times):
        found = room.controller().tick("f")
        room.cloud.listed |= {
            name: but(machine, state=InstanceState.TERMINATED) for name, machine in room.cloud.listed.items()
        }
        room.clock.pass_by(60)
    return found


def test_ten_machines_of_one_node_within_an_hour_are_the_last(room: Room) -> None:
    room.apply(a_spec())
    found = churn(room, 15)
    assert len(room.cloud.made) == 10
    assert [(refusal.node, refusal.guard) for refusal in found.plan.refusals] == [(NODE, "launches per hour")]


def test_a_person_lets_it_go_on(room: Room) -> None:
    room.apply(a_spec())
    churn(room, 15)
    room.operator().unsuspend("f")
    churn(room, 3)
    assert len(room.cloud.made) == 13


def test_a_controller_that_is_killed_forgets_no_machine_it_made(room: Room) -> None:
    room.apply(a_spec())
    for _ in range(15):
        fuse = when("tick", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
        try:
            room.controller(fuse).tick("f")
        except KeyboardInterrupt:
            churn(room, 1)
    assert len(room.cloud.made) == 10

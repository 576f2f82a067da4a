"""The stake of a fleet's stack: taken, kept and left, it is the spec of record; a refusal changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lifecycle.control.register import Application, OfRecord, Register
from lifecycle.model.errors import GuardRefused
from lifecycle.planning.adoption import Consent
from lifecycle.tracker import rows
from tests.builders import a_spec
from tests.unit.control.doubles import Room

SOURCE = Path("specs/f.yaml")


def a_register(room: Room, text: str = "one", source: Path = SOURCE, **said: Any) -> Register:
    spec = said.pop("spec", a_spec())
    asked = Application(spec=spec, text=text, source=source, **said)
    return Register(room.operator(), room.tracker, asked)


def test_what_is_proposed_is_what_adoption_leaves_standing(room: Room) -> None:
    register = a_register(room)
    with room.unchanged():
        proposed = register.proposed()
    register.adopt()
    assert room.seen().record == proposed
    assert register.proposed() == proposed


def test_another_text_and_a_fleet_that_was_to_end_are_another_generation(room: Room) -> None:
    a_register(room).adopt()
    assert a_register(room, "two").proposed().generation == 2
    a_register(room).leave()
    again = a_register(room).proposed()
    assert (again.generation, again.destroying) == (3, False)


def test_leaving_marks_the_fleet_for_its_end(room: Room) -> None:
    a_register(room).adopt()
    a_register(room).leave()
    record = room.seen().record
    assert record is not None
    assert record.destroying


@pytest.mark.parametrize(
    ("asked", "typed"),
    [
        ({"source": Path("other.yaml")}, "`pulumi config set steady:takeOver true`"),
        ({"spec": a_spec(nodes=0)}, "`pulumi config set steady:allowEmpty true`"),
    ],
)
def test_what_adoption_would_refuse_is_said_before_with_what_to_type(
    room: Room, asked: dict[str, Any], typed: str
) -> None:
    a_register(room).adopt()
    with pytest.raises(GuardRefused) as refused:
        a_register(room, "two", **asked).proposed()
    assert typed in refused.value.fix
    consent = Consent(take_over=True, allow_empty=True)
    assert a_register(room, "two", **asked, consent=consent).proposed().generation == 2


def test_what_a_killed_update_left_of_a_stake_goes_before_it_is_made_again(room: Room) -> None:
    for register in (a_register(room), OfRecord(room.tracker, "f")):
        room.table.put("f", rows.STACK, "f", b"{}")
        register.take()
        assert room.table.get("f", rows.STACK, "f") is None


def test_the_controllers_own_update_leaves_record_and_lease_alone(room: Room) -> None:
    a_register(room).adopt()
    before = list(room.changes)
    with room.unchanged():
        OfRecord(room.tracker, "f").adopt()
        OfRecord(room.tracker, "f").leave()
    assert room.changes == before

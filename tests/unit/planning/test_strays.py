"""Strays: ended only with every proof that they are ours and nobody's."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.journal import Quiet
from lifecycle.model.records import Phase
from lifecycle.model.states import InstanceState
from lifecycle.model.world import Observed
from lifecycle.planning.strays import strays
from tests.builders import (
    NODE,
    NOW,
    a_machine,
    a_placement,
    a_record,
    a_report,
    an_idle_report,
    an_incarnation,
    training,
)
from tests.unit.planning.reading import watched


def left_behind(**changes: Any) -> Observed:
    """Incarnation 2 was placed, and machine m1 of incarnation 1 lives on, idle."""
    fields = {"placements": {NODE: a_placement(incarnation=2)}, "reports": {NODE: an_idle_report()}}
    return training(**{**fields, **changes})


def spared(observed: Observed) -> list[str]:
    return [stray.spared for stray in strays(watched(observed, NOW), NOW)]


def test_a_machine_in_its_place_is_no_stray() -> None:
    assert strays(training(), NOW) == ()


def test_machines_that_could_not_be_read_are_no_strays() -> None:
    assert strays(left_behind(machines=None), NOW) == ()


def test_a_machine_that_an_older_incarnation_left_behind_may_be_ended() -> None:
    assert spared(left_behind()) == [""]


@pytest.mark.parametrize("changes", [{"record": None}, {"placements": {}}])
def test_a_machine_that_no_record_or_placement_names_may_be_ended(changes: dict[str, Any]) -> None:
    assert spared(left_behind(**changes)) == [""]


def test_a_machine_newer_than_its_placement_is_somebodys_work_in_progress() -> None:
    assert spared(training(machines=(a_machine(incarnation=2),))) == []


def test_a_machine_that_is_gone_is_no_stray() -> None:
    assert spared(left_behind(machines=(a_machine(state=InstanceState.TERMINATED),))) == []


def test_without_a_creation_claim_it_is_not_proven_ours() -> None:
    assert spared(left_behind(incarnations={(NODE, 2): an_incarnation(number=2)})) == [
        "no creation claim of ours names it"
    ]


@pytest.mark.parametrize(("age", "young"), [(299, True), (300, False)])
def test_a_young_machine_is_spared(age: float, young: bool) -> None:
    assert spared(left_behind(machines=(a_machine(launched_at=NOW - age),))) == [
        "too young to judge: somebody may just be making it" if young else ""
    ]


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.IDLE])
def test_a_machine_whose_agent_reports_a_trainer_is_spared(phase: Phase) -> None:
    report = a_report(phase=phase)
    assert spared(left_behind(record=None, reports={NODE: report})) == ["its agent still reports a trainer"]


def test_the_trainer_of_another_machine_spares_nobody() -> None:
    assert spared(left_behind(reports={NODE: a_report(instance="m2")})) == [""]


def test_a_trainer_whose_clock_is_behind_is_spared() -> None:
    looks = {"m1": Quiet(instance="m1", sequence=7, since=NOW - 2, moved=True)}
    assert spared(left_behind(reports={NODE: a_report(at=NOW - 3600)}, quiet=looks)) != [""]


def test_a_trainer_not_heard_of_for_long_spares_nobody() -> None:
    assert spared(left_behind(reports={NODE: a_report(at=NOW - 31)})) == [""]


def test_a_fleet_in_good_order_has_no_strays_while_it_is_destroyed() -> None:
    assert strays(training(record=a_record(destroying=True)), NOW) == ()

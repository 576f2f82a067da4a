"""What an agent does about its machine's power: keeps it while it is heard, ends it when it is done and alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lifecycle.model.fleet import OnCompletion
from lifecycle.model.journal import Tick
from lifecycle.model.records import Desired
from lifecycle.planning import wants
from lifecycle.planning.wants import ABANDONED_AFTER
from tests.builders import NOW, a_receipt, an_assignment, an_order
from tests.unit.agent.doubles import Switch
from tests.unit.agent.stage import NodeStage


@pytest.fixture
def stage(tmp_path: Path) -> NodeStage:
    staged = NodeStage(tmp_path)
    staged.power = Switch()
    staged.restart()
    return staged


def switch(stage: NodeStage) -> Switch:
    assert stage.power is not None
    return stage.power


def completes(stage: NodeStage, on_completion: OnCompletion = OnCompletion.TERMINATE) -> None:
    stage.begins(on_completion=on_completion)
    stage.trainer.finishes({})
    stage.trainer.exits(0)
    stage.step(3)


def ticks(stage: NodeStage) -> None:
    stage.controller.tick(
        Tick(fleet="f", at=stage.clock.now(), by="somebody", generation=1, actions=0, refused=0, waiting=0), None
    )


def test_the_first_accepted_report_calls_the_first_boots_power_off_off(stage: NodeStage) -> None:
    stage.table.away = True
    stage.step(3)
    assert switch(stage).kept == 0
    stage.table.away = False
    stage.step(3)
    assert switch(stage).kept == 1


def test_a_completed_machine_that_nobody_comes_for_powers_off(stage: NodeStage) -> None:
    completes(stage)
    stage.step(after=ABANDONED_AFTER - 1)
    assert switch(stage).offs == 0
    stage.step(after=1)
    assert switch(stage).offs == 1
    assert "powers off" in stage.journal


def test_a_power_off_that_did_not_work_is_asked_for_again_and_told_once(stage: NodeStage) -> None:
    completes(stage)
    stage.step(after=ABANDONED_AFTER)
    stage.step()
    assert switch(stage).offs == 2
    assert stage.journal.count("powers off") == 1


def test_a_machine_that_goes_down_already_is_not_asked_to(stage: NodeStage) -> None:
    completes(stage)
    stage.agent.shut_down(NOW + 5000)
    stage.step(after=ABANDONED_AFTER)
    assert switch(stage).offs == 0


def test_a_controller_that_comes_by_has_its_reasons(stage: NodeStage) -> None:
    completes(stage)
    stage.clock.pass_by(ABANDONED_AFTER)
    ticks(stage)
    stage.step()
    assert switch(stage).offs == 0
    stage.step(after=ABANDONED_AFTER)
    assert switch(stage).offs == 1


def test_a_tracker_that_is_away_proves_nothing(stage: NodeStage) -> None:
    completes(stage)
    stage.table.away = True
    stage.step(3, after=ABANDONED_AFTER)
    assert switch(stage).offs == 0


@pytest.mark.parametrize("policy", [OnCompletion.KEEP, OnCompletion.STOP])
def test_a_machine_that_was_not_to_end_with_its_run_stays(stage: NodeStage, policy: OnCompletion) -> None:
    completes(stage, policy)
    stage.step(after=ABANDONED_AFTER)
    assert switch(stage).offs == 0


def test_a_failed_run_waits_for_its_controller(stage: NodeStage) -> None:
    stage.begins(on_completion=OnCompletion.TERMINATE)
    stage.trainer.exits(1)
    stage.step(3)
    stage.step(after=ABANDONED_AFTER)
    assert switch(stage).offs == 0


def test_a_receipt_that_is_not_sent_yet_keeps_the_machine(stage: NodeStage) -> None:
    completes(stage)
    stage.agent._remember(unsent=(a_receipt(5),))
    stage.step(after=ABANDONED_AFTER)
    assert (stage.receipts, switch(stage).offs) == ([5], 0)
    stage.step()
    assert switch(stage).offs == 1


@pytest.mark.parametrize("changes", [{"desired": Desired.STOPPED}, {"assignment": None}])
def test_an_order_that_is_for_no_training_ends_no_machine(stage: NodeStage, changes: dict[str, Any]) -> None:
    completes(stage)
    order = an_order(assignment=an_assignment(on_completion=OnCompletion.TERMINATE))
    now = stage.clock.now() + ABANDONED_AFTER
    assert wants.finished(order, stage.agent.state.ended, now)
    other = an_order(**{"assignment": order.assignment, **changes})
    assert not wants.finished(other, stage.agent.state.ended, now)


def test_the_next_attempt_ordered_ends_no_machine(stage: NodeStage) -> None:
    completes(stage)
    order = an_order(assignment=an_assignment(attempt=2, on_completion=OnCompletion.TERMINATE))
    assert not wants.finished(order, stage.agent.state.ended, stage.clock.now() + ABANDONED_AFTER)

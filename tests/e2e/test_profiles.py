"""Trainers that know nothing of us: found, signalled, and taken at their own word for what is complete."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.e2e.stage import Stage, wait_until

TRAINERS = Path(__file__).parent / "trainers"


def declared(stage: Stage, *launcher: str, profile: str = "transformers", arguments: tuple[str, ...] = ()) -> Stage:
    program = [*launcher, str(TRAINERS / "train_in_place.py"), "--journal", str(stage.folder / "journal")]
    train = {"command": [sys.executable, *program, *arguments], "profile": profile}
    return stage.declare(market="on_demand", train=train)


def attempts(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.run()["attempts"]
    return found


def goes_on_where_it_stopped(stage: Stage) -> None:
    """Stops it, starts it, and sees that no step is made twice or left out."""
    stage.reach(20)
    stage.steady("stop", "f/t/0", "--reason", "lunch")
    stage.steady("start", "f/t/0")
    stage.reach(stage.steps()[-1] + 5, attempt=2)
    assert stage.steps() == list(range(1, stage.steps()[-1] + 1))
    assert attempts(stage)[1]["from_step"] == stage.steps(1)[-1]


def test_a_trainer_that_saves_in_place_is_signalled_and_resumed(stage: Stage) -> None:
    declared(stage).apply()
    goes_on_where_it_stopped(stage)


def test_under_a_launcher_the_ranks_are_signalled_and_the_launcher_is_not(stage: Stage) -> None:
    declared(stage, str(TRAINERS / "torchrun"), profile="torchrun").apply()
    goes_on_where_it_stopped(stage)


def test_a_save_that_was_cut_short_is_neither_resumed_from_nor_left_there(stage: Stage) -> None:
    declared(stage, arguments=("--save-every", "100", "--dies-at", "200")).apply()
    stage.controller()
    wait_until(lambda: stage.steps(2), "another attempt")
    assert attempts(stage)[1]["from_step"] == 100
    assert not list((stage.state / "instances").glob("*/runs/*/checkpoints/checkpoint-200"))

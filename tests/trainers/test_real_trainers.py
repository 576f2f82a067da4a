"""Each profile on a real fleet: asked once, saved, and resumed at that very step, several times in a row."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stage import Stage, wait_until
from tests.trainers.cells import CELLS, Cell, Expected
from tests.trainers.environment import ready
from tests.trainers.measured import Stop

pytestmark = [pytest.mark.trainer, pytest.mark.skipif(not ready(), reason="needs `make test-trainers`")]

STOPS = 3
GRACE = "45s"
SOME_STEPS = 20
ROOT = Path(__file__).parents[2]


def declared(stage: Stage, cell: Cell) -> Stage:
    train = {
        "command": cell.command(stage.folder / "journal"),
        "profile": cell.profile,
        "env": {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    }
    checkpoint = {"every": "10m", "save_time": "5s"}
    patience = GRACE if cell.expected is Expected.SAVED else "12s"
    return stage.declare(market="on_demand", train=train, checkpoint=checkpoint, stop={"grace": patience})


def attempts(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.run()["attempts"]
    return found


def trains(stage: Stage, attempt: int) -> int:
    """The first step of this attempt, when it has made some more."""
    wait_until(lambda: len(stage.steps(attempt)) >= SOME_STEPS, f"steps of attempt {attempt}", within=240)
    return stage.steps(attempt)[0]


def exit_of(attempt: dict[str, Any]) -> str:
    """The exit code, as the agent tells it; nothing is told of 0."""
    return str(attempt["detail"]).partition(";")[0].removeprefix("exit code ") or "0"


def stopped(stage: Stage, cell: Cell, number: int) -> Stop:
    """One `steady stop` and one `steady start`."""
    before, began = stage.steps(number)[-1], time.monotonic()
    done = stage.steady("stop", "f/t/0", "--reason", "a test", "--timeout", "170", code=None)
    took, ended = time.monotonic() - began, attempts(stage)[-1]
    if done.returncode != 0:
        return Stop(done.stderr.strip().splitlines()[0], took, exit_of(ended))
    stage.steady("start", "f/t/0")
    return Stop(_fault(stage, cell, number, before), took, exit_of(ended))


def noticed(stage: Stage, cell: Cell, number: int) -> Stop:
    """One spot notice; the controller makes another machine."""
    before = stage.steps(number)[-1]
    stage.steady("local", "notice", "f/t/0", "--lead", "30s")
    wait_until(lambda: len(attempts(stage)) > number, "another attempt", within=120)
    return Stop(_fault(stage, cell, number, before), 0.0, exit_of(attempts(stage)[number - 1]))


def _fault(stage: Stage, cell: Cell, number: int, before: int) -> str:
    """What the ended attempt saved, and where the next one went on, by the trainer's own journal."""
    first, last = trains(stage, number + 1), stage.steps(number)[-1]
    begun = attempts(stage)[number]["from_step"]
    if begun < before - cell.redoes:
        return f"resumed at step {begun}, asked at {before}"
    well = begun == first - 1 and last - begun in (0, cell.redoes)
    return "" if well else f"ended at {last}, resumed at {begun}, went on with {first}"


@pytest.mark.parametrize(
    "cell", [c for c in CELLS if c.expected is Expected.SAVED and not c.by_notice], ids=lambda c: c.id
)
def test_a_stop_saves_and_the_next_attempt_goes_on_from_there(
    stage: Stage, cell: Cell, measured: dict[Cell, list[Stop]]
) -> None:
    declared(stage, cell).apply("--timeout", "300")
    trains(stage, 1)
    for number in range(1, STOPS + 1):
        measured[cell].append(stopped(stage, cell, number))
        if measured[cell][-1].fault:
            break
    assert [stop.fault for stop in measured[cell]] == [""] * STOPS


@pytest.mark.parametrize("cell", [c for c in CELLS if c.by_notice], ids=lambda c: c.id)
def test_a_notice_saves_and_another_machine_goes_on_from_there(
    stage: Stage, cell: Cell, measured: dict[Cell, list[Stop]]
) -> None:
    declared(stage, cell).apply("--timeout", "300")
    stage.controller()
    trains(stage, 1)
    for number in range(1, STOPS + 1):
        measured[cell].append(noticed(stage, cell, number))
    assert [stop.fault for stop in measured[cell]] == [""] * STOPS


@pytest.mark.parametrize("cell", [c for c in CELLS if c.expected is Expected.TRAINS_ON], ids=lambda c: c.id)
def test_one_that_cannot_be_asked_trains_on(stage: Stage, cell: Cell, measured: dict[Cell, list[Stop]]) -> None:
    declared(stage, cell).apply("--timeout", "300")
    trains(stage, 1)
    refused = stage.steady("stop", "f/t/0", "--reason", "a test", code=6)
    at = stage.steps(1)[-1]
    wait_until(lambda: stage.steps(1)[-1] > at, "a step after the refusal")
    measured[cell].append(Stop("" if "no new complete checkpoint" in refused.stderr else refused.stderr))
    assert [stop.fault for stop in measured[cell]] == [""]

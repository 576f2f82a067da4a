"""Processes of others: seen by what they have open, told in the report, never touched."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lifecycle.agent.foreign import EVERY
from lifecycle.agent.supervisor import ACCELERATOR, Supervisor
from lifecycle.model.records import Status
from lifecycle.system import processes
from tests.builders import an_assignment
from tests.unit.agent.stage import NodeStage
from tests.unit.agent.test_supervisor import Subprocesses, until

HOLDER = (
    "import sys, time; held = open(sys.argv[1]); open(sys.argv[2], 'w').write(str(__import__('os').getpid())); "
)
HOLDER += "time.sleep(60)"

Holds = Callable[..., int]


@pytest.fixture
def holds(tmp_path: Path) -> Iterator[Holds]:
    """Starts a process with a file open that is nobody's child any more; returns its pid."""
    started: list[int] = []

    def start(path: Path, **env: str) -> int:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        note = tmp_path / f"pid-{len(started)}"
        command = ["sh", "-c", 'exec "$@" &', "sh", sys.executable, "-c", HOLDER, str(path), str(note)]
        bare = {name: value for name, value in os.environ.items() if not name.startswith("STEADY_")}
        subprocess.run(command, check=True, env={**bare, **env})
        until(lambda: note.exists() and note.read_text(), "the file is held")
        started.append(int(note.read_text()))
        return started[-1]

    yield start
    for pid in started:
        processes.send(pid, signal.SIGKILL)
        until(lambda pid=pid: processes.identify(pid) is None, "it is gone")  # type: ignore[misc]


@pytest.fixture
def supervisor(tmp_path: Path) -> Supervisor:
    """Its accelerators are files of the test."""
    here = Subprocesses(str(tmp_path))
    pattern = f"{tmp_path}/dev/(nvidia[0-9]|kfd)"
    return Supervisor(node="f/t/0", disk=tmp_path / "disk", logs=tmp_path, launcher=here, accelerator=pattern)


def test_who_uses_an_accelerator_is_told_with_name_and_pid(
    supervisor: Supervisor, holds: Holds, tmp_path: Path
) -> None:
    device = tmp_path / "dev" / "nvidia0"
    pid = holds(device)
    (told,) = supervisor.intruders(None)
    assert told.endswith(f" (pid {pid}) uses {device}")
    assert processes.identify(pid) is not None


def test_who_uses_the_runs_checkpoints_is_told(supervisor: Supervisor, holds: Holds) -> None:
    assignment = an_assignment()
    held = supervisor.checkpoint_directory(assignment) / "step-000100"
    pid = holds(held)
    assert [f"(pid {pid}) uses {held}" in told for told in supervisor.intruders(assignment)] == [True]
    assert supervisor.intruders(None) == []


@pytest.mark.parametrize("mark", ["STEADY_RUN_DIR", "STEADY_INSTANCE_ID"])
def test_the_trainer_and_what_it_starts_are_ours(
    supervisor: Supervisor, holds: Holds, tmp_path: Path, mark: str
) -> None:
    holds(tmp_path / "dev" / "nvidia0", **{mark: "any"})
    assert supervisor.intruders(None) == []


def test_the_agent_and_what_it_starts_are_ours(supervisor: Supervisor, tmp_path: Path) -> None:
    device = tmp_path / "dev" / "kfd"
    device.parent.mkdir()
    with device.open("w"):
        assert supervisor.intruders(None) == []


def test_other_files_are_nobodys_business(supervisor: Supervisor, holds: Holds, tmp_path: Path) -> None:
    holds(tmp_path / "dev" / "null")
    assert supervisor.intruders(an_assignment()) == []


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("nvidia0", True),
        ("nvidia-uvm", True),
        ("neuron15", True),
        ("kfd", True),
        ("nvidiactl", False),
        ("null", False),
    ],
)
def test_device_files_that_only_computing_opens(path: str, counts: bool) -> None:
    assert bool(re.match(ACCELERATOR, f"/dev/{path}")) is counts


# ---- the agent tells it ----------------------------------------------------------------------------


@pytest.fixture
def stage(tmp_path: Path) -> NodeStage:
    return NodeStage(tmp_path)


def test_a_stranger_is_a_condition_until_it_is_gone(stage: NodeStage) -> None:
    stage.trainer.strangers = ("miner (pid 7) uses /dev/nvidia0",)
    stage.step()
    told = stage.condition("ForeignProcess")
    assert told is not None
    assert (told.status, told.message) == (Status.TRUE, "miner (pid 7) uses /dev/nvidia0")
    stage.trainer.strangers = ()
    stage.step(after=EVERY)
    assert stage.condition("ForeignProcess") is None


def test_a_look_is_taken_now_and_then_and_for_the_attempt_that_is_here(stage: NodeStage) -> None:
    stage.step()
    stage.begins()
    stage.step(3, after=EVERY)
    assert stage.trainer.searched == [None, 1]


def test_of_many_strangers_some_are_named(stage: NodeStage) -> None:
    stage.trainer.strangers = tuple(f"p{number}" for number in range(5))
    stage.step()
    told = stage.condition("ForeignProcess")
    assert told is not None
    assert told.message == "p0; p1; p2 and 2 more"


def test_strangers_end_nothing_and_keep_nothing_from_training(stage: NodeStage) -> None:
    stage.trainer.strangers = ("miner",)
    stage.begins()
    assert (stage.report.attempt, stage.trainer.kills, stage.trainer.terminations) == (1, 0, 0)

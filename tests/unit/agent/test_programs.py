"""The processes of hooks, real ones: what they are told, what is kept of their output, and their end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lifecycle.agent.programs import OUTPUT_BYTES, Programs
from lifecycle.agent.supervisor import Supervisor
from lifecycle.model.hooks import HookCall, HookPoint
from lifecycle.model.node import HookRun
from lifecycle.ports.trainer import ProcessState
from lifecycle.system import processes
from tests.builders import NODE, NOW, RUN, an_assignment
from tests.unit.adapters.conftest import wait_until
from tests.unit.agent.test_supervisor import Subprocesses

OP = "pre_stop-0-abc"
DAEMON = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open(sys.argv[1], "w").close()
        time.sleep(60)
    os._exit(0)
while not os.path.exists(sys.argv[1]):
    time.sleep(0.01)
time.sleep(float(sys.argv[2]))
"""
"""Leaves a daemon, which ignores SIGTERM as it does itself, and ends after so many seconds."""


class Yard:
    """A node's hooks over plain child processes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.launcher = folder, Subprocesses(str(folder))
        self.supervisor = Supervisor(node=NODE, disk=folder, logs=folder / "logs", launcher=self.launcher)
        self.programs = Programs(self.supervisor, self.launcher, folder / "logs")

    def start(self, code: str, *words: str) -> None:
        call = HookCall(
            point=HookPoint.PRE_STOP,
            index=0,
            op_id=OP,
            command=(sys.executable, "-c", code, *words),
            timeout=60.0,
            may_block=True,
        )
        assignment = an_assignment(workdir=str(self.folder), env={"TEST_MARK": self.launcher.mark})
        facts = {"STEADY_OP_ID": OP, "STEADY_HOOK": "pre_stop"}
        self.programs.start(HookRun(call=call, assignment=assignment, facts=facts, asked_at=NOW))

    def ended(self) -> ProcessState:
        def seen() -> ProcessState | None:
            found = self.programs.look(OP, 1)
            return None if found is None or found.alive else found

        found: ProcessState = wait_until(seen, "it ends")
        return found

    @property
    def output(self) -> str:
        return self.programs.output(RUN, OP)

    @property
    def left(self) -> list[int]:
        return processes.carriers("STEADY_OP_ID", OP)


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    built = Yard(tmp_path)
    yield built
    processes.end_all(lambda: built.left)
    built.launcher.close()


def test_a_hook_runs_where_the_trainer_does_with_its_facts_and_its_own(yard: Yard) -> None:
    names = ["STEADY_RUN_ID", "STEADY_CHECKPOINT_DIR", "STEADY_HOOK", "STEADY_OP_ID"]
    yard.start(f"import os; print(os.getcwd()); [print(os.environ[name]) for name in {names}]")
    yard.ended()
    where = yard.folder / "runs" / RUN / "checkpoints"
    assert yard.output.split() == [str(yard.folder), RUN, str(where), "pre_stop", OP]


def test_the_end_of_a_long_output_is_kept(yard: Yard) -> None:
    yard.start("print('x' * 200_000); print('the end')")
    yard.ended()
    assert (len(yard.output), yard.output.splitlines()[-1]) == (OUTPUT_BYTES, "the end")


@pytest.mark.parametrize(
    ("printed", "kept"),
    [(b"\xff\xfe", "\ufffd\ufffd"), (b"\x1b[2J\x00", "\ufffd[2J\ufffd"), (b"\xc3\xa9\t1\n", "\u00e9\t1\n")],
)
def test_what_is_not_text_is_replaced(yard: Yard, printed: bytes, kept: str) -> None:
    log = yard.folder / "logs" / RUN / f"{OP}.log"
    log.parent.mkdir(parents=True)
    log.write_bytes(printed)
    assert yard.output == kept


def test_a_hook_without_output_has_said_nothing(yard: Yard) -> None:
    assert yard.output == ""


def test_what_a_hook_leaves_running_is_left_alone(yard: Yard) -> None:
    yard.start(DAEMON, str(yard.folder / "begun"), "0")
    assert yard.ended().exit_code == 0
    assert len(yard.left) == 1


def test_the_end_of_a_trainer_is_not_the_end_of_a_hook(yard: Yard) -> None:
    test_what_a_hook_leaves_running_is_left_alone(yard)
    yard.supervisor.kill(an_assignment())
    assert len(yard.left) == 1


def test_a_hook_that_has_to_end_ends_with_its_daemons(yard: Yard) -> None:
    yard.start(DAEMON, str(yard.folder / "begun"), "60")
    wait_until((yard.folder / "begun").exists, "its daemon")
    pid = _pid(yard)
    yard.programs.terminate(OP, pid)
    assert len(yard.left) == 2
    yard.programs.kill(OP, pid)
    assert (yard.left, yard.ended().exit_code) == ([], -9)


def _pid(yard: Yard) -> int:
    found: Any = yard.programs.look(OP, 1)
    return int(found.pid)


def test_a_process_that_forgot_its_environment_is_ended_too(yard: Yard) -> None:
    child = "subprocess.Popen(['sleep', '60'], env={})"
    yard.start(f"import subprocess, time; print({child}.pid, flush=True); time.sleep(60)")
    pid = int(wait_until(lambda: yard.output.split(), "its child")[0])
    yard.programs.kill(OP, _pid(yard))
    assert processes.identify(pid) is None

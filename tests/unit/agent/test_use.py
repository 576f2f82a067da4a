"""How a trainer uses its machine: measured from look to look, unknown where it cannot be, idle only on proof."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lifecycle.agent import use
from lifecycle.agent.use import EVERY, Accelerators, UseMeter
from lifecycle.model.money import Use
from lifecycle.system.processes import cpu_seconds
from tests.builders import NOW
from tests.e2e.stage import wait_until
from tests.unit.agent.doubles import HandClock
from tests.unit.agent.stage import NodeStage


class Trainer:
    """A trainer whose CPU time and step are what the test says, watched by a meter."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock, self.cpu, self.gpu, self.step = HandClock(), 100.0, 0.0, 7
        self.known = True
        monkeypatch.setattr(use, "cpu_seconds", lambda _: self.cpu if self.known else None)
        self.meter = UseMeter(self.clock, lambda: self.gpu)

    def after(self, seconds: float, *, cpu: float = 0.0, steps: int = 0, pid: int | None = 1) -> Use | None:
        self.clock.pass_by(seconds)
        self.cpu, self.step = self.cpu + cpu, self.step + steps
        return self.meter.look(pid, self.step)


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> Trainer:
    met = Trainer(monkeypatch)
    assert met.after(0) is None
    return met


def test_a_trainer_that_rests_is_idle_since_the_look_before(trainer: Trainer) -> None:
    assert trainer.after(EVERY, cpu=0.2) == Use(cpu=0.02, gpu=0.0, idle_since=NOW)


def test_it_stays_idle_since_then(trainer: Trainer) -> None:
    trainer.after(EVERY)
    found = trainer.after(EVERY)
    assert found is not None
    assert found.idle_since == NOW


def test_it_is_not_looked_at_in_between(trainer: Trainer) -> None:
    assert trainer.after(EVERY - 1) is None


@pytest.mark.parametrize(("cpu", "steps", "gpu"), [(1.0, 0, 0.0), (0.0, 1, 0.0), (0.0, 0, 0.05)])
def test_a_core_a_step_or_an_accelerator_at_work_is_not_idle(
    trainer: Trainer, cpu: float, steps: int, gpu: float
) -> None:
    trainer.after(EVERY)
    trainer.gpu = gpu
    found = trainer.after(EVERY, cpu=cpu, steps=steps)
    assert found is not None
    assert found.idle_since is None


def test_after_work_idleness_begins_anew(trainer: Trainer) -> None:
    trainer.after(EVERY)
    trainer.after(EVERY, steps=1)
    found = trainer.after(EVERY)
    assert found is not None
    assert found.idle_since == NOW + 2 * EVERY


def test_what_is_unknown_is_not_idle(trainer: Trainer) -> None:
    trainer.known = False
    assert trainer.after(EVERY) == Use(cpu=None, gpu=0.0)


def test_processes_that_took_their_past_with_them_make_the_use_unknown(trainer: Trainer) -> None:
    assert trainer.after(EVERY, cpu=-5.0) == Use(cpu=None, gpu=0.0)


def test_an_accelerator_that_is_unknown_is_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    met = Trainer(monkeypatch)
    met.meter = UseMeter(met.clock, lambda: None)
    met.after(0)
    assert met.after(EVERY) == Use(cpu=0.0, gpu=None)


def test_another_trainer_is_another_story(trainer: Trainer) -> None:
    trainer.after(EVERY)
    assert trainer.after(EVERY, pid=2) is None
    assert trainer.after(1, pid=None) is None


# ---- the machine ---------------------------------------------------------------------------------


def query(tmp_path: Path, said: str) -> tuple[str, ...]:
    """A program that answers as `nvidia-smi` does."""
    (tmp_path / "said").write_text(said)
    return ("cat", str(tmp_path / "said"))


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    found = tmp_path / "dev"
    found.mkdir()
    (found / "nvidia0").touch()
    return found


def answered(machine: Accelerators) -> float | None:
    """The second answer: the first look only asks."""
    assert machine() is None
    asked = machine._asked
    assert asked is not None
    wait_until(lambda: asked.poll() is not None, "the query ends")
    return machine._answer()


@pytest.mark.parametrize(("said", "share"), [("3\n", 0.03), ("0\n97\n", 0.97), ("[N/A]\n", None), ("", None)])
def test_the_busiest_accelerator_counts(tmp_path: Path, devices: Path, said: str, share: float | None) -> None:
    assert answered(Accelerators(devices, query(tmp_path, said))) == share


def test_a_machine_without_accelerators_uses_none(tmp_path: Path) -> None:
    assert Accelerators(tmp_path, ("no-such-program",))() == 0.0


def test_an_accelerator_that_nothing_here_can_ask_is_unknown(devices: Path) -> None:
    machine = Accelerators(devices, ("no-such-program",))
    assert (machine(), machine()) == (None, None)


WORKER = "while True: pass"
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {WORKER!r}])
sys.stdin.read()
child.kill()
child.wait()
"""


def test_the_work_of_descendants_counts() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE) as parent:
        wait_until(lambda: (cpu_seconds(parent.pid) or 0.0) > 0.5, "its child works")
        parent.communicate()
    assert parent.returncode == 0


def test_a_process_that_is_gone_has_no_use() -> None:
    assert cpu_seconds(2**22 + 1) is None


# ---- told ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("watched", [True, False])
def test_an_agent_tells_of_it_when_it_is_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watched: bool
) -> None:
    monkeypatch.setattr(use, "cpu_seconds", lambda _: 1.0)
    stage = NodeStage(tmp_path)
    stage.begins(watch_use=watched)
    stage.step(after=1)
    stage.step(after=EVERY)
    told = stage.controller.observe("f").reports["f/t/0"].use
    assert (told is not None) is watched

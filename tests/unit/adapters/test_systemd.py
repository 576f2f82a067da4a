"""Attempts under systemd: asked once per boot, and seen how they end. systemd is a double (`doubles/systemd`)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lifecycle.adapters import systemd
from lifecycle.adapters.systemd import SystemdLauncher, SystemdPower, unit_of
from lifecycle.ports.trainer import Launch, ProcessState
from lifecycle.system import processes
from tests.builders import RUN
from tests.doubles.systemd import SystemdDouble
from tests.unit.adapters.conftest import wait_until


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SystemdDouble]:
    double = SystemdDouble(tmp_path / "systemd")
    monkeypatch.setenv("PATH", f"{double.programs}:{os.environ['PATH']}")
    yield double
    double.close()


@pytest.fixture
def launcher(manager: SystemdDouble, tmp_path: Path) -> SystemdLauncher:
    return SystemdLauncher(tmp_path / "attempts")


def a_launch(folder: Path, code: str = "pass", *words: str, command: tuple[str, ...] = ()) -> Launch:
    return Launch(
        run=RUN,
        attempt=1,
        command=command or (sys.executable, "-c", code, *words),
        workdir=str(folder),
        env={"GREETING": "hello $HOME", "PATH": os.defpath},
        log=str(folder / "logs" / "1.log"),
    )


def output(folder: Path) -> str:
    return (folder / "logs" / "1.log").read_text()


def once_ended(launcher: SystemdLauncher) -> ProcessState:
    def seen() -> ProcessState | None:
        found = launcher.look(RUN, 1)
        return None if found is None or found.alive else found

    ended: ProcessState = wait_until(seen, "it ends")
    return ended


def test_an_attempt_that_was_never_started_is_nothing(launcher: SystemdLauncher) -> None:
    assert launcher.look(RUN, 1) is None


def test_words_and_environment_reach_the_trainer_as_they_are(launcher: SystemdLauncher, tmp_path: Path) -> None:
    code = "import os, sys; print(os.environ['GREETING'], sys.argv[1:], os.getcwd())"
    launcher.launch(a_launch(tmp_path, code, "$PATH", "100%", "a b"))
    once_ended(launcher)
    assert output(tmp_path) == f"hello $HOME ['$PATH', '100%', 'a b'] {tmp_path}\n"


@pytest.mark.parametrize(
    ("code", "exit_code"), [("", 0), ("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", -9)]
)
def test_how_it_ended_is_read_afterwards(
    launcher: SystemdLauncher, tmp_path: Path, code: str, exit_code: int
) -> None:
    launcher.launch(a_launch(tmp_path, code))
    assert once_ended(launcher).exit_code == exit_code


def test_a_running_attempt_is_alive_with_its_pid(launcher: SystemdLauncher, tmp_path: Path) -> None:
    launcher.launch(a_launch(tmp_path, "import time; time.sleep(600)"))
    seen = launcher.look(RUN, 1)
    assert seen is not None
    assert (seen.alive, seen.exit_code) == (True, None)
    assert processes.identify(seen.pid) is not None


def test_a_repeat_starts_nothing_whoever_asks(launcher: SystemdLauncher, tmp_path: Path) -> None:
    launcher.launch(a_launch(tmp_path, "print('first')"))
    once_ended(launcher)
    launcher.launch(a_launch(tmp_path, "print('second')"))
    assert output(tmp_path) == "first\n"


def test_an_agent_killed_between_start_and_record_starts_it_no_second_time(
    launcher: SystemdLauncher, tmp_path: Path
) -> None:
    launcher.launch(a_launch(tmp_path, "print('first')"))
    once_ended(launcher)
    (tmp_path / "attempts" / RUN / "1.json").unlink()
    assert launcher.look(RUN, 1) is None
    launcher.launch(a_launch(tmp_path, "print('second')"))
    assert (once_ended(launcher).exit_code, output(tmp_path)) == (0, "first\n")


def test_after_a_reboot_nobody_saw_how_it_ended_and_it_may_start_again(
    launcher: SystemdLauncher, manager: SystemdDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher.launch(a_launch(tmp_path, "import time; time.sleep(600)"))
    manager.reboot()
    monkeypatch.setattr(systemd, "boot_id", lambda: "another boot")
    assert once_ended(launcher).exit_code is None
    launcher.launch(a_launch(tmp_path, "print('again')"))
    assert (once_ended(launcher).exit_code, output(tmp_path)) == (0, "again\n")


def test_while_systemd_does_not_answer_nothing_counts_as_ended(
    launcher: SystemdLauncher, manager: SystemdDouble, tmp_path: Path
) -> None:
    launcher.launch(a_launch(tmp_path, "import time; time.sleep(600)"))
    seen = launcher.look(RUN, 1)
    manager.away()
    assert launcher.look(RUN, 1) == seen
    successor = SystemdLauncher(tmp_path / "attempts").look(RUN, 1)
    assert successor is not None
    assert successor.alive


def test_a_start_that_systemd_refuses_is_an_error_and_is_tried_again(
    launcher: SystemdLauncher, manager: SystemdDouble, tmp_path: Path
) -> None:
    runner = manager.programs / "systemd-run"
    real = runner.read_text()
    runner.write_text("#!/bin/sh\necho 'Failed to connect to bus' >&2; exit 1\n")
    with pytest.raises(OSError, match="Failed to connect to bus"):
        launcher.launch(a_launch(tmp_path))
    runner.write_text(real)
    launcher.launch(a_launch(tmp_path))
    assert once_ended(launcher).exit_code == 0


@pytest.mark.parametrize("command", [("no-such-trainer",), ("./train.sh",)])
def test_a_command_that_is_not_there_ends_with_127_and_says_so(
    launcher: SystemdLauncher, tmp_path: Path, command: tuple[str, ...]
) -> None:
    launcher.launch(a_launch(tmp_path, command=command))
    assert once_ended(launcher).exit_code == 127
    assert output(tmp_path) == f"cannot start: {command[0]}: No such file or directory\n"


def test_a_shutdown_stops_the_agent_first_and_the_trainer_with_its_whole_tree(
    launcher: SystemdLauncher, manager: SystemdDouble, tmp_path: Path
) -> None:
    """What systemd makes of these was seen on the real one; here is that it is told so."""
    launcher.launch(a_launch(tmp_path))
    asked = manager.properties(unit_of(RUN, 1))
    assert (asked["Before"], asked["KillMode"], asked["RemainAfterExit"]) == (systemd.AGENT, "mixed", "yes")


def test_a_hook_may_start_while_the_machine_shuts_down(
    launcher: SystemdLauncher, manager: SystemdDouble, tmp_path: Path
) -> None:
    """No conflict with a shutdown, which would refuse it; no order with the agent, whose end it would wait for."""
    launcher.launch(msgspec.structs.replace(a_launch(tmp_path), hook=True))
    asked = manager.properties(unit_of(RUN, 1))
    assert (asked.get("Before"), asked["DefaultDependencies"], asked["KillMode"]) == (None, "no", "mixed")


def test_power_is_asked_of_systemd(manager: SystemdDouble) -> None:
    SystemdPower().keep()
    SystemdPower().off()
    assert manager.notes == ["shutdown -c", "systemctl poweroff"]


@pytest.mark.usefixtures("manager")
def test_where_systemd_is_not_there_power_is_left_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    SystemdPower().keep()
    SystemdPower().off()

"""The agent's way to start an attempt: asked once per boot of the machine, and seen how it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from lifecycle.adapters.local.launcher import MachineLauncher
from lifecycle.adapters.local.layout import (
    ExitRecord,
    LaunchRequest,
    MachinePaths,
    MachineProcess,
    StartedRecord,
    StateDirectory,
)
from lifecycle.model.fleet import Market
from lifecycle.ports.trainer import Launch
from lifecycle.system.files import read_record, write_record
from lifecycle.system.processes import Identity, boot_id, myself
from tests.builders import NOW, RUN
from tests.unit.adapters.conftest import Premises, wait_until

DEAD = Identity(boot_id(), 2**22 + 1, 1)
ANOTHER = Identity(boot_id(), 2**22 + 2, 1)


@pytest.fixture
def paths(tmp_path: Path) -> MachinePaths:
    """The places of a machine that this very process stands in for."""
    found = StateDirectory(tmp_path).machine("l-1")
    found.records.mkdir(parents=True)
    booted(found, myself())
    return found


def booted(paths: MachinePaths, process: Identity) -> None:
    write_record(paths.process, MachineProcess(process=process, port=1, started_at=NOW))


def a_launch(folder: Path, code: str = "pass", attempt: int = 1) -> Launch:
    return Launch(
        run=RUN,
        attempt=attempt,
        command=(sys.executable, "-c", code),
        workdir=str(folder),
        env={"GREETING": "hello"},
        log=str(folder / f"{attempt}.log"),
    )


def asked(paths: MachinePaths, attempt: int = 1) -> LaunchRequest | None:
    return read_record(paths.attempt(RUN, attempt) / "launch.json", LaunchRequest)


# ---- asking --------------------------------------------------------------------------------------


def test_a_launch_is_asked_of_the_machine_as_it_is_booted_now(paths: MachinePaths, tmp_path: Path) -> None:
    MachineLauncher(paths).launch(a_launch(tmp_path))
    request = asked(paths)
    assert request is not None
    assert (request.machine, request.env, request.attempt) == (myself(), {"GREETING": "hello"}, 1)


def test_a_repeat_in_the_same_boot_asks_nothing(paths: MachinePaths, tmp_path: Path) -> None:
    MachineLauncher(paths).launch(a_launch(tmp_path))
    first = asked(paths)
    MachineLauncher(paths).launch(a_launch(tmp_path, "another"))
    assert asked(paths) == first


def test_after_a_restart_of_the_machine_it_is_asked_again(paths: MachinePaths, tmp_path: Path) -> None:
    MachineLauncher(paths).launch(a_launch(tmp_path))
    booted(paths, ANOTHER)
    MachineLauncher(paths).launch(a_launch(tmp_path))
    request = asked(paths)
    assert request is not None
    assert request.machine == ANOTHER


def test_a_machine_that_has_not_booted_is_asked_nothing(paths: MachinePaths, tmp_path: Path) -> None:
    paths.process.unlink()
    MachineLauncher(paths).launch(a_launch(tmp_path))
    assert asked(paths) is None


def test_two_attempts_are_two_requests(paths: MachinePaths, tmp_path: Path) -> None:
    for attempt in (1, 2):
        MachineLauncher(paths).launch(a_launch(tmp_path, attempt=attempt))
    assert asked(paths, 1) != asked(paths, 2)


# ---- looking -------------------------------------------------------------------------------------


def started(paths: MachinePaths, process: Identity | None, machine: Identity) -> Path:
    place = paths.attempt(RUN, 1)
    place.mkdir(parents=True)
    write_record(place / "process.json", StartedRecord(machine=machine, process=process, started_at=NOW))
    return place


def test_an_attempt_that_was_never_started_is_nothing(paths: MachinePaths) -> None:
    assert MachineLauncher(paths).look(RUN, 1) is None


def test_an_attempt_that_is_asked_for_and_not_yet_started_is_nothing(paths: MachinePaths, tmp_path: Path) -> None:
    MachineLauncher(paths).launch(a_launch(tmp_path))
    assert MachineLauncher(paths).look(RUN, 1) is None


def test_a_started_attempt_is_alive(paths: MachinePaths) -> None:
    started(paths, myself(), myself())
    seen = MachineLauncher(paths).look(RUN, 1)
    assert seen is not None
    assert (seen.pid, seen.alive, seen.started_at, seen.exit_code) == (os.getpid(), True, NOW, None)


@pytest.mark.parametrize("code", [0, 3, -9])
def test_an_ended_attempt_has_its_exit_code(paths: MachinePaths, code: int) -> None:
    place = started(paths, myself(), myself())
    write_record(place / "exit.json", ExitRecord(code=code, at=NOW))
    seen = MachineLauncher(paths).look(RUN, 1)
    assert seen is not None
    assert (seen.alive, seen.exit_code) == (False, code)


def test_a_dead_process_is_alive_until_its_machine_has_recorded_its_end(paths: MachinePaths) -> None:
    started(paths, DEAD, myself())
    seen = MachineLauncher(paths).look(RUN, 1)
    assert seen is not None
    assert seen.alive


def test_a_process_that_outlived_its_machine_is_alive(paths: MachinePaths) -> None:
    started(paths, myself(), DEAD)
    seen = MachineLauncher(paths).look(RUN, 1)
    assert seen is not None
    assert seen.alive


def test_when_machine_and_process_are_gone_nobody_saw_how_it_ended(paths: MachinePaths) -> None:
    started(paths, DEAD, ANOTHER)
    seen = MachineLauncher(paths).look(RUN, 1)
    assert seen is not None
    assert (seen.alive, seen.exit_code) == (False, None)


def test_a_command_that_could_not_be_started_has_ended_and_no_process(paths: MachinePaths) -> None:
    place = started(paths, None, myself())
    write_record(place / "exit.json", ExitRecord(code=127, at=NOW))
    seen = MachineLauncher(paths).look(RUN, 1)
    assert seen is not None
    assert (seen.pid, seen.alive, seen.exit_code) == (0, False, 127)


# ---- with a real machine -------------------------------------------------------------------------


def launcher_of(premises: Premises, market: Market = Market.SPOT) -> tuple[MachineLauncher, MachinePaths]:
    paths = premises.state.machine(premises.make(market=market).id)
    return MachineLauncher(paths), paths


def ended(launcher: MachineLauncher, attempt: int = 1) -> bool:
    seen = launcher.look(RUN, attempt)
    return seen is not None and not seen.alive


def test_a_machine_starts_what_it_is_asked_to_with_its_id_and_its_environment(
    premises: Premises, tmp_path: Path
) -> None:
    launcher, paths = launcher_of(premises)
    code = "import os; print(os.environ['GREETING'], os.environ['STEADY_INSTANCE_ID'], os.getcwd())"
    launcher.launch(a_launch(tmp_path, code))
    wait_until(lambda: ended(launcher), "it ends")
    assert (tmp_path / "1.log").read_text() == f"hello {paths.records.name} {tmp_path}\n"


@pytest.mark.parametrize(
    ("code", "exit_code"), [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", -9)]
)
def test_a_machine_records_how_an_attempt_ended(
    premises: Premises, tmp_path: Path, code: str, exit_code: int
) -> None:
    launcher, _ = launcher_of(premises)
    launcher.launch(a_launch(tmp_path, code))
    wait_until(lambda: ended(launcher), "it ends")
    seen = launcher.look(RUN, 1)
    assert seen is not None
    assert seen.exit_code == exit_code


def test_a_command_that_is_not_there_ends_with_127_and_says_so(premises: Premises, tmp_path: Path) -> None:
    launcher, _ = launcher_of(premises)
    launch = Launch(
        run=RUN, attempt=1, command=("no-such-program",), workdir=str(tmp_path), env={}, log=str(tmp_path / "1.log")
    )
    launcher.launch(launch)
    wait_until(lambda: ended(launcher), "it ends")
    assert (tmp_path / "1.log").read_text() == "cannot start: no-such-program: No such file or directory\n"


def test_a_started_attempt_is_not_started_again_by_a_restarted_machine(premises: Premises, tmp_path: Path) -> None:
    launcher, paths = launcher_of(premises, Market.ON_DEMAND)
    launcher.launch(a_launch(tmp_path, "print('once')"))
    wait_until(lambda: ended(launcher), "it ends")
    premises.provider.power_off(premises.only())
    premises.provider.power_on(premises.becomes("stopped"))
    wait_until(paths.process.exists, "it boots again")
    launcher.launch(a_launch(tmp_path, "print('next')", attempt=2))
    wait_until(lambda: ended(launcher, 2), "the next attempt ends")
    assert (tmp_path / "1.log").read_text() == "once\n"

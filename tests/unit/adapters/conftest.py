"""A state directory per test. Whatever machine a test starts is ended, and nothing of it may be left."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lifecycle.adapters.local.layout import MachineProcess, StateDirectory
from lifecycle.adapters.local.provider import LocalProvider
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.records import Placement
from lifecycle.model.world import Machine
from lifecycle.system import processes
from lifecycle.system.files import read_record
from tests.builders import a_placement
from tests.unit.adapters.metadata_service import Service

PATIENCE = 30.0


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"did not happen: {what}"
        time.sleep(0.02)
    return found


class Premises:
    """This computer as a cloud, for one test: a state directory and the machines made there."""

    def __init__(self, path: Path) -> None:
        self.state = StateDirectory(path)
        self.state.prepare()
        self.spec: FleetSpec | None = None
        self.provider = LocalProvider(self.state, lambda _: self.spec)

    def make(self, **placement: Any) -> Machine:
        """The running machine that this placement makes."""
        placed = a_placement(**placement)
        outcomes = self.provider.converge("f", [placed])
        assert [outcome.error for outcome in outcomes] == [""]
        return self.up(placed)

    def up(self, placed: Placement) -> Machine:
        """Waits until that incarnation has booted."""

        def booted() -> Machine | None:
            found = [m for m in self.listed() if m.node == placed.node and m.incarnation == placed.incarnation]
            return found[0] if found and read_record(self.process_file(found[0]), MachineProcess) else None

        machine: Machine = wait_until(booted, f"{placed.node} boots")
        return machine

    def listed(self) -> list[Machine]:
        return list(self.provider.machines("f"))

    def only(self) -> Machine:
        (machine,) = self.listed()
        return machine

    def becomes(self, state: str) -> Machine:
        """The only machine, once the list shows this state."""
        wait_until(lambda: self.only().state == state, f"the machine is {state}")
        return self.only()

    def process_file(self, machine: Machine) -> Path:
        return self.state.machine(machine.id).process

    def carriers(self, machine: Machine | str) -> list[int]:
        """The processes of a machine: whoever carries its id."""
        name = machine if isinstance(machine, str) else machine.id
        found = processes.carriers("STEADY_INSTANCE_ID", name)
        return [pid for pid in found if processes.identify(pid) is not None]

    def close(self) -> None:
        names = [folder.name for folder in self.state.machines.iterdir()] if self.state.machines.is_dir() else []
        shutil.rmtree(self.state.machines, ignore_errors=True)
        for name in names:
            processes.end_all(lambda name=name: self.carriers(name))  # type: ignore[misc]
        for child in self.provider._children:
            child.wait(PATIENCE)
        left = [pid for name in names for pid in self.carriers(name)]
        assert left == [], "a process of a machine was left"


@pytest.fixture
def premises(tmp_path: Path) -> Iterator[Premises]:
    built = Premises(tmp_path / "state")
    yield built
    built.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Service]:
    built = Service()
    yield built
    built.close()

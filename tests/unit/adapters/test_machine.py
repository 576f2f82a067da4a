"""A local machine, in this process: what counts as its first start of training."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lifecycle.adapters.local.layout import LaunchRequest, MachineRecord, StateDirectory
from lifecycle.adapters.local.machine import LocalMachine
from lifecycle.model.fleet import Market
from lifecycle.system.processes import myself
from tests.builders import NODE, NOW


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[LocalMachine]:
    state = StateDirectory(tmp_path)
    record = MachineRecord(
        id="l-1", fleet="f", node=NODE, incarnation=1, market=Market.SPOT, created_at=NOW, tags={}
    )
    made = LocalMachine(state, state.machine("l-1"), record)
    yield made
    for pid in made._running:
        os.waitpid(pid, 0)
    made._server._server.shutdown()
    made._server._server.server_close()


def begins(machine: LocalMachine, folder: Path, *, hook: bool) -> float | None:
    """When training counts as begun, after this start."""
    place = folder / f"place-{hook}"
    place.mkdir()
    request = LaunchRequest(
        machine=myself(),
        run="r",
        attempt=1,
        command=("true",),
        workdir="/",
        env={},
        log=str(folder / "log"),
        hook=hook,
    )
    machine._start(place, request)
    return machine._first_start


def test_the_spec_s_notices_count_from_the_first_trainer_not_from_a_hook(
    machine: LocalMachine, tmp_path: Path
) -> None:
    assert begins(machine, tmp_path, hook=True) is None
    assert begins(machine, tmp_path, hook=False) is not None

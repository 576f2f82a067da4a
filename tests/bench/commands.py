"""Whole commands, cold: interpreter start included."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

from lifecycle.adapters.local.layout import MachineProcess, MachineRecord, StateDirectory
from lifecycle.adapters.local.table import SqliteTable
from lifecycle.model.ids import NodeName
from lifecycle.model.tags import identity
from lifecycle.system.files import write_record
from lifecycle.system.processes import myself
from lifecycle.tracker.controller import ControllerTracker
from lifecycle.tracker.node import NodeTracker
from tests.bench.pure import a_big_fleet
from tests.builders import but

EXAMPLE = Path(__file__).parents[2] / "specs" / "examples" / "demo.yaml"
RUNS = 11


def cold(*arguments: str) -> float:
    """The median wall time of a command in seconds."""
    command = [sys.executable, "-m", "lifecycle", *arguments]
    times = []
    for _ in range(RUNS + 1):
        began = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def recorded(folder: Path, count: int) -> Path:
    """A state directory in which `count` nodes train, as far as its records say; returns the spec."""
    spec = folder / "big.yaml"
    pool = {"nodes": count, "train": {"command": ["python", "train.py"]}}
    spec.write_text(yaml.safe_dump({"version": 1, "fleet": "f", "provider": "local", "pools": {"t": pool}}))
    state = StateDirectory(folder / "state")
    state.prepare()
    table = SqliteTable(state.tracker)
    tracker = ControllerTracker(table)
    _, observed = a_big_fleet(count)
    now = time.time()
    assert observed.record is not None
    tracker.set_spec(but(observed.record, source=str(spec)), None)
    for node, placement in observed.placements.items():
        tracker.place("f", placement, None)
        tracker.order("f", observed.orders[node], None)
        tracker.put_incarnation("f", observed.incarnations[node, 1], None)
        NodeTracker(table, node).report(but(observed.reports[node], at=now + 60))
    for run in observed.runs.values():
        tracker.put_run("f", run, None)
    for machine in observed.machines or ():
        _record_machine(state, machine.id, machine.node, now)
    return spec


def _record_machine(state: StateDirectory, name: str, node: str, now: float) -> None:
    """A machine whose process is this one: alive, as far as anybody can see."""
    paths = state.machine(name)
    paths.records.mkdir(parents=True)
    tags = identity(state.owner, NodeName.parse(node), 1)
    record = MachineRecord(
        id=name, fleet="f", node=node, incarnation=1, market="spot", created_at=now - 60, tags=tags
    )
    write_record(paths.record, record)
    write_record(paths.process, MachineProcess(process=myself(), port=1, started_at=now - 60))


def bench(folder: Path) -> Iterator[tuple[str, str, float, float, str]]:
    note = f"median of {RUNS} cold runs"
    yield "steady --help", "s", cold("--help"), 0.25, note
    yield "steady validate", "s", cold("validate", str(EXAMPLE)), 0.25, note
    spec = recorded(folder, 100)
    seen = cold("--state", str(folder / "state"), "plan", str(spec))
    yield "steady plan, 100 nodes in the tracker", "s", seen, 0.5, note

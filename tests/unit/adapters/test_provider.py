"""Real machines of this computer: made once, seen with their tags, ended to the last process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from lifecycle.adapters.local.layout import EndedRecord, MachineProcess, StateDirectory
from lifecycle.adapters.local.provider import FORGET_AFTER, LocalProvider, machine_id
from lifecycle.model.codec import convert
from lifecycle.model.errors import Unreadable
from lifecycle.model.fleet import Local, Market
from lifecycle.model.states import Cause, InstanceState
from lifecycle.model.world import Machine
from lifecycle.system.files import read_record, write_record
from tests.builders import NODE, a_placement, a_spec, but
from tests.unit.adapters.conftest import Premises, wait_until

ON_DEMAND = Market.ON_DEMAND


def process_of(premises: Premises, machine: Machine) -> MachineProcess:
    found = read_record(premises.process_file(machine), MachineProcess)
    assert found is not None
    return found


def machine_processes(premises: Premises, machine: Machine) -> list[int]:
    """The processes of the machine that are it: not its agent."""
    module = "lifecycle.adapters.local.machine"
    return [pid for pid in premises.carriers(machine) if module in psutil.Process(pid).cmdline()]


# ---- making --------------------------------------------------------------------------------------


def test_a_made_machine_runs_and_is_of_its_placement(premises: Premises) -> None:
    machine = premises.make(incarnation=3, zone="z1", instance_type="small")
    assert (machine.node, machine.incarnation, machine.market) == (NODE, 3, Market.SPOT)
    assert (machine.state, machine.zone, machine.instance_type) == (InstanceState.RUNNING, "z1", "small")


def test_a_made_machine_carries_every_tag_of_its_identity(premises: Premises) -> None:
    assert premises.make(incarnation=3).tags == {
        "steady:owner": premises.state.owner,
        "steady:fleet": "f",
        "steady:pool": "t",
        "steady:node": NODE,
        "steady:incarnation": "3",
        "Name": NODE,
    }


def test_an_incarnation_is_made_once_however_often_it_is_asked_for(premises: Premises) -> None:
    first = premises.make()
    process = process_of(premises, first)
    again = LocalProvider(StateDirectory(premises.state.path), lambda _: None)
    again.converge("f", [a_placement()])
    assert [machine.id for machine in premises.listed()] == [first.id]
    assert process_of(premises, first) == process


def test_a_second_process_of_a_machine_leaves_it_to_the_first(premises: Premises) -> None:
    machine = premises.make()
    command = [sys.executable, "-m", "lifecycle.adapters.local.machine", str(premises.state.path), machine.id]
    assert subprocess.run(command, timeout=30, check=False).returncode == 0
    assert machine_processes(premises, machine) == [process_of(premises, machine).process.pid]


def test_the_next_incarnation_ends_the_one_before(premises: Premises) -> None:
    first = premises.make()
    second = premises.make(incarnation=2)
    assert [m.id for m in premises.listed() if m.live] == [second.id]
    assert premises.carriers(first) == []


def test_one_node_is_converged_without_the_others(premises: Premises) -> None:
    first, other = premises.make(), premises.make(node="f/t/1")
    premises.provider.converge("f", [a_placement(present=False)])
    assert [(m.id, m.state) for m in premises.listed() if m.live] == [(other.id, InstanceState.RUNNING)]
    assert premises.carriers(first) == []


def test_ids_differ_by_owner_node_and_incarnation() -> None:
    placements = [a_placement(), a_placement(incarnation=2), a_placement(node="f/t/1")]
    ids = {machine_id(owner, placement) for placement in placements for owner in ("one", "two")}
    assert len(ids) == 6


def test_notices_of_the_spec_are_planned_for_the_node_they_name(premises: Premises) -> None:
    notice = {"node": "t/1", "after": "5s", "lead": "9s"}
    premises.spec = but(a_spec(nodes=2), local=convert({"notices": [notice]}, Local))
    first, second = premises.spec.nodes()
    assert list(premises.provider._schedule(first)) == []
    (planned,) = premises.provider._schedule(second)
    assert (planned.after, planned.lead, planned.cause) == (5.0, 9.0, Cause.SPOT)


# ---- seeing --------------------------------------------------------------------------------------


def test_another_owners_machines_are_not_seen_and_not_ended(premises: Premises) -> None:
    machine = premises.make()
    (premises.state.path / "owner").write_text("local-somebody-else\n")
    premises.provider.converge("f", [a_placement(present=False)])
    assert premises.listed() == []
    assert premises.carriers(machine) != []


def test_a_state_directory_that_nobody_used_has_no_machines(tmp_path: Path) -> None:
    provider = LocalProvider(StateDirectory(tmp_path / "fresh"), lambda _: None)
    assert list(provider.machines("f")) == []
    assert not (tmp_path / "fresh").exists()


@pytest.mark.parametrize("how", ["gone", "a file"])
def test_machines_that_cannot_be_listed_are_unreadable(premises: Premises, how: str) -> None:
    premises.state.machines.rmdir()
    if how == "a file":
        premises.state.machines.touch()
    with pytest.raises(Unreadable):
        premises.listed()


@pytest.mark.parametrize("record", ["", "{", '{"id": 7}'])
def test_a_machine_whose_record_says_nothing_is_not_a_machine_that_is_gone(premises: Premises, record: str) -> None:
    premises.make()
    (path,) = premises.state.machines.glob("l-*/machine.json")
    whole = path.read_text()
    path.write_text(record)
    with pytest.raises(Unreadable, match=r"machine\.json"):
        premises.listed()
    path.write_text(whole)


def test_without_the_owner_nobody_can_say_whose_machines_these_are(premises: Premises) -> None:
    premises.make()
    (premises.state.path / "owner").unlink()
    with pytest.raises(Unreadable, match="owner"):
        premises.listed()


def test_a_machine_that_says_it_ended_counts_as_ended_once_its_process_is_gone(premises: Premises) -> None:
    machine = premises.make()
    os.kill(process_of(premises, machine).process.pid, signal.SIGSTOP)
    write_record(
        premises.state.machine(machine.id).ended, EndedRecord(state=InstanceState.TERMINATED, at=time.time())
    )
    assert (premises.only().state, premises.only().ending) == (InstanceState.RUNNING, True)


# ---- stopping and starting -----------------------------------------------------------------------


def test_a_stopped_machine_keeps_its_disk_and_has_no_process(premises: Premises) -> None:
    machine = premises.make(market=ON_DEMAND)
    kept = premises.state.machine(machine.id).disk / "kept"
    kept.touch()
    premises.provider.power_off(machine)
    premises.becomes("stopped")
    assert (kept.exists(), premises.carriers(machine)) == (True, [])


def test_a_started_machine_is_the_same_one_with_another_boot(premises: Premises) -> None:
    machine = premises.make(market=ON_DEMAND)
    before = process_of(premises, machine).process
    premises.provider.power_off(machine)
    premises.provider.power_on(premises.becomes("stopped"))
    started = premises.becomes("running")
    wait_until(lambda: premises.process_file(machine).exists(), "it boots")
    assert (started.id, process_of(premises, machine).process == before) == (machine.id, False)


def test_starting_a_machine_that_runs_changes_nothing(premises: Premises) -> None:
    machine = premises.make(market=ON_DEMAND)
    before = process_of(premises, machine)
    premises.provider.power_on(machine)
    assert process_of(premises, machine) == before


def test_a_terminated_machine_cannot_be_started(premises: Premises) -> None:
    machine = premises.make(market=ON_DEMAND)
    premises.provider.end_stray(machine)
    premises.provider.power_on(machine)
    assert (premises.only().state, premises.carriers(machine)) == (InstanceState.TERMINATED, [])


# ---- ending --------------------------------------------------------------------------------------


def test_an_ended_machine_has_neither_process_nor_disk(premises: Premises) -> None:
    machine = premises.make()
    premises.provider.converge("f", [a_placement(present=False)])
    assert premises.only().state is InstanceState.TERMINATED
    assert (premises.carriers(machine), premises.state.machine(machine.id).disk.exists()) == ([], False)


def test_a_stopped_machine_that_is_ended_loses_its_disk(premises: Premises) -> None:
    machine = premises.make(market=ON_DEMAND)
    premises.provider.power_off(machine)
    premises.becomes("stopped")
    premises.provider.converge("f", [a_placement(present=False)])
    assert premises.only().state is InstanceState.TERMINATED
    assert not premises.state.machine(machine.id).disk.exists()


def test_a_stray_is_ended_and_a_repeat_does_nothing(premises: Premises) -> None:
    machine = premises.make()
    premises.provider.end_stray(machine)
    ended = premises.only()
    premises.provider.end_stray(machine)
    assert (ended.state, ended.cause, premises.only()) == (InstanceState.TERMINATED, Cause.CONTROLLER, ended)


def escape_from(machine: Machine) -> subprocess.Popen[bytes]:
    """A process of that machine that no longer descends from it."""
    code = "import time; time.sleep(60)"
    return subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "STEADY_INSTANCE_ID": machine.id})


def test_a_process_that_slipped_away_ends_with_its_machine(premises: Premises) -> None:
    machine = premises.make()
    escaped = escape_from(machine)
    premises.provider.converge("f", [a_placement(present=False)])
    assert escaped.wait(30) == -signal.SIGKILL


def test_what_a_dead_machine_left_behind_is_ended_by_its_id(premises: Premises) -> None:
    machine = premises.make()
    escaped = escape_from(machine)
    os.kill(process_of(premises, machine).process.pid, signal.SIGKILL)
    wait_until(lambda: premises.only().impaired, "it is impaired")
    premises.provider.converge("f", [a_placement(present=False)])
    assert (premises.only().state, premises.carriers(machine)) == (InstanceState.TERMINATED, [])
    assert escaped.wait(30) == -signal.SIGKILL


def test_a_machine_is_not_terminated_while_a_process_carries_its_id(premises: Premises) -> None:
    machine = premises.make()
    escaped = escape_from(machine)
    for pid in premises.carriers(machine):
        if pid != escaped.pid:
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: premises.carriers(machine) == [escaped.pid], "only the escaped one is left")
    assert wait_until(lambda: premises.only().impaired, "it is impaired")
    assert premises.only().state is InstanceState.RUNNING
    escaped.kill()
    escaped.wait(30)
    assert premises.only().state is InstanceState.TERMINATED


@pytest.mark.parametrize(
    ("market", "state"), [(Market.SPOT, InstanceState.TERMINATED), (ON_DEMAND, InstanceState.STOPPED)]
)
def test_what_a_reboot_leaves_of_a_machine(premises: Premises, market: Market, state: InstanceState) -> None:
    machine = premises.make(market=market)
    for pid in premises.carriers(machine):
        os.kill(pid, signal.SIGKILL)
    assert premises.becomes(state).cause is Cause.HARDWARE
    assert premises.state.machine(machine.id).disk.exists() is (state is InstanceState.STOPPED)


def test_a_machine_whose_disk_vanished_ends_by_itself(premises: Premises) -> None:
    machine = premises.make()
    shutil.rmtree(premises.state.machine(machine.id).disk)
    ended = premises.becomes("terminated")
    assert (ended.cause, premises.carriers(machine)) == (Cause.HARDWARE, [])


def test_a_machine_whose_records_vanished_ends_everything(premises: Premises) -> None:
    machine = premises.make()
    shutil.rmtree(premises.state.machine(machine.id).records)
    wait_until(lambda: premises.carriers(machine) == [], "everything ends")
    assert premises.listed() == []


def test_a_machine_that_is_told_to_end_is_shown_as_ending(premises: Premises) -> None:
    machine = premises.make()
    os.kill(process_of(premises, machine).process.pid, signal.SIGSTOP)
    premises.state.machine(machine.id).want.write_bytes(b'{"power":"terminated"}')
    assert (premises.only().state, premises.only().ending) == (InstanceState.RUNNING, True)


# ---- forgetting ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("age", "left"), [(FORGET_AFTER - 60, 1), (FORGET_AFTER + 60, 0)])
def test_ended_machines_are_forgotten_after_an_hour(premises: Premises, age: float, left: int) -> None:
    machine = premises.make()
    premises.provider.end_stray(machine)
    ended = EndedRecord(state=InstanceState.TERMINATED, at=time.time() - age)
    write_record(premises.state.machine(machine.id).ended, ended)
    premises.provider.converge("f", [])
    assert len(premises.listed()) == left


def test_a_stopped_machine_is_never_forgotten(premises: Premises) -> None:
    machine = premises.make(market=ON_DEMAND)
    premises.provider.power_off(machine)
    premises.becomes("stopped")
    ended = EndedRecord(state=InstanceState.STOPPED, at=time.time() - 10 * FORGET_AFTER)
    write_record(premises.state.machine(machine.id).ended, ended)
    premises.provider.converge("f", [])
    assert premises.only().state is InstanceState.STOPPED

"""The spot market in your hand: notices, a broken host, a person who stops a machine."""

from __future__ import annotations

import time

import pytest

from lifecycle.adapters.local.console import LocalConsole
from lifecycle.adapters.local.layout import MachineProcess, StandingNotice
from lifecycle.adapters.metadata import InstanceMetadata
from lifecycle.model.errors import GuardRefused, SteadyError, WrongUsage
from lifecycle.model.fleet import Market
from lifecycle.model.ids import NodeName
from lifecycle.model.states import Cause, InstanceState
from lifecycle.model.world import Machine
from lifecycle.system.clock import SystemClock
from lifecycle.system.files import read_record
from tests.builders import NODE, a_placement
from tests.unit.adapters.conftest import Premises

HERE = NodeName.parse(NODE)


@pytest.fixture
def console(premises: Premises) -> LocalConsole:
    return LocalConsole(premises.state, premises.provider)


def standing(premises: Premises, machine: Machine) -> tuple[StandingNotice, ...]:
    return read_record(premises.state.machine(machine.id).notices, tuple[StandingNotice, ...]) or ()


# ---- notices -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lead", "expected"), [(None, 120.0), (45.0, 45.0)])
def test_a_notice_has_its_lead_or_two_minutes(
    premises: Premises, console: LocalConsole, lead: float | None, expected: float
) -> None:
    machine = premises.make()
    notice = console.notice(HERE, Cause.SPOT, lead)
    assert notice.deadline == notice.at + expected
    assert standing(premises, machine) == (notice,)


def test_rebalance_with_a_lead_is_refused_and_gives_no_notice(premises: Premises, console: LocalConsole) -> None:
    machine = premises.make()
    with pytest.raises(WrongUsage, match="rebalance is advice"):
        console.notice(HERE, Cause.REBALANCE, 10.0)
    assert standing(premises, machine) == ()


def test_a_second_notice_stands_beside_the_first(premises: Premises, console: LocalConsole) -> None:
    machine = premises.make()
    given = [console.notice(HERE, cause, 60.0) for cause in (Cause.SPOT, Cause.MAINTENANCE)]
    assert standing(premises, machine) == tuple(given)


def test_a_machine_reads_its_notice_from_its_own_metadata_service(
    premises: Premises, console: LocalConsole
) -> None:
    machine = premises.make()
    given = console.notice(HERE, Cause.SPOT, 60.0)
    process = read_record(premises.process_file(machine), MachineProcess)
    assert process is not None
    client = InstanceMetadata(SystemClock(), f"http://127.0.0.1:{process.port}/")
    (seen,) = client.notices()
    client._connection.close()
    assert (seen.cause, seen.deadline) == (Cause.SPOT, pytest.approx(given.deadline, abs=0.001))


def test_at_its_deadline_the_machine_is_taken_for_that_cause(premises: Premises, console: LocalConsole) -> None:
    machine = premises.make()
    console.notice(HERE, Cause.SPOT, 0.3)
    ended = premises.becomes("terminated")
    assert (ended.cause, premises.carriers(machine)) == (Cause.SPOT, [])


def test_before_its_deadline_the_machine_runs_on(premises: Premises, console: LocalConsole) -> None:
    machine = premises.make()
    deadline = console.notice(HERE, Cause.SPOT, 60.0).deadline
    assert premises.only().id == machine.id
    assert (premises.only().state, time.time() < (deadline or 0)) == (InstanceState.RUNNING, True)


# ---- a broken host -------------------------------------------------------------------------------


@pytest.mark.parametrize("market", list(Market))
def test_a_killed_machine_is_gone_at_once_with_its_disk(
    premises: Premises, console: LocalConsole, market: Market
) -> None:
    machine = premises.make(market=market)
    console.kill(HERE)
    ended = premises.becomes("terminated")
    assert (ended.cause, premises.carriers(machine)) == (Cause.HARDWARE, [])
    assert not premises.state.machine(machine.id).disk.exists()


# ---- a person ------------------------------------------------------------------------------------


def test_a_person_stops_an_on_demand_machine(premises: Premises, console: LocalConsole) -> None:
    machine = premises.make(market=Market.ON_DEMAND)
    assert console.stop(HERE).id == machine.id
    assert premises.becomes("stopped").cause is Cause.OPERATOR


def test_a_person_cannot_stop_a_spot_machine(premises: Premises, console: LocalConsole) -> None:
    premises.make()
    with pytest.raises(GuardRefused, match="a spot machine cannot be stopped"):
        console.stop(HERE)


# ---- nobody there --------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["kill", "stop"])
def test_without_a_running_machine_there_is_nothing_to_disturb(
    premises: Premises, console: LocalConsole, verb: str
) -> None:
    premises.make()
    premises.provider.converge("f", [a_placement(present=False)])
    with pytest.raises(SteadyError, match="f/t/0 has no running machine"):
        getattr(console, verb)(HERE)


def test_another_nodes_machine_is_left_alone(premises: Premises, console: LocalConsole) -> None:
    premises.make(node="f/t/1")
    with pytest.raises(SteadyError, match="f/t/0 has no running machine"):
        console.kill(HERE)
    assert premises.only().state is InstanceState.RUNNING

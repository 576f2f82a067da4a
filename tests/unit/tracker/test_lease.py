"""Leases: one writer at a time, taken over from the dead at once, and a fence against the overtaken."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lifecycle.adapters.local.table import SqliteTable
from lifecycle.model.errors import LeaseHeld, LostLease
from lifecycle.ports.provisioner import SILENT_AFTER
from lifecycle.system.processes import Identity, identify, myself
from lifecycle.tracker.lease import LEASE_SECONDS, Leases
from lifecycle.tracker.updates import UpdateLog
from tests.unit.agent.doubles import HandClock

ANOTHER_BOOT = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def table(tmp_path: Path) -> SqliteTable:
    return SqliteTable(tmp_path / "tracker.db")


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def leases(
    table: SqliteTable,
    clock: HandClock,
    *,
    who: str = "ann",
    host: str = "here",
    process: Identity | None = None,
) -> Leases:
    return Leases(table, clock, host=host, process=process or myself(), who=who)


@pytest.fixture
def dead() -> Identity:
    """A process of this host and boot that has ended."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    known = identify(child.pid)
    child.communicate()
    assert known is not None
    return known


@pytest.fixture
def living() -> Iterator[Identity]:
    """Another process of this host that runs."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    known = identify(child.pid)
    assert known is not None
    yield known
    child.communicate()


def abandoned(table: SqliteTable, clock: HandClock, *, host: str, process: Identity) -> None:
    """A lease whose holder never gave it back."""
    leases(table, clock, who="bob", host=host, process=process)._acquire("f", clock.monotonic())


def test_a_lease_is_held_by_one_at_a_time(table: SqliteTable, clock: HandClock, living: Identity) -> None:
    with leases(table, clock, who="ann", process=living).held("f"), pytest.raises(LeaseHeld):
        leases(table, clock, who="bob").held("f").__enter__()


def test_a_held_lease_names_its_holder_and_says_what_to_do(
    table: SqliteTable, clock: HandClock, living: Identity
) -> None:
    with leases(table, clock, who="ann (pid 7)", process=living).held("f"), pytest.raises(LeaseHeld) as refused:
        leases(table, clock).held("f").__enter__()
    assert refused.value.what == "f: ann (pid 7) is acting on this fleet"
    assert refused.value.exit_code == 4


def test_a_lease_that_was_given_back_is_free_at_once(
    table: SqliteTable, clock: HandClock, living: Identity
) -> None:
    with leases(table, clock, process=living).held("f"):
        pass
    with leases(table, clock, who="bob").held("f") as guard:
        assert guard.version > 1


def test_a_lease_is_given_back_when_the_work_fails(table: SqliteTable, clock: HandClock, living: Identity) -> None:
    with pytest.raises(ZeroDivisionError), leases(table, clock, process=living).held("f"):
        raise ZeroDivisionError
    with leases(table, clock, who="bob").held("f"):
        pass


def test_fleets_have_leases_of_their_own(table: SqliteTable, clock: HandClock, living: Identity) -> None:
    with leases(table, clock, process=living).held("f"), leases(table, clock, who="bob").held("g"):
        pass


def test_a_held_lease_is_waited_for_as_long_as_was_said(
    table: SqliteTable, clock: HandClock, living: Identity
) -> None:
    began = clock.monotonic()
    with leases(table, clock, process=living).held("f"), pytest.raises(LeaseHeld):
        leases(table, clock, who="bob").held("f", wait=30.0).__enter__()
    assert 30.0 <= clock.monotonic() - began < 31.0


def test_a_lease_given_back_meanwhile_ends_the_waiting(table: SqliteTable, living: Identity) -> None:
    clock = _ThatGivesBack()
    holder = leases(table, clock, process=living).held("f")
    holder.__enter__()
    clock.after_a_while = lambda: holder.__exit__(None, None, None)
    with leases(table, clock, who="bob").held("f", wait=30.0):
        assert clock.slept < 1.0


class _ThatGivesBack(HandClock):
    """During the third nap of whoever waits, the holder finishes."""

    def __init__(self) -> None:
        super().__init__()
        self.naps, self.slept = 0, 0.0
        self.after_a_while = lambda: None

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.naps, self.slept = self.naps + 1, self.slept + seconds
        if self.naps == 3:
            self.after_a_while()


# ---- the dead ------------------------------------------------------------------------------------


def test_a_dead_holder_of_this_host_is_replaced_at_once(
    table: SqliteTable, clock: HandClock, dead: Identity
) -> None:
    abandoned(table, clock, host="here", process=dead)
    with leases(table, clock).held("f", wait=0.0) as guard:
        assert guard.version == 2


def test_a_holder_whose_pid_is_used_by_another_is_dead(
    table: SqliteTable, clock: HandClock, living: Identity
) -> None:
    abandoned(table, clock, host="here", process=Identity(living.boot, living.pid, living.started - 1))
    with leases(table, clock).held("f", wait=0.0):
        pass


def test_a_holder_of_an_earlier_boot_of_this_host_is_dead(
    table: SqliteTable, clock: HandClock, living: Identity
) -> None:
    abandoned(table, clock, host="here", process=Identity(ANOTHER_BOOT, living.pid, living.started))
    with leases(table, clock).held("f", wait=0.0):
        pass


def test_a_holder_of_another_host_cannot_be_known_as_dead(
    table: SqliteTable, clock: HandClock, dead: Identity
) -> None:
    abandoned(table, clock, host="there", process=dead)
    clock.pass_by(LEASE_SECONDS - 1)
    with pytest.raises(LeaseHeld):
        leases(table, clock).held("f").__enter__()


def test_a_lease_of_another_host_is_taken_once_it_has_run_out(
    table: SqliteTable, clock: HandClock, living: Identity
) -> None:
    abandoned(table, clock, host="there", process=Identity(ANOTHER_BOOT, living.pid, 1))
    clock.pass_by(LEASE_SECONDS)
    with leases(table, clock).held("f"):
        pass


def _updating(table: SqliteTable, clock: HandClock, *, heard: float) -> None:
    """A holder on another host, long past its time, whose update of the stack was heard of `heard` seconds ago."""
    process = Identity(ANOTHER_BOOT, 7, 1)
    abandoned(table, clock, host="there", process=process)
    clock.pass_by(10 * LEASE_SECONDS)
    UpdateLog(table).beat("f", "there", Identity(ANOTHER_BOOT, 8, 1), clock.now() - heard)


def test_a_lease_does_not_run_out_under_an_update_that_beats(table: SqliteTable, clock: HandClock) -> None:
    _updating(table, clock, heard=10.0)
    with pytest.raises(LeaseHeld):
        leases(table, clock).held("f").__enter__()


def test_a_lease_whose_update_beats_no_longer_has_run_out(table: SqliteTable, clock: HandClock) -> None:
    _updating(table, clock, heard=SILENT_AFTER + 1)
    with leases(table, clock).held("f"):
        pass


# ---- the fence -----------------------------------------------------------------------------------


def test_a_holder_may_write(table: SqliteTable, clock: HandClock) -> None:
    with leases(table, clock).held("f") as guard:
        assert table.put("f", "order", "f/t/0", b"x", guard=guard) == 1


def test_an_overtaken_holder_may_no_longer_write(table: SqliteTable, clock: HandClock) -> None:
    with leases(table, clock, host="there").held("f") as old:
        clock.pass_by(LEASE_SECONDS)
        with leases(table, clock, who="bob").held("f"), pytest.raises(LostLease, match="another controller"):
            table.put("f", "order", "f/t/0", b"x", guard=old)
    assert table.get("f", "order", "f/t/0") is None


def test_a_holder_that_was_overtaken_may_not_write_after_the_other_has_finished_either(
    table: SqliteTable, clock: HandClock
) -> None:
    with leases(table, clock, host="there").held("f") as old:
        clock.pass_by(LEASE_SECONDS)
        with leases(table, clock, who="bob").held("f"):
            pass
        with pytest.raises(LostLease):
            table.put("f", "order", "f/t/0", b"x", guard=old)


def test_giving_back_a_lost_lease_does_not_free_that_of_the_other(
    table: SqliteTable, clock: HandClock, living: Identity
) -> None:
    old = leases(table, clock, host="there").held("f")
    old.__enter__()
    clock.pass_by(LEASE_SECONDS)
    with leases(table, clock, who="bob", process=living).held("f"):
        old.__exit__(None, None, None)
        with pytest.raises(LeaseHeld, match="bob"):
            leases(table, clock).held("f").__enter__()


def test_a_fence_that_was_given_back_no_longer_holds(table: SqliteTable, clock: HandClock) -> None:
    with leases(table, clock).held("f") as guard:
        pass
    with pytest.raises(LostLease):
        table.put("f", "order", "f/t/0", b"x", guard=guard)


def test_no_two_holders_ever_have_the_same_fence(table: SqliteTable, clock: HandClock) -> None:
    versions = []
    for _ in range(5):
        with leases(table, clock).held("f") as guard:
            versions.append(guard.version)
    assert versions == sorted(set(versions))


TAKE_TURNS = """
import sys
from pathlib import Path
from lifecycle.adapters.local.table import SqliteTable
from lifecycle.system.clock import SystemClock
from lifecycle.system.processes import myself
from lifecycle.tracker.lease import Leases
table = SqliteTable(Path(sys.argv[1]))
mine = Leases(table, SystemClock(), host="here", process=myself(), who=sys.argv[2])
for _ in range(5):
    with mine.held("f", wait=30.0) as guard:
        row = table.get("f", "sum", "total")
        table.put("f", "sum", "total", str(int(row.body) + 1).encode(), guard=guard)
"""


def test_real_processes_take_turns_and_lose_no_update(tmp_path: Path, table: SqliteTable) -> None:
    table.put("f", "sum", "total", b"0")
    command = [sys.executable, "-c", TAKE_TURNS, str(tmp_path / "tracker.db")]
    begun = [subprocess.Popen([*command, str(number)]) for number in range(3)]
    assert [each.wait(60) for each in begun] == [0, 0, 0]
    row = table.get("f", "sum", "total")
    assert row is not None
    assert row.body == b"15"


def test_a_lease_row_of_a_newer_version_is_understood(table: SqliteTable, clock: HandClock) -> None:
    with leases(table, clock).held("f"):
        pass
    row = table.get("f", "lease", "f")
    assert row is not None
    table.put("f", "lease", "f", msgspec.json.encode({**msgspec.json.decode(row.body), "colour": "blue"}))
    with leases(table, clock, who="bob").held("f") as guard:
        assert guard.version == 4

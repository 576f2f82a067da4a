"""The tracker's table in SQLite keeps the contract, on disk, with many processes and through a SIGKILL."""

from __future__ import annotations

import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lifecycle.adapters.local import table as sqlite_table
from lifecycle.adapters.local.table import MIGRATIONS, SqliteTable
from lifecycle.model.errors import Conflict, StateUnusable, Unreadable
from lifecycle.ports.tracker import Row, Table
from tests.contracts.table import TableContract, Writing, last_versions

PATIENCE = 30.0


class TestSqliteTable(TableContract):
    @pytest.fixture
    def open_table(self, tmp_path: Path) -> Callable[[], Table]:
        return lambda: SqliteTable(tmp_path / "tracker.db")


def test_a_scan_sees_one_moment_of_several_kinds(tmp_path: Path) -> None:
    """More than the port promises: an order is written before its report, and nothing comes between them."""
    table = SqliteTable(tmp_path / "tracker.db")
    for number in range(30):
        table.put("f", "order", f"padding-{number}", b"x" * 30_000)
    with Writing(lambda: SqliteTable(tmp_path / "tracker.db"), ("order", "report")) as rounds:
        while rounds.done < 40:
            order, report = last_versions(table)
            assert report in (order, order - 1)


def test_without_a_path_it_is_an_empty_table_in_memory() -> None:
    table = SqliteTable(None)
    table.put("f", "k", "x", b"here")
    assert (table.get("f", "k", "x"), SqliteTable(None).get("f", "k", "x")) == (Row("x", 1, b"here"), None)


# ---- many processes ------------------------------------------------------------------------------

RIVAL = """
import sys
from pathlib import Path
from lifecycle.adapters.local.table import SqliteTable
from lifecycle.model.errors import Conflict
path, me = Path(sys.argv[1]), sys.argv[2]
table = SqliteTable(path)
table.get("f", "k", "x")
print("ready", flush=True)
sys.stdin.readline()
"""

CLAIM = """
for key in range(25):
    try:
        table.put("f", "claim", f"{key:02d}", me.encode(), expect=0)
        print(key, flush=True)
    except Conflict:
        pass
"""

COUNT = """
added = 0
while added < 15:
    row = table.get("f", "sum", "total")
    total, version = (int(row.body), row.version) if row else (0, 0)
    try:
        table.put("f", "sum", "total", str(total + 1).encode(), expect=version)
        added += 1
    except Conflict:
        pass
"""

WRITE_FOR_EVER = """
number = 0
while True:
    table.put("f", "log", f"{number:06d}", b"x" * 2000)
    print(number, flush=True)
    number += 1
"""


@contextmanager
def rivals(path: Path, code: str, count: int) -> Iterator[list[subprocess.Popen[str]]]:
    """So many processes with the table open, all let loose at once. The file is there before them."""
    SqliteTable(path).get("f", "k", "x")
    command = [sys.executable, "-c", RIVAL + code, str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    begun = [subprocess.Popen([*command, str(number)], **pipes) for number in range(count)]
    try:
        assert [process.stdout.readline() for process in begun] == ["ready\n"] * count
        for process in begun:
            process.stdin.write("go\n")
            process.stdin.flush()
        yield begun
    finally:
        for process in begun:
            process.kill()
            process.communicate()


def test_each_key_has_exactly_one_winner_among_four_processes(tmp_path: Path) -> None:
    with rivals(tmp_path / "t.db", CLAIM, 4) as begun:
        told = [each.communicate()[0].split() for each in begun]
    won = [(f"{int(key):02d}", str(who)) for who, keys in enumerate(told) for key in keys]
    standing = SqliteTable(tmp_path / "t.db").newest("f", "claim", "", 99)
    assert sorted(won) == sorted((row.name, row.body.decode()) for row in standing)
    assert len(won) == 25


def test_no_update_of_four_processes_is_lost(tmp_path: Path) -> None:
    with rivals(tmp_path / "t.db", COUNT, 4) as begun:
        assert [each.wait(PATIENCE) for each in begun] == [0] * 4
    assert SqliteTable(tmp_path / "t.db").get("f", "sum", "total") == Row("total", 60, b"60")


@pytest.mark.parametrize("acknowledged", [1, 20, 60])
def test_every_acknowledged_write_survives_a_sigkill(tmp_path: Path, acknowledged: int) -> None:
    with rivals(tmp_path / "t.db", WRITE_FOR_EVER, 1) as (victim,):
        for _ in range(acknowledged):
            victim.stdout.readline()
        victim.send_signal(signal.SIGKILL)
        told = acknowledged + len(victim.stdout.read().split())
    kept = SqliteTable(tmp_path / "t.db").newest("f", "log", "", 10**6)
    assert len(kept) in (told, told + 1)
    assert all(row.body == b"x" * 2000 for row in kept)


def test_the_file_is_whole_after_a_sigkill(tmp_path: Path) -> None:
    with rivals(tmp_path / "t.db", WRITE_FOR_EVER, 2) as begun:
        for each in begun:
            each.stdout.readline()
            each.send_signal(signal.SIGKILL)
            each.wait(PATIENCE)
    with sqlite3.connect(tmp_path / "t.db") as looked_at:
        assert looked_at.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    looked_at.close()
    SqliteTable(tmp_path / "t.db").put("f", "log", "after", b"")


def test_writes_are_synced_before_they_return(tmp_path: Path) -> None:
    table = SqliteTable(tmp_path / "t.db")
    table.put("f", "k", "x", b"")
    pragmas = [table._open.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert pragmas == ["wal", 2]


# ---- formats -------------------------------------------------------------------------------------


def test_a_newer_format_is_refused_with_a_fix(tmp_path: Path) -> None:
    newer = sqlite3.connect(tmp_path / "t.db")
    newer.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    newer.close()
    with pytest.raises(StateUnusable, match="newer") as refused:
        SqliteTable(tmp_path / "t.db").put("f", "k", "x", b"")
    assert "upgrade steadyfleet" in refused.value.fix


def test_a_refused_format_is_left_as_it_was(tmp_path: Path) -> None:
    newer = sqlite3.connect(tmp_path / "t.db")
    newer.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    with pytest.raises(StateUnusable):
        SqliteTable(tmp_path / "t.db").get("f", "k", "x")
    assert newer.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    newer.close()


def test_two_processes_that_open_it_at_once_migrate_once(tmp_path: Path) -> None:
    """The file is WAL already: what is raced for is the migration itself."""
    with sqlite3.connect(tmp_path / "t.db") as fresh:
        fresh.execute("PRAGMA journal_mode=WAL")
    fresh.close()
    command = [sys.executable, "-c", RIVAL, str(tmp_path / "t.db"), "x"]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True}
    begun = [subprocess.Popen(command, **pipes) for _ in range(2)]
    assert [(each.communicate()[0], each.returncode) for each in begun] == [("ready\n", 0)] * 2


def test_a_migration_that_lost_the_race_does_not_run_again(tmp_path: Path) -> None:
    """The other process migrates between our first look at the version and our lock."""
    ours = sqlite3.connect(tmp_path / "t.db", isolation_level=None)
    SqliteTable(tmp_path / "t.db").put("f", "k", "x", b"kept")
    SqliteTable(tmp_path / "t.db")._migrate(_ThatSawVersionZero(ours))
    ours.close()
    assert SqliteTable(tmp_path / "t.db").get("f", "k", "x") == Row("x", 1, b"kept")


class _ThatSawVersionZero:
    """A connection whose first look at the version was before the other's migration."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection, self._looked = connection, False

    def execute(self, sql: str) -> sqlite3.Cursor:
        if sql == "PRAGMA user_version" and not self._looked:
            self._looked = True
            return self._connection.execute("SELECT 0")
        return self._connection.execute(sql)


def test_an_older_format_is_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SqliteTable(tmp_path / "t.db").put("f", "k", "x", b"kept")
    monkeypatch.setattr(sqlite_table, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE later (one TEXT);"))
    table = SqliteTable(tmp_path / "t.db")
    assert table.get("f", "k", "x") == Row("x", 1, b"kept")
    assert table._open.execute("SELECT count(*) FROM later").fetchone() == (0,)


# ---- storage that does not answer ----------------------------------------------------------------


def test_a_path_that_cannot_be_a_file_is_unusable_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(StateUnusable, match="cannot be used as a tracker") as refused:
        SqliteTable(tmp_path / "nowhere" / "t.db").get("f", "k", "x")
    assert "--state" in refused.value.fix


def test_a_file_that_is_no_database_is_unusable(tmp_path: Path) -> None:
    (tmp_path / "t.db").write_bytes(b"something else entirely, and long enough to be read as a header")
    with pytest.raises(StateUnusable):
        SqliteTable(tmp_path / "t.db").get("f", "k", "x")


def test_a_table_that_was_away_at_first_is_used_once_it_is_there(tmp_path: Path) -> None:
    table = SqliteTable(tmp_path / "later" / "t.db")
    with pytest.raises(StateUnusable):
        table.get("f", "k", "x")
    (tmp_path / "later").mkdir()
    assert table.put("f", "k", "x", b"") == 1


def test_another_writer_that_does_not_let_go_makes_it_unreadable_not_stuck(tmp_path: Path) -> None:
    table = SqliteTable(tmp_path / "t.db", busy=0.05)
    table.put("f", "k", "x", b"before")
    with _locked(tmp_path / "t.db"), pytest.raises(Unreadable, match="does not answer"):
        table.put("f", "k", "x", b"after")
    assert table.get("f", "k", "x") == Row("x", 1, b"before")


def test_reads_go_on_while_another_writes(tmp_path: Path) -> None:
    table = SqliteTable(tmp_path / "t.db", busy=0.05)
    table.put("f", "k", "x", b"before")
    with _locked(tmp_path / "t.db"):
        assert table.get("f", "k", "x") == Row("x", 1, b"before")


def test_a_writer_waits_for_another_to_finish(tmp_path: Path) -> None:
    table = SqliteTable(tmp_path / "t.db", busy=PATIENCE)
    table.put("f", "k", "x", b"")
    with rivals(tmp_path / "t.db", HOLD_FOR_A_MOMENT, 1) as (holder,):
        assert holder.stdout.readline() == "holding\n"
        assert table.put("f", "k", "x", b"") == 2


HOLD_FOR_A_MOMENT = """
import time
table._open.execute("BEGIN IMMEDIATE")
print("holding", flush=True)
time.sleep(0.2)
table._open.execute("COMMIT")
"""


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("COMMIT")
    other.close()


def test_a_disk_that_is_full_for_a_while_is_unreadable_and_then_works_again(tmp_path: Path) -> None:
    table = SqliteTable(tmp_path / "t.db")
    table.put("f", "k", "x", b"before")
    with _full_disk(), pytest.raises(Unreadable):
        table.put("f", "k", "x", b"during" * 50_000)
    assert table.get("f", "k", "x") == Row("x", 1, b"before")
    assert table.put("f", "k", "x", b"after") == 2


@contextmanager
def _full_disk() -> Iterator[None]:
    """No file of this process may grow, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_conflict_is_told_as_such_and_not_as_a_fault_of_the_storage(tmp_path: Path) -> None:
    table = SqliteTable(tmp_path / "t.db")
    with pytest.raises(Conflict, match="order f/t/0 has changed"):
        table.put("f", "order", "f/t/0", b"", expect=3)


def test_nothing_is_opened_before_it_is_used(tmp_path: Path) -> None:
    SqliteTable(tmp_path / "t.db")
    assert list(tmp_path.iterdir()) == []

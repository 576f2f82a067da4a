"""Updates of stacks: written down while they last."""

from __future__ import annotations

from pathlib import Path

from lifecycle.adapters.local.table import SqliteTable
from lifecycle.system.processes import Identity
from lifecycle.tracker.updates import UpdateLog, UpdateRun

ONE, TWO = Identity("boot", 11, 100), Identity("boot", 12, 200)


def log(folder: Path) -> UpdateLog:
    return UpdateLog(SqliteTable(folder / "tracker.db"))


def test_an_update_stands_from_its_first_beat_to_its_end(tmp_path: Path) -> None:
    updates = log(tmp_path)
    updates.beat("f", "here", ONE, 1.0)
    assert updates.standing("f") == [UpdateRun(host="here", process=ONE, beat_at=1.0)]
    updates.end("f", "here", ONE)
    updates.end("f", "here", ONE)
    assert updates.standing("f") == []


def test_a_later_beat_takes_the_place_of_the_earlier(tmp_path: Path) -> None:
    updates = log(tmp_path)
    for at in (1.0, 11.0):
        updates.beat("f", "here", ONE, at)
    assert [run.beat_at for run in updates.standing("f")] == [11.0]


def test_updates_of_others_hosts_and_fleets_stand_beside_it(tmp_path: Path) -> None:
    updates = log(tmp_path)
    updates.beat("f", "here", ONE, 1.0)
    updates.beat("f", "there", ONE, 1.0)
    updates.beat("f", "here", TWO, 1.0)
    updates.beat("g", "here", ONE, 1.0)
    updates.end("f", "here", ONE)
    assert {(run.host, run.process.pid) for run in updates.standing("f")} == {("here", 12), ("there", 11)}

"""`steady status --watch` and streams: on a terminal as the eye sees it, in a log, and for programs."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from tests.e2e.stage import Stage, undisturbed, wait_until
from tests.e2e.terminal import Terminal, Terminals

SPECS = Path(__file__).parents[2] / "specs"
LONG = {"hyperparameters": {"steps": 100_000, "seed": 7}}
WIDE = 400
"""Columns in which the longest path stands on one line."""
SHORT = {"hyperparameters": {"steps": 60, "seed": 7}}
CTRL_C = b"\x03"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One node that trains for long and says where it ends. Those who only watch share it."""
    built = Stage(tmp_path_factory.mktemp("watched"))
    built.declare(train=LONG, checkpoint={"max_lost_work": "20m"}).apply()
    yield built
    built.close()


@pytest.fixture
def beside(fleet: Stage) -> Iterator[Terminals]:
    """Terminals from which that fleet is watched."""
    opened = Terminals(fleet)
    yield opened
    opened.close()


def watched(terminals: Terminals, **size: Any) -> Terminal:
    terminal = terminals.open("status", "f", "--watch", **size)
    wait_until(lambda: terminal.has("^f: 1 training$"), "the sentence")
    return terminal


# ---- on a terminal -------------------------------------------------------------------------------


def test_a_watch_shows_bar_rate_end_and_the_age_of_the_checkpoint(beside: Terminals) -> None:
    terminal = watched(beside, columns=200)
    going = r"─{16} 0%  \d+/100000  \d+ steps/s  \d+[hm].* left"
    row = rf"^f/t/0  spot  running  training  {going}  saved at \d+, \d+s ago \(limit 20m\)$"
    wait_until(lambda: terminal.has(row), "rate and end, once two reports were seen")


def test_a_notice_is_counted_down_and_goes_with_its_machine(stage: Stage, terminals: Terminals) -> None:
    stage.declare(train=LONG).apply()
    terminal = watched(terminals, columns=80, lines=24)
    stage.steady("local", "notice", "f/t/0", "--lead", "5s")
    wait_until(lambda: terminal.has(r"^f: 1 under notice, \ds left; 1 "), "the countdown in the sentence")
    assert terminal.has(r"^  ! spot notice: \ds left$")
    wait_until(lambda: terminal.has(r"^f: 1 interrupted$"), "the end of the notice")


def test_ctrl_c_leaves_a_watch_at_once_and_changes_nothing(fleet: Stage, beside: Terminals) -> None:
    terminal = watched(beside)
    terminal.type(CTRL_C)
    assert terminal.ends(within=10) == 130
    assert "f: 1 training" in terminal.screen
    (shown,) = fleet.document("status")["fleets"]
    assert (shown["holds"], shown["nodes"][0]["run"]["state"]) == ([], "training")


def test_no_color_is_obeyed(beside: Terminals) -> None:
    assert watched(beside).colours == {"green"}
    assert watched(beside, NO_COLOR="1").colours == set()


@contextmanager
def away(stage: Stage) -> Iterator[None]:
    """The tracker's rows cannot be read."""
    _sql(stage, "ALTER TABLE rows RENAME TO away")
    try:
        yield
    finally:
        _sql(stage, "ALTER TABLE away RENAME TO rows")


def _sql(stage: Stage, statement: str) -> None:
    tracker = sqlite3.connect(stage.state / "tracker.db", timeout=20)
    with tracker:
        tracker.execute(statement)
    tracker.close()


def test_a_tracker_that_is_away_leaves_the_last_picture_with_its_age(fleet: Stage, beside: Terminals) -> None:
    terminal = watched(beside, columns=WIDE)
    with away(fleet):
        trouble = r"^! f: as it was \d+s ago, nothing newer is known: .*the tracker does not answer"
        wait_until(lambda: terminal.has(trouble), "the fault on top")
        assert terminal.has("^f/t/0  spot  running  training")
    wait_until(lambda: not terminal.has("nothing newer is known"), "a newer picture")
    assert terminal.process.poll() is None


def test_a_provider_that_cannot_be_read_leaves_it_too(fleet: Stage, beside: Terminals) -> None:
    terminal = watched(beside, columns=200)
    owner, elsewhere = fleet.state / "owner", fleet.folder / "away"
    owner.rename(elsewhere)
    wait_until(lambda: terminal.has(r"^! f: as it was .*the provider cannot be read"), "the fault on top")
    assert terminal.has("^f/t/0  spot  running  training")
    elsewhere.rename(owner)
    wait_until(lambda: not terminal.has("nothing newer is known"), "a newer picture")


def test_run_goes_on_when_the_tracker_comes_back(stage: Stage, terminals: Terminals) -> None:
    """It trains on meanwhile, for longer than a loaded machine takes to notice."""
    steps = {"hyperparameters": {"steps": 400, "seed": 7}}
    terminal = terminals.open("run", str(stage.declare(train=steps).spec), "--yes", columns=WIDE)
    stage.reach(10)
    with away(stage):
        wait_until(lambda: terminal.has("^! f: .*the tracker does not answer"), "the fault on top")
    assert terminal.ends() == 0
    assert stage.weights() == undisturbed(400)


# ---- in a log ------------------------------------------------------------------------------------


def test_in_a_log_a_watch_is_a_line_per_change(fleet: Stage) -> None:
    log = fleet.folder / "background.log"
    watch = fleet.start("status", "f", "--watch")
    first = r"^\d\d:\d\d:\d\d f/t/0 running, training: attempt 1, step \d+ of 100000"
    wait_until(lambda: re.search(first, log.read_text(), re.MULTILINE), "the first look")
    fleet.steady("suspend", "f", "--reason", "storm")
    changed = r"^\S+ f: suspended by .*\(storm\); 1 training$"
    wait_until(lambda: re.search(changed, log.read_text(), re.MULTILINE), "the change")
    fleet.steady("unsuspend", "f")
    watch.send_signal(signal.SIGINT)
    assert watch.wait(timeout=20) == 130
    assert "\x1b" not in log.read_text()


def test_without_a_fleet_there_is_nothing_to_watch(stage: Stage) -> None:
    assert "no fleets in" in stage.steady("status", "--watch").stderr
    assert "no fleet 'f' is applied here" in stage.steady("status", "f", "--watch", code=1).stderr


# ---- for programs --------------------------------------------------------------------------------


class Streamed:
    """A command's stream so far: every line of it is what the schema says."""

    def __init__(self, stage: Stage, *arguments: str) -> None:
        self._out = stage.folder / f"{uuid.uuid4()}.ndjson"
        command = stage.command(*arguments, "-o", "ndjson")
        with self._out.open("w") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, cwd=stage.folder)
        documents = [json.loads((SPECS / f"{name}.schema.json").read_text()) for name in ("stream", "status")]
        registry = Registry().with_resources([(each["$id"], Resource.from_contents(each)) for each in documents])
        self._schema = Draft202012Validator(documents[0], registry=registry)

    @property
    def records(self) -> list[dict[str, Any]]:
        found = [
            json.loads(line) for line in self._out.read_text().splitlines(keepends=True) if line.endswith("\n")
        ]
        assert [error.message for each in found for error in self._schema.iter_errors(each)] == []
        return found

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [record for record in self.records if record["type"] == kind]

    def close(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=20)


def test_a_watch_streams_a_status_a_look(fleet: Stage) -> None:
    stream = Streamed(fleet, "status", "f", "--watch")
    wait_until(lambda: len(stream.of("status")) >= 3, "three looks")
    assert stream.close() == 130
    start = stream.records[0]
    assert (next(iter(start)), start["type"], start["of"]) == ("version", "start", "status")
    run = stream.of("status")[-1]["status"]["nodes"][0]["run"]
    assert (run["total"], run["steps_per_second"] > 1) == (100_000, True)


def test_a_watch_streams_that_it_cannot_read_once_and_then_again_what_it_reads(fleet: Stage) -> None:
    stream = Streamed(fleet, "status", "f", "--watch")
    wait_until(lambda: stream.of("status"), "a look")
    with away(fleet):
        (missed,) = wait_until(lambda: stream.of("unreadable"), "a look that failed")
    wait_until(lambda: stream.records[-1]["type"] == "status", "a look that can see")
    stream.close()
    assert (missed["fleet"], "does not answer" in missed["error"]) == ("f", True)


def test_run_streams_its_news_and_its_result(stage: Stage) -> None:
    stream = Streamed(stage, "run", str(stage.declare(train=SHORT).spec), "--yes")
    assert stream.process.wait(timeout=60) == 0
    result = stream.records[-1]
    assert {record["type"] for record in stream.records} == {"start", "status", "news", "result"}
    assert (result["runs"][0]["state"], result["runs"][0]["result"]["weights"]) == ("completed", undisturbed(60))
    assert "trainer started" in {record["entry"]["what"] for record in stream.of("news")}


def test_reconcile_streams_a_record_a_tick(fleet: Stage) -> None:
    stream = Streamed(fleet, "reconcile", str(fleet.spec), "--every", "1s")
    wait_until(lambda: len(stream.of("tick")) >= 2, "two ticks")
    with away(fleet):
        wait_until(lambda: stream.of("tick")[-1]["errors"], "a tick that failed")
    wait_until(lambda: stream.of("tick")[-1]["converged"], "a tick that did not")
    stream.close()
    assert {record["type"] for record in stream.records} <= {"start", "tick", "news"}

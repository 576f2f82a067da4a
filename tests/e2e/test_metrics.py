"""What monitoring reads of real fleets: from cron, from a loop, and from records that outlive both."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import stat
import subprocess
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lifecycle.adapters.local.table import SqliteTable
from lifecycle.planning import series
from lifecycle.system.clock import SystemClock
from lifecycle.system.processes import myself
from lifecycle.tracker.lease import Leases
from tests.e2e.stage import Stage, wait_until

LONG = {"hyperparameters": {"steps": 100_000, "seed": 7}}
LABELS = {family.name: family.labels for family in series.FAMILIES}
Values = dict[tuple[str, ...], float]


def read(text: str) -> Values:
    """The values by name and labels, without the fleet's."""
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {(s.name, *(s.labels[name] for name in LABELS[s.name][1:])): s.value for s in samples}


def once(stage: Stage, code: int | None = 0) -> Values:
    """One tick from cron, and what it left in its file."""
    file = stage.folder / "steady.prom"
    stage.steady("reconcile", str(stage.spec), "--once", "--metrics-file", str(file), code=code)
    return read(file.read_text())


def test_counters_of_single_ticks_add_up_and_equal_history(stage: Stage) -> None:
    stage.declare(train=LONG).apply()
    stage.reach(50)
    stage.steady("local", "notice", "f/t/0", "--lead", "2s")
    first = until_attempt(stage, 2)
    stage.steady("local", "kill", "f/t/0")
    second, run = until_attempt(stage, 3), stage.run()
    assert booked(first) == {("spot", "ended"): 1, ("spot", "steps"): 0}
    assert booked(second) == {**booked(first), ("hardware", "ended"): 1, ("hardware", "steps"): stage.lost()}
    for cause, seconds in run["lost_seconds"].items():
        assert second["steady_lost_seconds_total", "t", cause] == pytest.approx(seconds, abs=0.01)
    assert (second["steady_notices_total", "t", "spot"], second["steady_launches_total", "t"]) == (1, 3)


def until_attempt(stage: Stage, number: int) -> Values:
    """What is measured once this attempt trains."""
    wait_until(lambda: once(stage)["steady_launches_total", "t"] == number, "its machine")
    stage.apply()
    stage.reach(max(stage.steps()) + 1, attempt=number)
    return once(stage)


def booked(found: Values) -> dict[tuple[str, str], float]:
    """The attempts ended and the steps lost, of the causes that had any."""
    words = {"ended": "steady_attempts_ended_total", "steps": "steady_lost_steps_total"}
    causes = {labels[1] for name, *labels in found if name == words["ended"] and found[name, *labels]}
    return {(cause, word): found[name, "t", cause] for cause in causes for word, name in words.items()}


def test_a_fleet_that_trains_is_measured_and_its_file_is_for_others_to_read(stage: Stage) -> None:
    stage.declare(train=LONG, checkpoint={"max_lost_work": "10m"}).apply()
    wait_until(lambda: stage.node()["run"]["step"] >= 20, "step 20 in a report")
    found = once(stage)
    assert (found["steady_converged",], found["steady_runs", "t", "training"]) == (1, 1)
    assert found["steady_nodes", "t", "spot", "running"] == found["steady_nodes_declared", "t"] == 1
    assert 0 <= found["steady_checkpoint_age_seconds", "t"] < 60
    assert found["steady_run_step", "t", "f.t.main.0"] >= 20
    assert stat.S_IMODE((stage.folder / "steady.prom").stat().st_mode) == 0o666 & ~umask()


def umask() -> int:
    set_to = os.umask(0)
    os.umask(set_to)
    return set_to


def test_a_tick_that_another_holds_tells_what_it_sees(stage: Stage) -> None:
    stage.declare(nodes=0).apply()
    table = SqliteTable(stage.state / "tracker.db")
    with Leases(table, SystemClock(), host="elsewhere", process=myself(), who="somebody").held("f"):
        assert once(stage)["steady_read",] == 1
    table.close()


def test_records_that_cannot_be_read_are_told_as_that_and_nothing_else(stage: Stage) -> None:
    stage.declare(nodes=0).apply()
    with sqlite3.connect(stage.state / "tracker.db") as tracker:
        tracker.execute("UPDATE rows SET body = '{}' WHERE kind = 'placement' OR kind = 'tick'")
    tracker.close()
    assert once(stage, code=1) == {("steady_read",): 0}


def test_a_fleet_that_is_not_applied_has_no_more_than_that(stage: Stage) -> None:
    stage.declare()
    assert once(stage) == {("steady_read",): 1}


def test_a_metrics_file_without_a_directory_is_an_error_before_the_tick(stage: Stage) -> None:
    stage.declare(nodes=0).apply()
    before = tick_of(stage)
    file = stage.folder / "away" / "steady.prom"
    done = stage.steady("reconcile", str(stage.spec), "--once", "--metrics-file", str(file), code=1)
    assert "the metrics file" in done.stderr
    assert "fix: " in done.stderr
    assert tick_of(stage) == before


def tick_of(stage: Stage) -> float:
    with sqlite3.connect(stage.state / "tracker.db") as tracker:
        (body,) = tracker.execute("SELECT body FROM rows WHERE kind = 'tick'").fetchone()
    tracker.close()
    return float(json.loads(body)["at"])


def test_a_loop_is_scraped_while_it_ticks(stage: Stage) -> None:
    stage.declare(train=LONG).apply()
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    stage.start("reconcile", str(stage.spec), "--every", "1s", "--metrics-port", str(port))
    first = wait_until(lambda: scraped(port).get(("steady_last_tick_timestamp_seconds",)), "the first tick")
    wait_until(lambda: scraped(port)["steady_last_tick_timestamp_seconds",] > first, "the next one")
    assert scraped(port)["steady_nodes", "t", "spot", "running"] == 1


def scraped(port: int) -> Values:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return read(answer.read().decode())
    except urllib.error.URLError:
        return {}


def test_a_port_that_is_taken_is_an_error_before_the_first_tick(stage: Stage) -> None:
    stage.declare(nodes=0).apply()
    before = tick_of(stage)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = on_port(stage, taken.getsockname()[1])
    assert "Address already in use" in done.stderr
    assert tick_of(stage) == before


def on_port(stage: Stage, port: int) -> subprocess.CompletedProcess[str]:
    return stage.steady("reconcile", str(stage.spec), "--every", "1s", "--metrics-port", str(port), code=1)

"""The agent's own faults never stop the trainer: they become conditions, and go when the fault goes."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.stage import Stage, wait_until
from tests.e2e.test_interruptions import ends_well


def conditions(stage: Stage) -> dict[str, str]:
    return {condition["type"]: condition["status"] for condition in stage.node()["conditions"]}


def test_a_store_that_is_away_for_a_while(stage: Stage) -> None:
    stage.declare().apply()
    objects = stage.state / "objects"
    objects.write_text("not a directory")
    wait_until(lambda: conditions(stage).get("StoreReachable") == "False", "the condition")
    stage.reach(70)
    objects.unlink()
    wait_until(lambda: "StoreReachable" not in conditions(stage), "the condition's end")
    stage.run_to_the_end()
    ends_well(stage)


def test_a_full_disk_for_a_while(stage: Stage) -> None:
    stage.declare().apply()
    agent = stage.agent_pid(stage.instance())
    unlimited = resource.prlimit(agent, resource.RLIMIT_FSIZE)
    resource.prlimit(agent, resource.RLIMIT_FSIZE, (0, unlimited[1]))
    stage.reach(90)
    resource.prlimit(agent, resource.RLIMIT_FSIZE, unlimited)
    stage.run_to_the_end()
    ends_well(stage)
    assert len(stage.run()["attempts"]) == 1


@contextmanager
def locked(stage: Stage) -> Iterator[None]:
    """Nobody else can write to the tracker."""
    tracker = sqlite3.connect(stage.state / "tracker.db", isolation_level=None)
    tracker.execute("BEGIN IMMEDIATE")
    yield
    tracker.execute("COMMIT")
    tracker.close()


def test_a_notice_is_acted_on_while_the_tracker_is_away(stage: Stage) -> None:
    stage.declare().apply()
    stage.reach(40)
    with locked(stage):
        stage.steady("local", "notice", "f/t/0", "--lead", "20s")
        wait_until(lambda: list(stage.state.glob("objects/runs/f/*/e*-s*/manifest.json")), "the save in the store")
    stage.run_to_the_end()
    ends_well(stage)
    assert stage.lost() == 0


def test_a_metadata_service_that_hangs(stage: Stage) -> None:
    stage.declare(train={"hyperparameters": {"steps": 600, "seed": 7}}).apply()
    machine = stage.machine_pid(stage.instance())
    os.kill(machine, signal.SIGSTOP)
    wait_until(lambda: conditions(stage).get("MetadataReachable") == "False", "the condition")
    os.kill(machine, signal.SIGCONT)
    wait_until(lambda: "MetadataReachable" not in conditions(stage), "the condition's end")
    assert stage.run()["attempts"][0]["outcome"] is None

"""Controllers: killed at any moment, two at once, or with nothing to do."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.stage import Stage, undisturbed, wait_until
from tests.e2e.test_interruptions import ends_well


def has_row(kind: str, *words: str) -> Callable[[Stage], bool]:
    """Some row of this kind holds these words."""
    return lambda stage: any(
        found == kind and all(word in f"{name} {body}" for word in words)
        for (found, name), body in rows(stage).items()
    )


MOMENTS = {
    "the order is recorded": has_row("hold", "replace"),
    "the drain is claimed": has_row("drain", "replacement"),
    "the trainer is asked": lambda stage: any(stage.state.glob("instances/*/runs/*/stop.json")),
    "the save is in the store": has_row("receipt", "replacement"),
    "the drain is answered": has_row("report", '"outcome":"saved"'),
    "the next machine is claimed": has_row("incarnation", "#000002"),
    "the next machine is there": lambda stage: len(list(stage.state.glob("machines/l-*"))) == 2,
    "the next attempt is given out": has_row("attempt", "/000002"),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_controller_killed_at_any_moment_of_a_drain_is_taken_over(stage: Stage, moment: str) -> None:
    stage.declare(arguments=("--save-every", "0")).apply()
    stage.reach(20)
    victim = stage.start("replace", "f/t/0", "--reason", "to be cut short")
    wait_until(lambda: MOMENTS[moment](stage), moment)
    victim.kill()
    victim.wait()
    stage.run_to_the_end()
    ends_well(stage)
    assert stage.lost() == 0


def test_two_controllers_never_make_two_machines_for_a_node(stage: Stage) -> None:
    stage.declare(nodes=3)
    rivals = [stage.start("apply", str(stage.spec), "--yes") for _ in range(3)]
    assert [rival.wait(90) for rival in rivals] == [0, 0, 0]
    made = [json.loads(path.read_text()) for path in stage.state.glob("machines/l-*/machine.json")]
    assert sorted(machine["node"] for machine in made) == ["f/t/0", "f/t/1", "f/t/2"]
    stage.steady("destroy", str(stage.spec), "--yes")


def test_a_second_apply_writes_nothing_but_its_tick(stage: Stage) -> None:
    stage.declare(train={"hyperparameters": {"steps": 100_000, "seed": 7}}, arguments=("--save-every", "0")).apply()
    stage.reach(20)
    before = rows(stage)
    done = stage.apply()
    assert done.stdout.startswith("Plan: 0 to create, 0 to replace, 0 to checkpoint-stop, 0 to destroy.")
    changed = {key for key in rows(stage) if rows(stage)[key] != before.get(key)}
    assert {kind for kind, _ in changed} <= {"tick", "lease", "report"}


def rows(stage: Stage) -> dict[tuple[str, str], str]:
    """Every row of the tracker, and the journal's length."""
    with sqlite3.connect(stage.state / "tracker.db") as tracker:
        found = {(kind, name): body for kind, name, body in tracker.execute("SELECT kind, name, body FROM rows")}
        count = tracker.execute("SELECT count(*) FROM journal").fetchone()[0]
    tracker.close()
    return {**found, ("journal", "entries"): str(count)}


def test_one_node_less_is_drained_before_it_is_ended(stage: Stage) -> None:
    stage.declare(nodes=2).apply()
    stage.reach(40)
    stage.declare(nodes=1).apply()
    drained = stage.run(1)
    assert drained["attempts"][0]["outcome"] == "stopped"
    assert drained["attempts"][0]["receipt"]["step"] == drained["attempts"][0]["to_step"]
    stage.run_to_the_end()
    assert stage.weights(0) == undisturbed()


def test_a_changed_train_section_saves_and_goes_on_from_there(stage: Stage) -> None:
    stage.declare().apply()
    stage.reach(40)
    stage.declare(train={"env": {"OMP_NUM_THREADS": "1"}}).run_to_the_end()
    ends_well(stage)
    assert [attempt["cause"] for attempt in stage.run()["attempts"]] == ["drift", None]
    assert len(list(stage.state.glob("machines/l-*"))) == 1


def test_another_run_name_saves_the_old_run_and_starts_afresh(stage: Stage) -> None:
    stage.declare().apply()
    stage.reach(40)
    stage.declare(train={"run": "next"}).run_to_the_end()
    runs = {run["run"]: run for run in stage.document("history")["runs"]}
    old, new = runs["f.t.main.0"]["attempts"][0], runs["f.t.next.0"]["attempts"][0]
    assert (old["outcome"], old["receipt"]["step"]) == ("stopped", old["to_step"])
    assert (new["outcome"], new["from_step"]) == ("completed", 0)
    assert runs["f.t.next.0"]["result"]["weights"] == undisturbed()


def test_an_emptied_pool_is_refused_without_its_flag(stage: Stage) -> None:
    stage.declare().apply()
    stage.reach(20)
    refused = stage.declare(nodes=0).apply(code=6)
    assert "--allow-empty" in refused.stderr
    assert stage.node()["state"] == "running"
    stage.apply("--allow-empty")
    assert stage.left_over() == []


def test_resume_manual_waits_for_a_person(stage: Stage) -> None:
    stage.declare(train={"resume": "manual"}).apply()
    stage.reach(40)
    stage.steady("stop", "f/t/0", "--reason", "lunch")
    stage.steady("start", "f/t/0")
    assert stage.run()["state"] == "stopped"
    stage.steady("start", "f/t/0", "--resume")
    stage.run_to_the_end()
    ends_well(stage)


def test_ctrl_c_saves_and_stops_and_the_next_run_goes_on(stage: Stage) -> None:
    stage.declare()
    controller = stage.controller()
    stage.reach(40)
    controller.send_signal(signal.SIGINT)
    assert controller.wait(60) == 130
    assert stage.left_over() == []
    stage.run_to_the_end()
    ends_well(stage)
    assert stage.lost() == 0


def test_a_suspended_fleet_is_left_alone(stage: Stage) -> None:
    stage.declare().apply()
    stage.reach(20)
    stage.steady("suspend", "f", "--reason", "incident 42")
    stage.steady("local", "kill", "f/t/0")
    told = [stage.steady("reconcile", str(stage.spec), "--once").stdout for _ in range(2)]
    assert "actions=0 refused=1" in told[-1]
    stage.steady("unsuspend", "f")
    stage.run_to_the_end()
    assert stage.weights() == undisturbed()


def test_in_a_suspended_fleet_an_agent_saves_alone_before_a_notice_ends_and_nobody_acts(stage: Stage) -> None:
    stage.declare(arguments=("--save-every", "0")).apply()
    stage.reach(20)
    stage.steady("suspend", "f", "--reason", "incident 42")
    stage.steady("local", "notice", "f/t/0", "--lead", "2s")
    wait_until(lambda: stage.run()["attempts"][0]["outcome"], "the agent's last word")
    assert "actions=0" in stage.steady("reconcile", str(stage.spec), "--once").stdout
    stage.steady("unsuspend", "f")
    stage.run_to_the_end()
    ends_well(stage)
    assert stage.lost() == 0


def stubborn(stage: Stage, policy: str, *, save_every: int = 0) -> Stage:
    trainer = Path(__file__).parent / "trainers" / "train_stubborn.py"
    command = ["python", str(trainer), str(save_every), str(stage.folder / "journal")]
    stage.declare(
        train={"command": command}, market="on_demand", stop={"grace": "2s", "without_checkpoint": policy}
    )
    return stage


def test_a_trainer_that_ignores_every_request_is_forced_and_its_loss_recorded(stage: Stage) -> None:
    stubborn(stage, "force", save_every=30).apply()
    stage.reach(50)
    stage.steady("stop", "f/t/0", "--reason", "enough")
    attempt = stage.run()["attempts"][0]
    first, last = attempt["forced"]
    assert first % 30 == 0
    assert last == attempt["to_step"] == max(stage.steps())
    assert stage.left_over() == []


def test_without_checkpoint_refuse_keeps_it_running(stage: Stage) -> None:
    stubborn(stage, "refuse").apply()
    stage.reach(20)
    refused = stage.steady("stop", "f/t/0", "--reason", "enough", code=6)
    assert f"steady allow-loss {stage.instance()}" in refused.stderr
    seen = max(stage.steps())
    stage.reach(seen + 20)
    assert "without_checkpoint" in stage.steady("why", "f/t/0").stdout


def test_an_operator_may_allow_the_loss_once(stage: Stage) -> None:
    stubborn(stage, "refuse").apply()
    stage.reach(20)
    stage.steady("terminate", "f/t/0", "--reason", "enough", code=6)
    stage.steady("allow-loss", stage.instance(), "--reason", "it is only a test")
    stage.steady("terminate", "f/t/0", "--reason", "enough")
    assert stage.run()["attempts"][0]["forced"][0] == 0
    assert stage.left_over() == []


def test_a_trainer_that_crashes_at_the_start_is_not_restarted_for_ever(stage: Stage) -> None:
    retries = {"retries": {"user_error": 4}}
    stage.declare(train={"command": ["python", "-c", "raise SystemExit('no such dataset')"]}, budget=retries)
    stage.run_to_the_end(code=1)
    attempts = stage.run()["attempts"]
    assert [attempt["outcome"] for attempt in attempts] == ["failed"] * 5
    story = stage.steady("why", "f/t/0").stdout
    assert "no such dataset" in story
    assert "4 retries allowed" in story
    assert stage.left_over() == []


def test_checkpoint_asks_for_one_now_and_trains_on(stage: Stage) -> None:
    stage.declare(arguments=("--save-every", "0")).apply()
    stage.reach(20)
    told = stage.steady("checkpoint", "f/t/0")
    assert "checkpoint at step" in told.stdout
    stage.run_to_the_end()
    assert len(stage.run()["attempts"]) == 1


def test_the_specs_own_notice_fires_once_per_node_ever(stage: Stage) -> None:
    stage.declare()
    with stage.spec.open("a") as spec:
        spec.write("local:\n  notices: [{node: t/0, after: 1s, lead: 2s}]\n")
    stage.run_to_the_end()
    ends_well(stage)
    assert [attempt["cause"] for attempt in stage.run()["attempts"]] == ["spot", None]


def test_a_machine_whose_directory_vanished_ends_everything(stage: Stage) -> None:
    stage.declare().apply()
    stage.reach(20)
    machine = stage.machine_pid(stage.instance())
    (stage.state / "machines" / stage.instance() / "machine.json").unlink()
    wait_until(lambda: not Path(f"/proc/{machine}").exists(), "the machine's end")
    assert stage.left_over() == []

"""Whatever happens to a node, its run ends with the weights of one that nobody disturbed.

And the tracker's count of lost steps is the trainer's own: equal where there was a notice or an order, a
lower bound, marked so, after a sudden death.
"""

from __future__ import annotations

import os
import signal

from tests.e2e.stage import STEPS, Stage, undisturbed, wait_until


def ends_well(stage: Stage, *, exact: bool = True) -> None:
    """The whole claim, checked once a run has ended."""
    run = stage.run()
    assert run["state"] == "completed"
    assert run["result"]["weights"] == undisturbed()
    assert run["lost_steps_exact"] is exact
    if exact:
        assert stage.lost() == stage.redone()
    else:
        assert stage.lost() <= stage.redone()
    assert stage.left_over() == []


def test_spot_notice_with_five_seconds_of_lead(stage: Stage) -> None:
    stage.declare().apply()
    controller = stage.controller()
    stage.reach(50)
    stage.steady("local", "notice", "f/t/0", "--lead", "5s")
    assert controller.wait(60) == 0
    ends_well(stage)
    assert stage.lost() == 0
    assert stage.run()["attempts"][0]["cause"] == "spot"


def test_spot_notice_with_no_lead_takes_the_machine_at_once(stage: Stage) -> None:
    stage.declare().apply()
    controller = stage.controller()
    wait_until(lambda: 40 in _checkpoints(stage), "the checkpoint of step 40")
    stage.steady("local", "notice", "f/t/0", "--lead", "0s")
    assert controller.wait(60) == 0
    ends_well(stage, exact=False)
    assert stage.run()["attempts"][1]["from_step"] >= 40


def test_rebalance_advice_saves_early_and_trains_on(stage: Stage) -> None:
    """It saves by itself at no step: an asked-for save may fall on any."""
    stage.declare(arguments=("--save-every", "0")).apply()
    stage.reach(50)
    stage.steady("local", "notice", "f/t/0", "--cause", "rebalance")
    wait_until(lambda: [s for s in _checkpoints(stage) if s < STEPS], "an early checkpoint")
    stage.run_to_the_end()
    ends_well(stage)
    assert len(stage.run()["attempts"]) == 1


def _checkpoints(stage: Stage) -> list[int]:
    return [checkpoint["step"] for checkpoint in stage.run()["checkpoints"]]


def test_stop_then_start_with_resume(stage: Stage) -> None:
    stage.declare(market="on_demand").apply()
    stage.reach(50)
    stage.steady("stop", "f/t/0", "--reason", "lunch")
    assert stage.node()["state"] == "stopped"
    stage.steady("start", "f/t/0", "--resume")
    stage.run_to_the_end()
    ends_well(stage)
    assert stage.lost() == 0


def test_stop_of_a_spot_node_ends_its_machine_and_start_makes_another(stage: Stage) -> None:
    stage.declare(market="spot").apply()
    stage.reach(50)
    stage.steady("stop", "f/t/0", "--reason", "lunch")
    assert (stage.node()["state"], stage.node()["instance"]) == ("stopped", None)
    stage.steady("start", "f/t/0")
    stage.run_to_the_end()
    ends_well(stage)
    assert [attempt["incarnation"] for attempt in stage.run()["attempts"]] == [1, 2]


def test_replace(stage: Stage) -> None:
    stage.declare().apply()
    stage.reach(50)
    stage.steady("replace", "f/t/0", "--reason", "noisy neighbour")
    stage.run_to_the_end()
    ends_well(stage)
    assert [attempt["cause"] for attempt in stage.run()["attempts"]] == ["operator", None]


def test_an_on_demand_node_stopped_behind_the_controllers_back(stage: Stage) -> None:
    stage.declare(market="on_demand").apply()
    controller = stage.controller()
    stage.reach(50)
    stage.steady("local", "stop", "f/t/0")
    assert controller.wait(60) == 0
    ends_well(stage)
    assert stage.lost() == 0
    assert {attempt["incarnation"] for attempt in stage.run()["attempts"]} == {1}


def test_sigkill_of_the_trainer(stage: Stage) -> None:
    stage.declare().apply()
    controller = stage.controller()
    stage.reach(60)
    os.kill(stage.trainer_pid(stage.instance()), signal.SIGKILL)
    assert controller.wait(60) == 0
    ends_well(stage, exact=False)
    assert stage.run()["attempts"][0]["cause"] == "user_error"


def test_sigkill_of_the_agent_leaves_the_trainer_running(stage: Stage) -> None:
    stage.declare().apply()
    instance = stage.instance()
    stage.reach(30)
    trainer, agent = stage.trainer_pid(instance), stage.agent_pid(instance)
    os.kill(agent, signal.SIGKILL)
    wait_until(lambda: stage.agent_pid(instance) != agent, "a new agent")
    assert stage.trainer_pid(instance) == trainer
    stage.run_to_the_end()
    ends_well(stage)
    assert len(stage.run()["attempts"]) == 1


def test_sigkill_of_the_machine_process(stage: Stage) -> None:
    stage.declare().apply()
    controller = stage.controller()
    stage.reach(50)
    os.kill(stage.machine_pid(stage.instance()), signal.SIGKILL)
    assert controller.wait(60) == 0
    ends_well(stage)
    assert stage.run()["attempts"][0]["cause"] == "hardware"


def test_a_broken_host_loses_disk_and_processes_at_once(stage: Stage) -> None:
    stage.declare().apply()
    controller = stage.controller()
    stage.reach(60)
    stage.steady("local", "kill", "f/t/0")
    assert controller.wait(60) == 0
    ends_well(stage, exact=False)
    assert stage.run()["attempts"][0]["cause"] == "hardware"


def test_nobody_ticks_during_the_whole_notice(stage: Stage) -> None:
    stage.declare().apply()
    stage.reach(50)
    instance = stage.instance()
    stage.steady("local", "notice", "f/t/0", "--lead", "3s")
    wait_until(lambda: not (stage.state / "instances" / instance).exists(), "the machine's end")
    stage.run_to_the_end()
    ends_well(stage)
    assert stage.lost() == 0


def test_destroy_then_apply_goes_on_from_history(stage: Stage) -> None:
    stage.declare().apply()
    stage.reach(50)
    stage.steady("destroy", str(stage.spec), "--yes")
    assert stage.left_over() == []
    stage.run_to_the_end()
    ends_well(stage)
    assert stage.run()["attempts"][1]["from_step"] >= 50


def test_a_corrupted_newest_checkpoint_is_skipped_for_the_one_before(stage: Stage) -> None:
    stage.declare().apply()
    stage.reach(90)
    stage.steady("stop", "f/t/0", "--reason", "to spoil its newest checkpoint")
    newest = max((stage.state / "objects").glob("runs/f/*/e*-s*"))
    data = newest / "files" / "data"
    data.write_bytes(data.read_bytes()[:-9] + b"[spoiled]")
    stage.steady("start", "f/t/0")
    stage.run_to_the_end()
    ends_well(stage)
    *_, before, spoiled = [c for c in stage.run()["checkpoints"] if c["epoch"] == 1]
    assert stage.run()["attempts"][1]["from_step"] == before["step"] >= 80
    assert (before["sound"], spoiled["sound"]) == (True, False)

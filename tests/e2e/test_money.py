"""Money on real machines: a budget that runs out saves first, and a machine without work is not kept for ever."""

from __future__ import annotations

from lifecycle.bootstrap import controller
from lifecycle.bootstrap.controller import Control
from lifecycle.control.loop import Ticked
from lifecycle.system.clock import SystemClock
from tests.e2e.stage import Stage, wait_until
from tests.unit.control.doubles import Tariff

TEN_DOLLARS_A_SECOND = 36_000.0


def dear(stage: Stage) -> Control:
    """The fleet's controller on a computer that costs money."""
    clock = SystemClock()
    return controller.local(stage.state, prices=Tariff(clock, local=TEN_DOLLARS_A_SECOND))  # type: ignore[arg-type]


def stopped(ticked: Ticked) -> bool:
    return ticked.plan.settled and not any(machine.live for machine in ticked.observed.machines or ())


def test_a_fleet_whose_money_is_spent_is_saved_and_stopped_and_goes_on_with_more(stage: Stage) -> None:
    train = {"hyperparameters": {"steps": 100_000, "seed": 7}}
    stage.declare(budget={"total": 5.0}, train=train, arguments=("--save-every", "0")).apply()
    ticked = dear(stage).controller.until("f", stopped, timeout=60.0)
    assert [refused.guard for refused in ticked.plan.refusals] == ["budget.total"]
    assert stage.node()["state"] == "stopped"
    assert "raise pools.t.budget.total" in stage.steady("run", str(stage.spec), "--yes", code=6).stderr
    stage.declare(budget={"total": 1e6}, train=train, arguments=("--save-every", "0")).apply()
    first, second = stage.run()["attempts"]
    assert (first["cause"], second["from_step"]) == ("budget", first["receipt"]["step"])
    assert (stage.run()["lost_steps"], list(stage.run()["lost_seconds"])) == ({}, ["controller", "budget"])


def test_a_kept_machine_without_work_is_stopped_after_a_while(stage: Stage) -> None:
    train = {"on_completion": "keep", "hyperparameters": {"steps": 10, "seed": 7}}
    stage.declare(budget={"idle_stop": "1s"}, train=train).run_to_the_end()
    wait_until(lambda: idle(stage), "its machine is stopped")
    assert stage.node()["conditions"][0]["reason"] == "IdleStop"
    assert "idle → nothing to train: completed for" in stage.steady("why", "f/t/0").stdout


def idle(stage: Stage) -> bool:
    """Whether the machine is gone, after one more tick."""
    stage.steady("reconcile", str(stage.spec), "--once")
    return stage.node()["instance"] is None

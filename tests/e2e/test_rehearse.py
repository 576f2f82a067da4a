"""`steady rehearse` on real processes: a trainer that saves, one that does not, and a copy of what is not there."""

from __future__ import annotations

from lifecycle.system import processes
from tests.e2e.stage import Stage, undisturbed, wait_until
from tests.e2e.test_controllers import stubborn
from tests.e2e.test_surface import satisfies


def test_a_rehearsal_proves_the_save_and_the_run_goes_on_from_it(stage: Stage) -> None:
    stage.declare(arguments=("--save-every", "0")).apply()
    wait_until(lambda: stage.node()["run"]["step"], "a report of its step")
    told = satisfies("rehearse", stage.steady("rehearse", str(stage.spec), "-o", "json").stdout)
    assert (told["node"], told["proven"], told["attempt"]) == ("f/t/0", True, 2)
    stage.run_to_the_end()
    first, second = stage.run()["attempts"]
    assert (first["receipt"]["step"], second["from_step"]) == (told["step"], told["step"])
    assert (stage.weights(), stage.lost()) == (undisturbed(), 0)


def test_a_trainer_that_does_not_save_fails_it_and_trains_on(stage: Stage) -> None:
    stubborn(stage, "force").apply()
    wait_until(lambda: stage.node()["run"]["step"], "a report of its step")
    failed = stage.steady("rehearse", str(stage.spec), code=6)
    assert "f/t/0: not proven: no save came in time; it trains on" in failed.stderr
    stage.reach(max(stage.steps()) + 20)
    assert len(stage.run()["attempts"]) == 1
    (known,) = stage.document("status")["fleets"][0]["pools"][0]["conditions"]
    assert (known["type"], known["status"], known["reason"]) == ("CheckpointOnStop", "False", "Refused")


def test_what_is_not_applied_is_rehearsed_on_a_copy_that_leaves_nothing(stage: Stage) -> None:
    stage.declare(nodes=2, train={"hyperparameters": {"steps": 100_000, "seed": 7}})
    told = satisfies("rehearse", stage.steady("rehearse", str(stage.spec), "-o", "json").stdout)
    assert (told["node"], told["proven"]) == ("f-rehearsal/t/0", True)
    assert list(processes.carriers("STEADY_NODE", "f-rehearsal/t/0")) == []
    assert stage.document("status")["fleets"] == []
    (save,) = stage.document("plan", str(stage.spec))["saves"]
    assert (save["pool"], save["status"], save["measured"]) == ("f/t", "True", True)

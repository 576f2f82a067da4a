"""Hooks on real processes: in their order, once, in their time, and with a say in what follows."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any, NamedTuple

from tests.e2e.stage import Stage, wait_until

NOTE = str(Path(__file__).parent / "hooks" / "note.py")
POINTS = ("post_start", "pre_stop", "pre_terminate", "on_interruption")


class Noted(NamedTuple):
    """A line of what hooks noted."""

    what: str
    point: str
    op_id: str
    cause: str
    checkpoint: str
    deadline: str


def noting(stage: Stage, *arguments: object, **fields: Any) -> dict[str, Any]:
    """One hook that notes its begin and end."""
    return {"run": ["python", NOTE, str(stage.folder / "noted"), *map(str, arguments)], **fields}


def noted(stage: Stage, what: str = "end") -> list[Noted]:
    path = stage.folder / "noted"
    lines = path.read_text().splitlines() if path.exists() else []
    return [each for each in (Noted(*line.split()) for line in lines) if each.what == what]


def points(stage: Stage) -> list[str]:
    return [each.point for each in noted(stage)]


def declare(stage: Stage, market: str = "on_demand", **hooks: dict[str, Any]) -> None:
    """A hook that notes at every point, or these in their place."""
    all_of_them = {point: [hooks.get(point, noting(stage))] for point in POINTS}
    stage.declare(market=market, hooks=all_of_them)


def training(stage: Stage, step: int = 20) -> None:
    stage.apply()
    stage.reach(step)


def entries(stage: Stage, what: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.document("why", "f/t/0")["entries"]
    return [entry for entry in found if entry["what"] == what]


def test_stop_replace_and_destroy_run_their_hooks_in_order(stage: Stage) -> None:
    declare(stage)
    training(stage)
    stage.steady("stop", "f/t/0", "--reason", "lunch")
    assert points(stage) == ["post_start", "pre_stop"]
    stopped = noted(stage)[1]
    assert (stopped.cause, stopped.deadline) == ("operator", "-")
    assert int(stopped.checkpoint) == stage.run()["attempts"][0]["to_step"]
    stage.steady("start", "f/t/0", "--resume")
    stage.steady("replace", "f/t/0", "--reason", "noisy neighbour")
    assert points(stage)[2:] == ["post_start", "pre_stop", "pre_terminate", "post_start"]
    stage.steady("destroy", str(stage.spec), "--yes")
    assert points(stage)[6:] == ["pre_stop", "pre_terminate"]


def test_a_machine_whose_run_has_completed_runs_its_hooks_before_it_goes(stage: Stage) -> None:
    stage.declare(hooks={"pre_terminate": [noting(stage)]}, train={"hyperparameters": {"steps": 10, "seed": 7}})
    stage.run_to_the_end()
    assert (points(stage), stage.left_over()) == (["pre_terminate"], [])


def test_a_notice_cuts_a_hook_that_would_take_too_long(stage: Stage) -> None:
    declare(stage, market="spot", on_interruption=noting(stage, 600, timeout="20m"))
    training(stage)
    disk = stage.state / "instances" / stage.instance()
    stage.steady("local", "notice", "f/t/0", "--lead", "4s")
    wait_until(lambda: not disk.exists(), "the machine's end")
    (begun,) = [each for each in noted(stage, "begin") if each.point == "on_interruption"]
    assert (begun.cause, begun.deadline.isdigit()) == ("spot", True)
    (entry,) = entries(stage, "hook on_interruption[0]")
    assert (entry["result"], entry["op"]) == ("timed out", begun.op_id)
    stage.steady("reconcile", str(stage.spec), "--once")
    attempt = stage.run()["attempts"][0]
    assert (attempt["outcome"], attempt["cause"], attempt["to_step"]) == (
        "interrupted",
        "spot",
        int(begun.checkpoint),
    )


def test_an_agent_killed_in_the_middle_of_a_hook_runs_it_once(stage: Stage) -> None:
    declare(stage, pre_stop=noting(stage, 2))
    training(stage)
    instance = stage.instance()
    stopping = stage.start("stop", "f/t/0", "--reason", "lunch")
    wait_until(lambda: [each for each in noted(stage, "begin") if each.point == "pre_stop"], "the hook")
    os.kill(stage.agent_pid(instance), signal.SIGKILL)
    assert stopping.wait(60) == 0
    assert len([each for each in noted(stage, "begin") if each.point == "pre_stop"]) == 1
    assert points(stage) == ["post_start", "pre_stop"]
    (entry,) = entries(stage, "hook pre_stop[0]")
    assert (entry["result"], entry["output"]) == ("done", "hook output\n")


def test_a_failed_hook_blocks_the_stop_until_a_loss_is_allowed(stage: Stage) -> None:
    declare(stage, pre_stop=noting(stage, 0, 3))
    training(stage)
    refused = stage.steady("stop", "f/t/0", "--reason", "lunch", code=6)
    assert "refused by hook pre_stop: pre_stop[0] python" in refused.stderr
    assert "exit code 3; last line: hook output" in refused.stderr
    stage.reach(1 + stage.run()["attempts"][0]["to_step"], attempt=2)
    assert stage.run()["attempts"][1]["from_step"] == stage.run()["attempts"][0]["to_step"]
    assert "hook pre_stop" in stage.steady("why", "f/t/0").stdout
    stage.steady("allow-loss", stage.instance(), "--reason", "it never works")
    stage.steady("stop", "f/t/0", "--reason", "lunch")
    assert (stage.node()["state"], stage.lost()) == ("stopped", 0)


def test_a_completed_run_whose_machine_may_not_go_is_no_success(stage: Stage) -> None:
    train = {"hyperparameters": {"steps": 10, "seed": 7}}
    stage.declare(hooks={"pre_terminate": [noting(stage, 0, 1)]}, train=train)
    refused = stage.steady("run", str(stage.spec), "--yes", code=6)
    assert "destroy refused by hook pre_terminate" in refused.stderr
    assert stage.node()["state"] == "running"


def test_a_pause_that_a_hook_refuses_is_not_called_a_stop(stage: Stage) -> None:
    declare(stage, pre_stop=noting(stage, 0, 1))
    controller = stage.controller()
    stage.reach(10)
    controller.send_signal(signal.SIGINT)
    assert controller.wait(60) == 6
    said = (stage.folder / "background.log").read_text()
    assert ("refused by hook pre_stop" in said, "saved and stopped" in said) == (True, False)


def test_a_hook_that_may_fail_says_much_and_holds_nothing_back(stage: Stage) -> None:
    loud = "import os, sys\nsys.stdout.buffer.write(b'x' * 5_000_000 + b'\\n\\xff\\x00the end\\n')\nsys.exit(1)"
    spoken = {"run": ["python", "-c", loud], "on_failure": "continue"}
    missing = {"run": ["./no-such-program"], "on_failure": "continue"}
    stage.declare(market="on_demand", hooks={"pre_stop": [spoken, missing]})
    training(stage)
    stage.steady("stop", "f/t/0", "--reason", "lunch")
    (said,), (absent,) = entries(stage, "hook pre_stop[0]"), entries(stage, "hook pre_stop[1]")
    assert (said["result"], len(said["output"]), said["output"][-10:]) == ("failed", 64 * 1024, "��the end\n")
    assert "exit code 127" in absent["evidence"]
    assert "    | ��the end" in stage.steady("why", "f/t/0").stdout.splitlines()


def test_where_post_start_fails_nothing_starts_until_it_is_mended(stage: Stage) -> None:
    declare(stage, post_start=noting(stage, 0, 1))
    refused = stage.steady("apply", str(stage.spec), "--yes", code=6)
    assert "refused by hook post_start" in refused.stderr
    assert "steady replace f/t/0" in refused.stderr
    assert (stage.steps(), len(noted(stage))) == ([], 1)
    declare(stage)
    stage.apply(code=6)
    stage.steady("replace", "f/t/0", "--reason", "mended")
    stage.reach(5)
    assert points(stage) == ["post_start", "post_start"]

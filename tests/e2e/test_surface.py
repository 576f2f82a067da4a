"""What people type and read: texts, documents, exit codes, and which stream each goes to."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.e2e.stage import Stage, wait_until

SPECS = Path(__file__).parents[2] / "specs"
LONG = {"hyperparameters": {"steps": 100_000, "seed": 7}}
PLANNED = """\
Actions
   + create  f/t/0  spec: declared, and no machine fills it

Saves on request
   ! f/t  CheckpointOnStop=Unknown: its trainer has not been seen to save when asked to stop;\
 `steady rehearse SPEC` tries it; a save under a spot notice needs 13s of 120s: detect 2s + save 1s + reserve 10s

Plan: 1 to create, 0 to replace, 0 to checkpoint-stop, 0 to destroy. +$0.00/h, at most 0 steps lost.
"""


def satisfies(name: str, text: str) -> dict[str, Any]:
    """The document in `text`, once it is what `specs/NAME.schema.json` says and its version comes first."""
    document: dict[str, Any] = json.loads(text)
    schema = json.loads((SPECS / f"{name}.schema.json").read_text())
    assert [error.message for error in Draft202012Validator(schema).iter_errors(document)] == []
    assert list(document)[:1] == ["version"]
    return document


# ---- spec files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ["local", "aws"])
def test_init_writes_a_spec_that_validates_and_starts_nothing(stage: Stage, provider: str) -> None:
    stage.steady("init", "first.yaml", "--provider", provider)
    done = stage.steady("validate", "first.yaml", "--strict")
    assert done.stdout == f"first.yaml: ok (fleet first, 1 nodes, {provider})\n"
    assert sorted(path.name for path in stage.folder.iterdir()) == ["first.yaml"]


def test_init_never_writes_over_a_file(stage: Stage) -> None:
    stage.declare()
    before = stage.spec.read_text()
    assert "exists already" in stage.steady("init", str(stage.spec), code=1).stderr
    assert stage.spec.read_text() == before


def test_every_example_validates(stage: Stage) -> None:
    examples = [str(path) for path in sorted((SPECS / "examples").glob("*.yaml"))]
    done = stage.steady("validate", *examples, "-o", "json")
    assert json.loads(done.stdout)["valid"] == examples


# ---- plan ----------------------------------------------------------------------------------------


def test_plan_says_what_apply_would_do_and_makes_nothing(stage: Stage) -> None:
    stage.declare()
    done = stage.steady("plan", str(stage.spec))
    assert (done.stdout, done.stderr) == (PLANNED, "")
    assert not stage.state.exists()


def test_plan_with_detailed_exitcode_is_2_before_and_0_after_apply(stage: Stage) -> None:
    stage.declare(train=LONG)
    stage.steady("plan", str(stage.spec), "--detailed-exitcode", code=2)
    stage.apply()
    stage.steady("plan", str(stage.spec), "--detailed-exitcode", code=0)


def test_plan_of_a_smaller_pool_names_the_drain_and_the_steps_at_stake(stage: Stage) -> None:
    stage.declare(train=LONG, arguments=("--save-every", "0")).apply()
    wait_until(lambda: stage.node()["run"]["step"], "a report of its step")
    text = stage.declare(nodes=0, train=LONG).steady("plan", str(stage.spec), code=6).stdout
    assert re.search(r"Desired changes\n  f/t/0  present: declared no, found machine l-", text)
    assert re.search(r"- destroy  f/t/0  operator: the spec no longer declares it  at most \d+ steps lost", text)
    comment = stage.steady("plan", str(stage.spec), "-o", "markdown", code=6).stdout
    assert re.search(
        r"1 ended\*\* · at most \d+[sm] of work \(\d+ steps?\) lost · save on stop unproven in `t`", comment
    )


# ---- options and streams -------------------------------------------------------------------------


def test_global_options_stand_before_or_after_the_verb_and_the_later_wins(stage: Stage) -> None:
    stage.declare()
    before = stage.steady("-o", "json", "plan", str(stage.spec)).stdout
    after = stage.steady("-o", "text", "plan", str(stage.spec), "--output", "json").stdout
    assert json.loads(before) == json.loads(after)


def test_the_state_directory_comes_from_the_option_else_the_environment_else_here(stage: Stage) -> None:
    stage.declare(nodes=0)
    command = stage.command("apply", str(stage.spec), "--yes")
    plain = [command[0], *command[1:3], *command[5:]]
    subprocess.run(
        plain, cwd=stage.folder, check=True, capture_output=True, env={**os.environ, "STEADY_STATE": "a"}
    )
    subprocess.run(plain, cwd=stage.folder, check=True, capture_output=True)
    stage.apply()
    assert [(stage.folder / name / "tracker.db").exists() for name in ("a", ".steady", "state")] == [True] * 3


def test_apply_puts_data_on_stdout_and_talk_on_stderr(stage: Stage) -> None:
    done = stage.declare(train=LONG).apply()
    assert re.fullmatch(r"Plan: 0 to create, .*\n", done.stdout)
    assert PLANNED in done.stderr
    assert "f: 1 training" in done.stderr


def test_a_reader_that_leaves_early_gets_no_traceback(stage: Stage) -> None:
    stage.declare()
    piped = " ".join([*stage.command("plan", str(stage.spec)), "| true"])
    done = subprocess.run(["bash", "-o", "pipefail", "-c", piped], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


def test_a_traceback_is_shown_only_when_it_is_asked_for(stage: Stage) -> None:
    assert "Traceback" not in stage.steady("validate", "nowhere.yaml", code=1).stderr
    command = stage.command("validate", "nowhere.yaml")
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "STEADY_DEBUG": "1"}, check=False
    )
    assert "Traceback" in done.stderr


# ---- documents -----------------------------------------------------------------------------------


def test_documents_satisfy_their_schemas_through_a_nodes_life(stage: Stage) -> None:
    stage.declare(train=LONG)
    documents = {"status": ("status",), "plan": ("plan", str(stage.spec)), "history": ("history",)}
    reconciled = ("reconcile", str(stage.spec), "--once")
    moments = [
        (),
        ("apply", str(stage.spec), "--yes"),
        ("checkpoint", "f/t/0"),
        ("local", "notice", "f/t/0", "--cause", "rebalance"),
        ("stop", "f/t/0", "--reason", "lunch"),
        ("suspend", "f", "--reason", "incident", "--until", "1h"),
        ("start", "f/t/0"),
        ("unsuspend", "f"),
        ("destroy", str(stage.spec), "--yes"),
    ]
    for moment in moments:
        refused = moment[:1] == ("start",)
        if moment:
            stage.steady(*moment, code=6 if refused else 0)
        for name, command in documents.items():
            code = 6 if refused and name == "plan" else 0
            satisfies(name, stage.steady(*command, "-o", "json", code=code).stdout)
        satisfies("reconcile", stage.steady(*reconciled, "-o", "json").stdout)


def test_status_names_everything_that_is_known_of_a_node(stage: Stage) -> None:
    stage.declare(train=LONG).apply()
    wait_until(lambda: stage.node()["checkpoint"], "a checkpoint")
    node = stage.node()
    assert (node["node"], node["market"], node["state"], node["incarnation"]) == ("f/t/0", "spot", "running", 1)
    assert (node["run"]["id"], node["run"]["state"], node["run"]["attempt"]) == ("f.t.main.0", "training", 1)
    assert node["checkpoint"]["verified"] is True
    assert node["conditions"] == []


def test_status_is_a_sentence_and_a_row_per_node(stage: Stage) -> None:
    stage.declare(nodes=2, train=LONG).apply()
    stage.steady("stop", "f/t/1", "--reason", "lunch")
    sentence, held, proven, _, _, first, *_, second = stage.steady("status").stdout.splitlines()
    assert sentence == "f: 1 stopped, 1 training"
    assert held.startswith("held: f/t/1: stop by ")
    assert proven.startswith("f/t: CheckpointOnStop=True: saved ")
    assert first.split()[:3] == ["f/t/1", "spot", "stopped"]
    assert second.split()[:4] == ["f/t/0", "spot", "running", "training"]


# ---- the story -----------------------------------------------------------------------------------


def test_why_tells_cause_evidence_action_and_result_in_order(stage: Stage) -> None:
    stage.declare(train=LONG, market="on_demand").apply()
    stage.steady("stop", "f/t/0", "--reason", "lunch")
    story = stage.steady("why", "f/t/0").stdout
    told = [
        "spec → declared",
        "→ stop → by ",
        "asked to save-and-exit",
        "attempt 1 stopped",
        "stop the machine → done",
    ]
    assert [story.find(word) for word in told] == sorted(story.find(word) for word in told)
    assert min(story.find(word) for word in told) > 0


def test_history_names_attempts_proof_and_lost_steps(stage: Stage) -> None:
    stage.declare().run_to_the_end()
    first, time, parameters, attempt = stage.steady("history", "f/t/0").stdout.splitlines()
    assert first == "f.t.main.0: completed; steps lost: none; spared by saves: 0"
    assert time.startswith("  trained for ")
    assert parameters == "  hyperparameters: {'steps': 150, 'seed': 7}"
    where, steps = r"attempt 1 on f/t/0 \(incarnation 1\), spot", "steps 0 to 150"
    shown = rf"  {where}: completed, {steps}, checkpoint at step 120 \(\w{{12}}\)"
    assert re.fullmatch(shown, attempt)


# ---- reconcile -----------------------------------------------------------------------------------


def test_reconcile_creates_nothing_without_a_spec_of_record(stage: Stage) -> None:
    done = stage.declare().steady("reconcile", str(stage.spec), "--once")
    assert done.stdout == "fleet=f converged=false actions=0 refused=0 errors=0 seconds=0.0\n"
    assert "SpecNotApplied" in done.stderr
    assert not list(stage.state.glob("machines/l-*"))


def test_a_fleet_that_cannot_be_ticked_keeps_no_other_from_its_tick(stage: Stage) -> None:
    stage.declare(train=LONG).apply()
    far = SPECS / "examples" / "aws.yaml"
    done = stage.steady("reconcile", str(far), str(stage.spec), "--once", code=1, PATH="/nowhere")
    assert re.match(r"error: llm-7b: no `pulumi` on PATH: .*\nfix: install Pulumi", done.stderr)
    assert done.stdout.startswith("fleet=f converged=true ")


def test_reconcile_acts_on_the_record_and_says_that_the_file_differs(stage: Stage) -> None:
    stage.declare(train=LONG).apply()
    done = stage.declare(nodes=3, train=LONG).steady("reconcile", str(stage.spec), "--once")
    assert "SpecNotApplied: it differs from generation 1, which counts" in done.stderr
    assert re.fullmatch(r"fleet=f converged=true actions=0 refused=0 errors=0 seconds=[0-9.]+\n", done.stdout)


def test_a_reconcile_loop_outlives_a_provider_that_cannot_be_read(stage: Stage) -> None:
    stage.declare(train=LONG).apply()
    owner, away = stage.state / "owner", stage.folder / "away"
    loop = stage.start("reconcile", str(stage.spec), "--every", "1s")
    owner.rename(away)
    assert "the provider cannot be read" in stage.steady("status", "f").stdout
    wait_until(lambda: _waits_for_the_provider(stage), "a tick that could read nothing")
    away.rename(owner)
    stage.steady("local", "kill", "f/t/0")
    wait_until(lambda: len(list(stage.state.glob("machines/l-*"))) == 2, "the next machine")
    assert loop.poll() is None


def _waits_for_the_provider(stage: Stage) -> bool:
    with sqlite3.connect(stage.state / "tracker.db") as tracker:
        (body,) = tracker.execute("SELECT body FROM rows WHERE kind = 'tick'").fetchone()
    tracker.close()
    return json.loads(body)["waiting"] == 1 and json.loads(body).get("nodes_seen", 0) == 0


# ---- holds that run out, and strays --------------------------------------------------------------


def test_a_stop_for_a_while_ends_by_itself(stage: Stage) -> None:
    stage.declare(train=LONG, market="on_demand").apply()
    stage.steady("stop", "f/t/0", "--reason", "lunch", "--for", "2s")
    stage.start("reconcile", str(stage.spec), "--every", "1s")
    wait_until(lambda: stage.node()["run"]["attempt"] == 2, "the next attempt")
    assert stage.document("status")["fleets"][0]["holds"] == []


def test_a_suspension_until_a_moment_ends_by_itself(stage: Stage) -> None:
    stage.declare(train=LONG).apply()
    stage.steady("suspend", "f", "--reason", "incident", "--until", "2s")
    stage.steady("local", "kill", "f/t/0")
    stage.start("reconcile", str(stage.spec), "--every", "1s")
    wait_until(lambda: stage.node()["run"]["attempt"] == 2, "the next attempt")


def test_sweep_leaves_a_young_machine_alone_and_ends_an_old_one(stage: Stage) -> None:
    stage.declare(train=LONG, market="on_demand").apply()
    stage.steady("stop", "f/t/0", "--reason", "to orphan it")
    with sqlite3.connect(stage.state / "tracker.db") as tracker:
        tracker.execute("DELETE FROM rows WHERE kind IN ('spec', 'placement')")
    tracker.close()
    assert "left alone: too young" in stage.steady("sweep", "--yes").stdout
    _launched_long_ago(stage)
    assert stage.steady("sweep").stdout.endswith("may be ended\n")
    assert stage.steady("sweep", "--yes").stdout.endswith("ended\n")
    assert list(stage.state.glob("instances/*")) == []


def _launched_long_ago(stage: Stage) -> None:
    (process,) = stage.state.glob("machines/l-*/process.json")
    process.write_text(json.dumps({**json.loads(process.read_text()), "started_at": 1_000_000_000.0}))


# ---- the agent's own program ---------------------------------------------------------------------


def test_the_agent_says_what_it_needs(stage: Stage) -> None:
    command = [stage.command()[0], "-m", "lifecycle.bootstrap.node"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=stage.folder)
    assert done.returncode == 2
    assert "--state is needed" in done.stderr

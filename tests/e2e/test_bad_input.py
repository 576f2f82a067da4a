"""Bad input of every kind: one error line, one `fix:` line, the right exit code, and nothing half-done."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lifecycle.adapters.local.table import SqliteTable
from lifecycle.system.clock import SystemClock
from lifecycle.system.processes import myself
from lifecycle.tracker.lease import Leases
from tests.e2e.stage import Stage, wait_until

Done = subprocess.CompletedProcess[str]


def complaint(done: Done) -> str:
    """The error and its fix: one line each, the last that is said but for where more is, and no bug of ours."""
    *before, error, fix = _without_more(done)
    assert error.startswith("error: "), done.stderr
    assert fix.startswith("fix: "), done.stderr
    assert not [line for line in before if line.startswith(("error:", "fix:"))]
    assert "steady has a bug" not in error
    return f"{error}\n{fix}"


def _without_more(done: Done) -> list[str]:
    *before, last = done.stderr.splitlines()
    return before if re.fullmatch(r"more: specs/errors\.md#[a-z_-]+", last) else [*before, last]


def machines(stage: Stage) -> list[str]:
    return sorted(path.name for path in stage.state.glob("machines/l-*"))


def rows(stage: Stage) -> list[tuple[str, ...]]:
    """Every row of the tracker but the lease, which each command takes and returns."""
    with sqlite3.connect(stage.state / "tracker.db") as tracker:
        found = tracker.execute("SELECT kind, name, version, body FROM rows WHERE kind != 'lease'").fetchall()
    tracker.close()
    return found


# ---- spec files ----------------------------------------------------------------------------------


def missing(folder: Path) -> Path:
    return folder / "nowhere.yaml"


def directory(folder: Path) -> Path:
    return folder


def binary(folder: Path) -> Path:
    (folder / "weights.yaml").write_bytes(bytes(range(128, 256)) * 20)
    return folder / "weights.yaml"


def empty(folder: Path) -> Path:
    (folder / "empty.yaml").touch()
    return folder / "empty.yaml"


def a_list(folder: Path) -> Path:
    (folder / "list.yaml").write_text("- fleet\n")
    return folder / "list.yaml"


def too_large(folder: Path) -> Path:
    (folder / "large.yaml").write_text("# " + "x" * 1024 * 1024)
    return folder / "large.yaml"


NOT_A_SPEC: dict[Callable[[Path], Path], str] = {
    missing: "nowhere.yaml: no such file",
    directory: "is a directory",
    binary: "weights.yaml:1:1: is not UTF-8 text",
    empty: "empty.yaml:1:1: the file is empty; `steady init` writes a spec",
    a_list: "list.yaml:1:1: a list is not a mapping",
    too_large: "a spec has at most 1,048,576",
}


@pytest.mark.parametrize("make", NOT_A_SPEC, ids=lambda make: make.__name__)
def test_what_is_no_spec_is_refused_before_anything_is_made(stage: Stage, make: Callable[[Path], Path]) -> None:
    done = stage.steady("apply", str(make(stage.folder)), "--yes", code=1)
    complaint(done)
    assert NOT_A_SPEC[make] in done.stderr
    assert done.stdout == ""
    assert not stage.state.exists()


def test_three_hundred_errors_are_all_told_each_with_its_place(stage: Stage) -> None:
    stage.declare()
    with stage.spec.open("a") as spec:
        spec.writelines(f"wrong_{number}: 1\n" for number in range(300))
    done = stage.steady("apply", str(stage.spec), "--yes", code=1)
    assert "300 errors in the spec" in complaint(done)
    told = _without_more(done)[:-2]
    first = stage.spec.read_text().splitlines().index("wrong_0: 1") + 1
    assert told == [f"{stage.spec}:{first + number}:1: wrong_{number}: unknown field" for number in range(300)]


def test_a_workdir_that_does_not_exist_is_an_error_at_its_place(stage: Stage) -> None:
    stage.declare(train={"workdir": "no/such/place"})
    done = stage.steady("apply", str(stage.spec), "--yes", code=1)
    complaint(done)
    assert "pools.t.train.workdir: 'no/such/place' is not a directory beside the spec" in done.stderr
    assert not stage.state.exists()


# ---- state directories ---------------------------------------------------------------------------


def newer(stage: Stage) -> None:
    stage.state.mkdir()
    with sqlite3.connect(stage.state / "tracker.db") as tracker:
        tracker.execute("PRAGMA journal_mode = WAL")
        tracker.execute("PRAGMA user_version = 99")
    tracker.close()


def a_file(stage: Stage) -> None:
    stage.state.write_text("not a directory")


def below_proc(stage: Stage) -> None:
    stage.state = Path("/proc/nowhere/state")


def corrupt(stage: Stage) -> None:
    stage.state.mkdir()
    (stage.state / "tracker.db").write_bytes(b"this was a database once" * 100)


def tracker_is_a_folder(stage: Stage) -> None:
    (stage.state / "tracker.db").mkdir(parents=True)


UNUSABLE: dict[Callable[[Stage], None], str] = {
    newer: "its format 99 is newer than this steadyfleet's",
    a_file: "the state directory cannot be used: Not a directory",
    below_proc: "the state directory cannot be used",
    corrupt: "file is not a database",
    tracker_is_a_folder: "unable to open database file",
}


CASES = [(verb, spoil) for verb in ("status", "apply") for spoil in UNUSABLE]
CASES.remove(("status", below_proc))  # to those who only look, a directory that is not there is an empty one


@pytest.mark.parametrize(("verb", "spoil"), CASES, ids=lambda case: getattr(case, "__name__", case))
def test_an_unusable_state_directory_is_named_and_left_alone(
    stage: Stage, verb: str, spoil: Callable[[Stage], None]
) -> None:
    stage.declare()
    spoil(stage)
    before = _contents(stage.state)
    done = stage.steady(*(["status"] if verb == "status" else ["apply", str(stage.spec), "--yes"]), code=1)
    assert UNUSABLE[spoil] in complaint(done)
    assert str(stage.state) in complaint(done)
    assert _contents(stage.state) == before
    assert machines(stage) == []


def _contents(state: Path) -> bytes | None:
    file = state if state.is_file() else state / "tracker.db"
    return file.read_bytes() if file.is_file() else None


# ---- the command line ----------------------------------------------------------------------------

WRONG_USAGE = {
    "verb": ("aply SPEC", "Did you mean 'apply'?"),
    "option": ("apply SPEC --yess", "--yes"),
    "argument": ("apply", "SPEC"),
    "output": ("status -o yaml", "'yaml' is not one of"),
    "stop without a reason": ("stop f/t/0", "--reason"),
    "terminate without a reason": ("terminate f/t/0", "--reason"),
    "suspend without a reason": ("suspend f", "--reason"),
    "allow-loss without a reason": ("allow-loss l-123", "--reason"),
    "how often": ("reconcile SPEC", "either --once or --every 30s"),
    "too often": ("reconcile SPEC --once --every 1s", "either --once or --every 30s"),
    "negative --every": ("reconcile SPEC --every -1s", "'-1s' is not a duration"),
    "a port for one tick": ("reconcile SPEC --once --metrics-port 9100", "pass --metrics-file"),
    "no port": ("reconcile SPEC --every 1s --metrics-port 70000", "70000 is not in the range"),
    "one document of many": ("reconcile SPEC --every 1s -o json", "-o ndjson: a record a line"),
    "a stream of one": ("reconcile SPEC --once -o ndjson", "--every 30s for a stream of records"),
    "one document of a watch": ("status --watch -o json", "-o ndjson: a record a line"),
    "a stream of one look": ("status -o ndjson", "--watch for a stream of records"),
    "a stream where there is none": ("stop f/t/0 --reason r -o ndjson", "'ndjson' is not one of"),
    "a stream before such a verb": ("-o ndjson plan SPEC", "this verb does not print ndjson"),
    "garbage --for": ("stop f/t/0 --reason r --for soon", "'soon' is not a duration"),
    "negative --for": ("stop f/t/0 --reason r --for -2h", "'-2h' is not a duration"),
    "garbage --until": ("suspend f --reason r --until monday", "'monday' is no moment"),
    "past --until": ("suspend f --reason r --until 2020-01-01T00:00:00Z", "is past"),
    "stop with an empty reason": ("stop f/t/0 --reason=", "the reason is empty"),
    "replace with an empty reason": ("replace f/t/0 --reason=", "the reason is empty"),
    "garbage --lead": ("local notice f/t/0 --lead 5", "'5' is not a duration"),
    "negative --lead": ("local notice f/t/0 --lead -5s", "'-5s' is not a duration"),
    "rebalance with a lead": ("local notice f/t/0 --cause rebalance --lead 5s", "leave --lead out"),
    "cause": ("local notice f/t/0 --cause flood", "'flood' is not one of"),
    "node without a pool": ("why f/0", "write it as fleet/pool/index"),
    "node in capitals": ("stop F/t/0 --reason r", "'F/t/0' is not a node"),
    "node with a negative index": ("checkpoint f/t/-1", "'f/t/-1' is not a node"),
    "node with a leading zero": ("replace f/t/00", "'f/t/00' is not a node"),
    "node that climbs": ("local kill f/../0", "'f/../0' is not a node"),
}


@pytest.mark.parametrize("case", WRONG_USAGE)
def test_wrong_usage_is_64_and_says_what_is_right(stage: Stage, case: str) -> None:
    words, told = WRONG_USAGE[case]
    stage.declare()
    done = stage.steady(*(str(stage.spec) if word == "SPEC" else word for word in words.split()), code=64)
    assert told in complaint(done)
    assert done.stdout == ""
    assert machines(stage) == []


@pytest.mark.parametrize("verb", ["apply", "run"])
def test_nothing_is_applied_unasked_where_nobody_can_be_asked(stage: Stage, verb: str) -> None:
    stage.declare()
    done = stage.steady(verb, str(stage.spec), code=64)
    assert "--yes" in complaint(done)
    assert "1 to create" in done.stderr
    assert stage.document("status")["fleets"] == []
    assert machines(stage) == []


def test_a_fleet_that_is_not_applied_is_refused_by_every_order(stage: Stage) -> None:
    orders = ["stop f/t/0 --reason r", "start f/t/0", "replace f/t/0", "checkpoint f/t/0", "suspend f --reason r"]
    for order in [*orders, "terminate f/t/0 --reason r", "local kill f/t/0", "allow-loss l-1 --reason r"]:
        complaint(stage.steady(*order.split(), code=1))
    for look in ("status f", "why f/t/0", "history f"):
        complaint(stage.steady(*look.split(), code=1))
    assert machines(stage) == []


def test_a_node_that_is_not_declared_is_refused_and_its_pools_are_named(stage: Stage) -> None:
    stage.declare(nodes=0).apply()
    before = rows(stage)
    for node in ("f/t/0", "f/other/0"):
        for order in ("stop --reason r", "terminate --reason r", "replace", "start", "checkpoint"):
            verb, *options = order.split()
            assert "its pools: t " in complaint(stage.steady(verb, node, *options, code=64))
    assert rows(stage) == before


def test_a_fleet_applied_from_another_file_is_taken_over_only_when_told_so(stage: Stage) -> None:
    stage.declare(nodes=0).apply()
    first, stage.spec = stage.spec, stage.folder / "copy.yaml"
    stage.spec.write_text(first.read_text())
    before = rows(stage)
    refused = complaint(stage.apply(code=6))
    assert "--take-over" in refused
    assert str(first) in refused
    assert rows(stage) == before
    stage.apply("--take-over")
    assert any(f'"source":"{stage.spec}"' in body for *_, body in rows(stage))


def test_orders_that_a_node_cannot_follow_are_refused_and_it_trains_on(stage: Stage) -> None:
    stage.declare(arguments=("--steps", "100000")).apply()
    assert "a spot machine cannot be stopped" in complaint(stage.steady("local", "stop", "f/t/0", code=6))
    assert "no live machine" in complaint(stage.steady("allow-loss", "l-other", "--reason", "r", code=1))
    assert stage.node()["run"]["state"] == "training"
    stage.steady("stop", "f/t/0", "--reason", "lunch")
    assert "is not training" in complaint(stage.steady("checkpoint", "f/t/0", code=1))
    assert "no machine to replace" in complaint(stage.steady("replace", "f/t/0", code=1))
    assert "no running machine" in complaint(stage.steady("local", "notice", "f/t/0", code=1))


# ---- trainers ------------------------------------------------------------------------------------


def test_a_command_that_does_not_exist_fails_as_the_users_error_and_why_names_it(stage: Stage) -> None:
    stage.declare(train={"command": ["no-such-trainer", "--fast"]})
    done = stage.steady("run", str(stage.spec), "--yes", code=1)
    assert "failed: f.t.main.0\nfix: steady why f/t/0" in complaint(done)
    assert {(a["outcome"], a["cause"]) for a in stage.run()["attempts"]} == {("failed", "user_error")}
    assert "no-such-trainer: No such file or directory" in stage.steady("why", "f/t/0").stdout
    assert stage.left_over() == []


ODD = """
import json, os, pathlib, sys, time
run, kept = (pathlib.Path(os.environ[f"STEADY_{name}_DIR"]) for name in ("RUN", "CHECKPOINT"))
back = pathlib.Path(os.environ.get("STEADY_RESUME_FROM", "/nowhere"))
def save(name, make=lambda path: path.write_text("weights")):
    make(kept / ".beside")
    (kept / ".beside").rename(kept / name)
def result(data):
    (run / "result.json").write_bytes(data)
CODES = %r
exec(CODES[int(os.environ["STEADY_NODE"].rpartition("/")[2])])
"""


def odd_trainers(stage: Stage, *codes: str) -> Stage:
    """A node for each piece of code, with a trainer that does as it says."""
    trainer = stage.folder / "train_odd.py"
    trainer.write_text(ODD % (codes,))
    return stage.declare(nodes=len(codes), train={"command": ["python", str(trainer)]})


GARBAGE = {
    "huge": ("b'[' + b'1,' * 10**6 + b'1]'", "b'{\"loss\": \"' + b'x' * 10**6 + b'\"}'", None),
    "not JSON": ("bytes(range(256))", "bytes(range(256))", None),
    "negative": ("b'{\"step\": -5}'", "b'-5'", -5),
    "of other types": ('b\'{"step": "12"}\'', "b'[true, null]'", [True, None]),
    "cut short": ("b'{\"step\": 1'", "b''", None),
}


def test_garbage_in_progress_and_result_files_hurts_nobody(stage: Stage) -> None:
    codes = [
        f"(run / 'progress.json').write_bytes({progress})\nsave('step-000010')\ntime.sleep(1.5)\nresult({said})"
        for progress, said, _ in GARBAGE.values()
    ]
    odd_trainers(stage, *codes).run_to_the_end()
    for index, (kind, (_, _, understood)) in enumerate(GARBAGE.items()):
        run = stage.run(index)
        assert (kind, run["state"], run["result"]) == (kind, "completed", understood)
        assert [(a["outcome"], a["to_step"]) for a in run["attempts"]] == [("completed", 10)]


ODD_ENTRIES = """
save("step-000010")
save("two\\nlines-000020")
save("step-000030.tmp")
save(".step-000040")
save("notes.txt")
save("step-000050", lambda path: path.symlink_to("/etc/passwd"))
save("step-000060", lambda path: path.symlink_to(kept / "nowhere"))
save("newest", lambda path: path.mkdir())
time.sleep(1.5)
result(b"1")
"""

ODD_NAMES = """
names = {"a b", "two\\nlines", "-rf", "sub/deeper/$HOME", "sub/.hidden", "\u00fcnicode"}
def fill(folder):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
if back.exists():
    found = {str(file.relative_to(back)) for file in back.rglob("*") if file.is_file()}
    result(json.dumps(found == names and all((back / name).read_text() == name for name in names)).encode())
    sys.exit(0)
save("step-000010", fill)
sys.exit("now from the store")
"""


def test_odd_entries_are_never_looked_at_and_odd_file_names_come_back_whole(stage: Stage) -> None:
    odd_trainers(stage, ODD_ENTRIES, ODD_NAMES).run_to_the_end()
    assert [checkpoint["step"] for checkpoint in stage.run(0)["checkpoints"]] == [10]
    assert stage.run(0)["state"] == "completed"
    assert stage.run(1)["result"] is True


HOSTILE = {
    "a result nested too deeply": "result(b'[' * 4000)",
    "a result that is not Unicode": "result(rb'\"\\ud800\"')",
    "a socket named as a checkpoint": (
        "import socket\nos.chdir(kept)\nsocket.socket(socket.AF_UNIX).bind('step-000010')\nresult(b'1')"
    ),
    "a pipe named as a checkpoint": "os.mkfifo(kept / 'step-000010')\nresult(b'1')",
    "a file name that is not UTF-8": (
        "save('step-000010', lambda path: (path.mkdir(), open(os.fsencode(path) + b'/\\xff', 'w').close()))\n"
        "result(b'1')"
    ),
    "a file name that is not composed": (
        "if back.exists():\n    result(b'1')\n    sys.exit(0)\n"
        "save('step-000010', lambda path: (path.mkdir(), (path / 'e\\u0301').write_text('weights')))\n"
        "sys.exit('now from the store')"
    ),
}


def test_a_run_ends_whatever_its_trainer_left_behind(stage: Stage) -> None:
    odd_trainers(stage, *HOSTILE.values()).controller()
    wait_until(lambda: len(machines(stage)) == len(HOSTILE), "the machines")
    with contextlib.suppress(AssertionError):
        wait_until(lambda: not going_on(stage), "the end of every run", within=8)
    assert going_on(stage) == []


def going_on(stage: Stage) -> list[str]:
    states = {run["run"]: run["state"] for run in stage.document("history")["runs"]}
    return [kind for index, kind in enumerate(HOSTILE) if states.get(f"f.t.main.{index}") != "completed"]


def test_apply_of_a_command_that_cannot_start_does_not_say_that_all_is_well(stage: Stage) -> None:
    stage.declare(train={"command": ["no-such-trainer"]}, budget={"retries": {"user_error": 0}})
    done = stage.apply(code=None)
    assert done.returncode != 0
    assert "checkpointing" not in done.stderr


# ---- others at work ------------------------------------------------------------------------------


def test_reconcile_skips_a_fleet_that_another_process_acts_on(stage: Stage) -> None:
    stage.declare(nodes=0).apply()
    leases = Leases(
        SqliteTable(stage.state / "tracker.db"), SystemClock(), host=_host(stage), process=myself(), who="somebody"
    )
    with leases.held("f"):
        before = rows(stage)
        done = stage.steady("reconcile", str(stage.spec), "--once")
        assert done.stderr == "f: somebody is acting on this fleet: skipped\n"
        assert rows(stage) == before
    stage.steady("reconcile", str(stage.spec), "--once")


def _host(stage: Stage) -> str:
    """The host's name as the tracker has it, from the lease that `apply` returned."""
    with sqlite3.connect(stage.state / "tracker.db") as tracker:
        (body,) = tracker.execute("SELECT body FROM rows WHERE kind = 'lease'").fetchone()
    tracker.close()
    return str(json.loads(body)["host"])


def test_an_apply_that_was_killed_is_finished_by_the_next(stage: Stage) -> None:
    stage.declare(arguments=("--steps", "100000"))
    victim = stage.start("apply", str(stage.spec), "--yes")
    wait_until(lambda: list(stage.state.glob("machines/*/process.json")), "a machine that has booted")
    victim.kill()
    victim.wait()
    stage.apply()
    assert stage.node()["run"]["state"] == "training"
    assert len(machines(stage)) == 1


# ---- what a command must not do ------------------------------------------------------------------


def test_destroy_ends_a_machine_that_is_stopped(stage: Stage) -> None:
    stage.declare(market="on_demand", arguments=("--steps", "100000")).apply()
    stage.steady("stop", "f/t/0", "--reason", "lunch")
    stage.steady("destroy", str(stage.spec), "--yes", "--timeout", "5")
    assert not list(stage.state.glob("instances/*"))


def test_looking_writes_nothing_into_a_directory_that_is_no_state_directory(stage: Stage) -> None:
    (stage.folder / "home").mkdir()
    stage.steady("status", "--state", "home")
    assert list((stage.folder / "home").iterdir()) == []


@pytest.mark.parametrize("order", ["reconcile SPEC --once", "unsuspend f"])
def test_a_command_about_an_unknown_fleet_does_not_break_status(stage: Stage, order: str) -> None:
    stage.declare()
    stage.steady(*(str(stage.spec) if word == "SPEC" else word for word in order.split()), code=None)
    assert stage.document("status")["fleets"] == []


def test_unsuspend_of_an_unknown_fleet_is_an_error(stage: Stage) -> None:
    complaint(stage.steady("unsuspend", "f", code=1))


def test_a_notice_that_never_comes_due_is_refused(stage: Stage) -> None:
    stage.declare(arguments=("--steps", "100000")).apply()
    complaint(stage.steady("local", "notice", "f/t/0", "--lead", "never", code=64))
    assert not list(stage.state.glob("machines/*/notices.json"))

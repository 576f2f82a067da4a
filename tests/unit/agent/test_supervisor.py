"""The trainer's processes and files, on real short-lived ones: environment, signals to ranks, the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lifecycle.agent.supervisor import Supervisor
from lifecycle.model.fleet import Profile
from lifecycle.model.records import Assignment
from lifecycle.ports.trainer import Launch, ProcessState, StopRequest
from lifecycle.system import processes
from tests.builders import NODE, NOW, RUN, an_assignment

PATIENCE = 20.0

RANK = """
import os, signal, sys, time
caught = [getattr(signal, name) for name in sys.argv[2:]]
note = lambda number, _: open(sys.argv[1], "a").write(signal.Signals(number).name + "\\n")
for number in caught:
    signal.signal(number, note)
open(sys.argv[1], "w").close()
end = time.monotonic() + 60
while time.monotonic() < end:
    time.sleep(0.05)
"""
"""A process that notes the signals it gets in the file it is given; it ends by itself after a minute."""

LAUNCHER = """
import os, subprocess, sys
rank = lambda number, caught: subprocess.Popen(
    [sys.executable, "-c", sys.argv[1], os.path.join(os.environ["STEADY_RUN_DIR"], "rank%d" % number), *caught],
    env={**os.environ, "RANK": str(number)},
)
worker = subprocess.Popen(
    [sys.executable, "-c", sys.argv[1], os.path.join(os.environ["STEADY_RUN_DIR"], "launcher"), "SIGTERM"]
)
[child.wait(60) for child in (rank(0, ['SIGTERM']), rank(1, sys.argv[2].split()), worker)]
"""
"""A launcher with two ranks and a process that is none."""


class Subprocesses:
    """`ports.trainer.Launcher` over plain child processes; `close` leaves none."""

    def __init__(self, mark: str) -> None:
        self.mark, self.launches = mark, list[Launch]()
        self._begun: dict[tuple[str, int], subprocess.Popen[bytes]] = {}

    def launch(self, launch: Launch) -> None:
        self.launches.append(launch)
        if (launch.run, launch.attempt) in self._begun or not launch.command:
            return
        Path(launch.log).parent.mkdir(parents=True, exist_ok=True)
        with Path(launch.log).open("wb") as log:
            self._begun[launch.run, launch.attempt] = subprocess.Popen(
                launch.command,
                cwd=launch.workdir,
                env={**os.environ, **launch.env},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def look(self, run: str, attempt: int) -> ProcessState | None:
        begun = self._begun.get((run, attempt))
        if begun is None:
            return None
        code = begun.poll()
        return ProcessState(pid=begun.pid, alive=code is None, started_at=NOW, exit_code=code)

    def all(self) -> list[int]:
        return [pid for pid in processes.carriers("TEST_MARK", self.mark) if processes.identify(pid) is not None]

    def close(self) -> None:
        assert processes.end_all(self.all)
        for begun in self._begun.values():
            begun.wait(PATIENCE)


class Node:
    """A supervisor over one temporary disk."""

    def __init__(self, root: Path) -> None:
        self.root, self.disk = root, root / "disk"
        self.launcher = Subprocesses(f"{root}-{time.monotonic_ns()}")
        self.supervisor = Supervisor(node=NODE, disk=self.disk, logs=root / "logs", launcher=self.launcher)
        self.run = self.disk / "runs" / RUN

    def assignment(self, *command: str, **changes: Any) -> Assignment:
        env = {"TEST_MARK": self.launcher.mark, **changes.pop("env", {})}
        return an_assignment(command=command, workdir=str(self.root), env=env, **changes)

    def starts(self, *command: str, **changes: Any) -> Assignment:
        assignment = self.assignment(*command, **changes)
        self.supervisor.prepare(assignment)
        self.supervisor.launch(assignment, None)
        return assignment

    def starts_python(self, code: str, *arguments: str, **changes: Any) -> Assignment:
        return self.starts(sys.executable, "-c", code, *arguments, **changes)

    def starts_rank(self, *signals: str, **changes: Any) -> Assignment:
        """One process that catches these signals, once it is able to."""
        assignment = self.starts_python(RANK, str(self.run / "rank"), *signals, **changes)
        until((self.run / "rank").exists, "the rank to be ready")
        return assignment

    def starts_launcher(self, second: str = "SIGTERM") -> Assignment:
        assignment = self.starts_python(LAUNCHER, RANK, second)
        for name in ("rank0", "rank1", "launcher"):
            until((self.run / name).exists, f"{name} to be ready")
        return assignment

    def environment(self, resume_from: Path | None = None, **changes: Any) -> dict[str, str]:
        """What a trainer would be given; nothing is started."""
        self.supervisor.launch(self.assignment(**changes), resume_from)
        return dict(self.launcher.launches[-1].env)

    def noted(self, name: str) -> list[str]:
        return (self.run / name).read_text().split()


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"did not happen: {what}"
        time.sleep(0.005)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    node = Node(tmp_path)
    yield node
    node.launcher.close()


# ---- the environment ---------------------------------------------------------------------------------


def test_a_trainer_is_told_who_and_where_it_is(node: Node) -> None:
    env = node.environment(attempt=3)
    told = {name: env[name] for name in env if name.startswith("STEADY_")}
    assert told == {
        "STEADY_RUN_ID": RUN,
        "STEADY_NODE": NODE,
        "STEADY_ATTEMPT": "3",
        "STEADY_RUN_DIR": str(node.run),
        "STEADY_CHECKPOINT_DIR": str(node.run / "checkpoints"),
        "STEADY_HYPERPARAMETERS": str(node.run / "hyperparameters.json"),
        "STEADY_STOP_GRACE_S": "90",
        "STEADY_NODE_RANK": "0",
        "STEADY_NODE_COUNT": "1",
    }


def test_a_trainer_with_secrets_is_started_by_what_fetches_them(node: Node) -> None:
    node.supervisor = Supervisor(
        node=NODE, disk=node.disk, logs=node.root / "logs", launcher=node.launcher, opener=("true",)
    )
    node.starts("train", secrets={"B": "arn:b", "A": "arn:a"})
    node.starts("echo", attempt=2)
    commands = [each.command for each in node.launcher.launches]
    assert commands == [("true", "A=arn:a", "B=arn:b", "--", "train"), ("echo",)]
    assert all("A" not in each.env for each in node.launcher.launches)


def test_a_trainer_is_told_where_to_resume_from(node: Node) -> None:
    assert node.environment(Path("/disk/step-10"))["STEADY_RESUME_FROM"] == "/disk/step-10"


def test_torchrun_is_told_the_same_in_its_own_words(node: Node) -> None:
    env = node.environment(rank=1, count=2, master="10.0.0.7", grace=45.4)
    assert (env["PET_NODE_RANK"], env["PET_NNODES"], env["PET_MASTER_ADDR"]) == ("1", "2", "10.0.0.7")
    assert (env["PET_SHUTDOWN_TIMEOUT"], env["TORCH_ELASTIC_SHUTDOWN_TIMEOUT"]) == ("45", "45")


def test_the_rendezvous_has_one_free_port(node: Node) -> None:
    env = node.environment()
    assert env["MASTER_PORT"] == env["PET_MASTER_PORT"]
    assert 1024 <= int(env["MASTER_PORT"]) < 65536


def test_the_ranks_of_a_gang_meet_where_they_were_told_and_log_apart(node: Node) -> None:
    assert node.environment(rank=1, count=2, port=15123)["MASTER_PORT"] == "15123"
    ranks = [node.assignment(rank=rank, nodes=("f/t/0", "f/t/1")) for rank in (0, 1)]
    assert [node.supervisor.log(rank).name for rank in ranks] == ["1.0.log", "1.1.log"]


def test_all_attempts_of_a_run_are_one_experiment(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_RUN_ID", raising=False)
    monkeypatch.delenv("WANDB_RESUME", raising=False)
    env = node.environment()
    assert (env["WANDB_RUN_ID"], env["WANDB_RESUME"]) == (RUN, "allow")


def test_an_experiment_that_the_machine_names_is_left_alone(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_RUN_ID", "mine")
    monkeypatch.delenv("WANDB_RESUME", raising=False)
    env = node.environment()
    assert ("WANDB_RUN_ID" in env, env["WANDB_RESUME"]) == (False, "allow")


def test_an_experiment_that_the_spec_names_is_left_alone(node: Node) -> None:
    assert node.environment(env={"WANDB_RUN_ID": "mine"})["WANDB_RUN_ID"] == "mine"


def test_python_is_the_one_that_has_the_helper(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert node.environment()["PATH"] == f"{Path(sys.executable).parent}:/usr/bin:/bin"


def test_a_spec_may_set_its_own_path(node: Node) -> None:
    assert node.environment(env={"PATH": "/mine"})["PATH"] == "/mine"


def test_a_spec_cannot_bend_the_contract(node: Node) -> None:
    assert node.environment(env={"STEADY_RUN_DIR": "/elsewhere"})["STEADY_RUN_DIR"] == str(node.run)


def test_a_real_trainer_sees_all_that(node: Node) -> None:
    code = "import os; open(os.environ['STEADY_CHECKPOINT_DIR'] + '/step-1', 'w').write(os.environ['PET_NNODES'])"
    assignment = node.starts_python(code)
    until(lambda: node.supervisor.checkpoints(assignment), "a checkpoint")
    assert (node.run / "checkpoints/step-1").name == "step-1"


# ---- files -------------------------------------------------------------------------------------------


def test_a_prepared_run_has_its_checkpoint_directory_and_hyperparameters(node: Node) -> None:
    node.supervisor.prepare(node.assignment(hyperparameters={"lr": 0.1}))
    assert (node.run / "checkpoints").is_dir()
    assert (node.run / "hyperparameters.json").read_text() == '{"lr": 0.1}'


def test_an_ask_is_put_and_withdrawn_in_the_runs_directory(node: Node) -> None:
    node.supervisor.prepare(node.assignment())
    node.supervisor.ask(RUN, StopRequest(request="r1", mode="save", reason="", deadline=None))
    assert (node.run / "stop.json").exists()
    node.supervisor.withdraw(RUN)
    assert not (node.run / "stop.json").exists()


def test_what_the_trainer_says_is_read_from_the_runs_directory(node: Node) -> None:
    node.supervisor.prepare(node.assignment())
    (node.run / "progress.json").write_text('{"step": 7, "total": 9}')
    (node.run / "result.json").write_text("[1]")
    (node.run / "helper.json").touch()
    read = node.supervisor
    assert (read.progress(RUN), read.total(RUN), read.result(RUN), read.helper_present(RUN)) == (
        7,
        9,
        (True, [1]),
        True,
    )


def test_discarded_checkpoints_are_gone(node: Node) -> None:
    node.supervisor.prepare(assignment := node.assignment())
    for name in ("step-1", "step-2"):
        (node.run / "checkpoints" / name).touch()
    node.supervisor.discard(assignment, ["step-1", "step-9"])
    assert [found.name for found in node.supervisor.checkpoints(assignment)] == ["step-2"]


def test_a_checkpoint_in_place_counts_by_the_rules_of_the_profile(node: Node) -> None:
    node.supervisor.prepare(assignment := node.assignment(profile=Profile.TRANSFORMERS))
    place = node.run / "checkpoints" / "checkpoint-20"
    place.mkdir()
    assert node.supervisor.checkpoints(assignment) == ()
    (place / "trainer_state.json").write_text('{"global_step": 20}')
    assert [found.step for found in node.supervisor.checkpoints(assignment)] == [20]


def test_while_the_trainer_lives_a_checkpoint_in_place_has_to_come_to_rest(node: Node) -> None:
    assignment = node.starts_rank(profile=Profile.TRANSFORMERS)
    place = node.run / "checkpoints" / "checkpoint-20"
    place.mkdir()
    (place / "trainer_state.json").write_text('{"global_step": 20}')
    assert node.supervisor.checkpoints(assignment) == ()


@pytest.mark.parametrize(("profile", "left"), [(Profile.TRANSFORMERS, []), (Profile.SCRIPT, ["checkpoint-20"])])
def test_a_prepared_run_has_no_wreck_that_its_trainer_would_resume_from(
    node: Node, profile: Profile, left: list[str]
) -> None:
    (node.run / "checkpoints" / "checkpoint-20").mkdir(parents=True)
    node.supervisor.prepare(node.assignment(profile=profile))
    assert [path.name for path in (node.run / "checkpoints").iterdir()] == left


@pytest.mark.parametrize(
    ("log", "words"),
    [
        (b"one\nValueError: no data\n\n", "ValueError: no data"),
        (b"", ""),
        (b"\n \n", ""),
        (b"x" * 9000, "x" * 300),
        (b"bad \xff byte", "bad � byte"),
    ],
)
def test_the_last_words_are_the_last_line_of_the_log(node: Node, log: bytes, words: str) -> None:
    place = node.supervisor.log(assignment := node.assignment())
    place.parent.mkdir(parents=True)
    place.write_bytes(log)
    assert node.supervisor.last_words(assignment) == words


def test_without_a_log_there_are_no_last_words(node: Node) -> None:
    assert node.supervisor.last_words(node.assignment()) == ""


def test_every_attempt_has_a_log_of_its_own(node: Node) -> None:
    assignment = node.starts_python("print('hello')")
    until(lambda: node.supervisor.last_words(assignment) == "hello", "the output in the log")
    assert node.supervisor.log(assignment) == node.root / "logs" / RUN / "1.log"


# ---- processes ---------------------------------------------------------------------------------------


def test_an_attempt_that_was_never_launched_has_no_process(node: Node) -> None:
    assert node.supervisor.process(node.assignment()) is None


def test_an_attempt_is_seen_from_its_start_to_its_end(node: Node) -> None:
    assignment = node.starts_python("import sys; sys.exit(3)")

    def ended() -> bool:
        process = node.supervisor.process(assignment)
        return process is not None and not process.alive and process.exit_code == 3

    until(ended, "its end being seen")


def test_a_single_process_is_its_own_rank(node: Node) -> None:
    assignment = node.starts_rank("SIGTERM")
    process = node.supervisor.process(assignment)
    assert process is not None
    assert node.supervisor.signal_ranks(assignment) == (process.pid,)
    until(lambda: node.noted("rank") == ["SIGTERM"], "the signal")


def test_a_rank_that_catches_only_usr1_gets_that(node: Node) -> None:
    node.supervisor.signal_ranks(node.starts_rank("SIGUSR1"))
    until(lambda: node.noted("rank") == ["SIGUSR1"], "the signal")


def test_a_rank_that_catches_both_gets_one(node: Node) -> None:
    assignment = node.starts_rank("SIGTERM", "SIGUSR1")
    node.supervisor.signal_ranks(assignment)
    until(lambda: node.noted("rank"), "the signal")
    assert node.noted("rank") == ["SIGTERM"]


def test_a_rank_that_catches_nothing_is_left_alone(node: Node) -> None:
    assignment = node.starts_rank()
    assert node.supervisor.signal_ranks(assignment) == ()
    process = node.supervisor.process(assignment)
    assert process is not None
    assert process.alive


def test_the_ranks_under_a_launcher_are_signalled_once_and_nobody_else(node: Node) -> None:
    assignment = node.starts_launcher()
    assert len(node.supervisor.signal_ranks(assignment)) == 2
    until(lambda: node.noted("rank0") == node.noted("rank1") == ["SIGTERM"], "the signals")
    assert node.noted("launcher") == []


def test_while_a_rank_catches_nothing_none_is_signalled(node: Node) -> None:
    """One that leaves alone would leave the other in a collective that never ends."""
    assert node.supervisor.signal_ranks(node.starts_launcher(second="")) == ()


def test_those_that_catch_it_are_signalled_when_some_will_do(node: Node) -> None:
    node.supervisor.signal_ranks(node.starts_launcher(second=""), some=True)
    until(lambda: node.noted("rank0") == ["SIGTERM"], "the signal")
    assert node.noted("rank1") == []


def test_terminating_reaches_the_ranks_and_not_their_launcher(node: Node) -> None:
    assignment = node.starts_launcher()
    node.supervisor.terminate(assignment)
    until(lambda: node.noted("rank0") == node.noted("rank1") == ["SIGTERM"], "the signals")
    assert node.noted("launcher") == []


def test_terminating_reaches_one_that_catches_nothing(node: Node) -> None:
    assignment = node.starts_rank()
    node.supervisor.terminate(assignment)

    def ended() -> bool:
        process = node.supervisor.process(assignment)
        return process is not None and process.exit_code == -signal.SIGTERM

    until(ended, "its end by SIGTERM")


def test_killing_leaves_none_of_the_attempts_processes(node: Node) -> None:
    assignment = node.starts_launcher()
    assert len(node.launcher.all()) == 4
    node.supervisor.kill(assignment)
    assert node.launcher.all() == []


def test_killing_reaches_workers_whose_launcher_is_gone(node: Node) -> None:
    assignment = node.starts_launcher()
    process = node.supervisor.process(assignment)
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: len(node.launcher.all()) == 3, "the launcher being gone")
    node.supervisor.kill(assignment)
    assert node.launcher.all() == []


def test_killing_leaves_another_run_alone(node: Node) -> None:
    node.starts_rank("SIGTERM")
    node.supervisor.kill(node.assignment(run="f.t.another.0"))
    assert len(node.launcher.all()) == 1


def test_nobody_is_signalled_when_nothing_runs(node: Node) -> None:
    assignment = node.assignment()
    node.supervisor.terminate(assignment)
    node.supervisor.kill(assignment)
    assert node.supervisor.signal_ranks(assignment) == ()

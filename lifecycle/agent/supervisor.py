"""The trainer's processes and files on this node: `ports.trainer.Trainer` on real ones.

Signals go to rank processes only, each once; never to a launcher or a process group, which would take
loader workers down before the ranks could save.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lifecycle.agent.formats import Looks, wrecks
from lifecycle.agent.rundir import HYPERPARAMETERS, RunDirectory, complete_checkpoints, discard
from lifecycle.model.fleet import Profile
from lifecycle.model.records import Assignment
from lifecycle.ports.trainer import Launch, Launcher, LocalCheckpoint, ProcessState, StopRequest
from lifecycle.system import openfiles, processes

ACCELERATOR = r"/dev/(nvidia[0-9]|nvidia-uvm|neuron[0-9]|kfd)"
"""How the device files begin that only computing opens."""

_SERVICES = frozenset({"nvidia-persiste", "nv-hostengine", "dcgm-exporter", "nvidia-smi", "Xorg", "gnome-shell"})
"""They hold accelerators open on sound machines."""


class Supervisor:
    """One node's trainers. `disk` is the node's own disk, `logs` where their output goes.

    `opener` is the program that fetches a trainer's secrets and then becomes that trainer; none where there are
    no secrets to be had.
    """

    def __init__(
        self,
        *,
        node: str,
        disk: Path,
        logs: Path,
        launcher: Launcher,
        accelerator: str = ACCELERATOR,
        opener: Sequence[str] = (),
    ) -> None:
        self._node, self._disk, self._logs, self._launcher = node, disk, logs, launcher
        self._accelerator, self._opener = re.compile(accelerator), tuple(opener)
        self._looks = Looks()

    def prepare(self, assignment: Assignment) -> None:
        self._run(assignment.run).reset(assignment.hyperparameters)
        directory = self.checkpoint_directory(assignment)
        directory.mkdir(parents=True, exist_ok=True)
        if assignment.profile is not Profile.SCRIPT:
            self.discard(assignment, wrecks(assignment.profile, directory))

    def launch(self, assignment: Assignment, resume_from: Path | None) -> None:
        self._launcher.launch(
            Launch(
                run=assignment.run,
                attempt=assignment.attempt,
                command=self._command(assignment),
                workdir=assignment.workdir,
                env=self.environment(assignment, resume_from),
                log=str(self.log(assignment)),
            )
        )

    def process(self, assignment: Assignment) -> ProcessState | None:
        return self._launcher.look(assignment.run, assignment.attempt)

    def ask(self, run: str, request: StopRequest) -> None:
        self._run(run).ask(request)

    def withdraw(self, run: str) -> None:
        self._run(run).withdraw()

    def helper_present(self, run: str) -> bool:
        return self._run(run).helper_present()

    def signal_ranks(self, assignment: Assignment, *, some: bool = False) -> tuple[int, ...]:
        """A rank that leaves alone takes the others into a collective that never ends, so all are asked at once."""
        wanted = {pid: _caught(pid) for pid in self._ranks(assignment)}
        if None in wanted.values() and not some:
            return ()
        return tuple(pid for pid, number in wanted.items() if number and processes.send(pid, number))

    def terminate(self, assignment: Assignment) -> None:
        for pid in self._ranks(assignment):
            processes.send(pid, signal.SIGTERM)

    def kill(self, assignment: Assignment) -> None:
        directory = str(self._run(assignment.run).path)
        processes.end_all(lambda: processes.carriers("STEADY_RUN_DIR", directory, unless="STEADY_OP_ID"))

    def intruders(self, assignment: Assignment | None) -> Sequence[str]:
        """A line for each process that is not ours and uses an accelerator, or this attempt's checkpoints."""
        kept = f"{self.checkpoint_directory(assignment)}{os.sep}" if assignment else None
        found = openfiles.holders(
            lambda path: bool(self._accelerator.match(path)) or (kept is not None and path.startswith(kept))
        )
        ours = {os.getpid(), *processes.descendants(os.getpid())}
        return [f"{openfiles.name(pid)} (pid {pid}) uses {path}" for pid, path in found if _foreign(pid, ours)]

    def progress(self, run: str) -> int | None:
        return self._run(run).progress()

    def total(self, run: str) -> int | None:
        return self._run(run).total()

    def result(self, run: str) -> tuple[bool, Any]:
        return self._run(run).result()

    def checkpoints(self, assignment: Assignment) -> tuple[LocalCheckpoint, ...]:
        directory = self.checkpoint_directory(assignment)
        if assignment.profile is Profile.SCRIPT:
            return complete_checkpoints(directory)
        return self._looks.complete(assignment.profile, directory, lambda: self._lives(assignment))

    def checkpoint_directory(self, assignment: Assignment) -> Path:
        return self._run(assignment.run).path / assignment.checkpoint_directory

    def discard(self, assignment: Assignment, names: Sequence[str]) -> None:
        for name in names:
            discard(self.checkpoint_directory(assignment), name)

    def last_words(self, assignment: Assignment) -> str:
        try:
            with self.log(assignment).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
                lines = file.read().decode(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1].strip()[:300] if lines else ""

    def log(self, assignment: Assignment) -> Path:
        rank = f".{assignment.rank}" if assignment.nodes else ""
        return self._logs / assignment.run / f"{assignment.attempt}{rank}.log"

    def _run(self, run: str) -> RunDirectory:
        return RunDirectory(self._disk / "runs" / run)

    def _ranks(self, assignment: Assignment) -> list[int]:
        process = self.process(assignment)
        return processes.ranks(process.pid) if process is not None and process.alive else []

    def _command(self, assignment: Assignment) -> tuple[str, ...]:
        """The trainer's, with its opener before it where it needs secrets."""
        if not (self._opener and assignment.secrets):
            return assignment.command
        named = (f"{name}={arn}" for name, arn in sorted(assignment.secrets.items()))
        return (*self._opener, *named, "--", *assignment.command)

    def _lives(self, assignment: Assignment) -> bool:
        process = self.process(assignment)
        return process is not None and process.alive

    def environment(self, assignment: Assignment, resume_from: Path | None) -> dict[str, str]:
        """The contract's variables over the node's own and the spec's."""
        run = self._run(assignment.run).path
        port, grace = str(assignment.port or _free_port()), str(round(assignment.grace))
        ours = {
            "STEADY_RUN_ID": assignment.run,
            "STEADY_NODE": self._node,
            "STEADY_ATTEMPT": str(assignment.attempt),
            "STEADY_RUN_DIR": str(run),
            "STEADY_CHECKPOINT_DIR": str(self.checkpoint_directory(assignment)),
            "STEADY_HYPERPARAMETERS": str(run / HYPERPARAMETERS),
            "STEADY_STOP_GRACE_S": grace,
            "STEADY_NODE_RANK": str(assignment.rank),
            "STEADY_NODE_COUNT": str(assignment.count),
            "MASTER_ADDR": assignment.master,
            "MASTER_PORT": port,
            "PET_NODE_RANK": str(assignment.rank),
            "PET_NNODES": str(assignment.count),
            "PET_MASTER_ADDR": assignment.master,
            "PET_MASTER_PORT": port,
            "PET_SHUTDOWN_TIMEOUT": grace,
            "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": grace,
        }
        if resume_from is not None:
            ours["STEADY_RESUME_FROM"] = str(resume_from)
        return {**_tracking(assignment, os.environ), "PATH": _path(), **assignment.env, **ours}


def _caught(pid: int) -> signal.Signals | None:
    """The signal to ask this process by; None: each of them would end it."""
    caught = processes.catches(pid)
    return next((number for number in (signal.SIGTERM, signal.SIGUSR1) if number in caught), None)


def _foreign(pid: int, ours: set[int]) -> bool:
    """Neither ours nor started by what is, and no service that watches over accelerators."""
    started_by_us = openfiles.carries(pid, "STEADY_RUN_DIR", "STEADY_INSTANCE_ID")
    return pid not in ours and not started_by_us and openfiles.name(pid) not in _SERVICES


def _tracking(assignment: Assignment, env: Mapping[str, str]) -> dict[str, str]:
    """One experiment for all attempts of a run, unless the user has set it up otherwise."""
    wanted = {"WANDB_RUN_ID": assignment.run, "WANDB_RESUME": "allow"}
    return {name: value for name, value in wanted.items() if name not in env}


def _path() -> str:
    """This interpreter's directory first, so that `python` in a spec is the one that has our helper."""
    return os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

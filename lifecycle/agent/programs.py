"""The processes of hooks: `ports.hooks.HookPrograms` on real ones, started by whatever starts attempts here.

What a hook leaves running when it has ended is left alone; a hook that has to be ended is ended with all of it.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from lifecycle.agent.supervisor import Supervisor
from lifecycle.model.node import HookRun
from lifecycle.ports.trainer import Launch, Launcher, ProcessState
from lifecycle.system import processes

OUTPUT_BYTES = 64 * 1024


class Programs:
    """One node's hooks. `logs` is where the trainers' output goes too."""

    def __init__(self, supervisor: Supervisor, launcher: Launcher, logs: Path) -> None:
        self._supervisor, self._launcher, self._logs = supervisor, launcher, logs

    def start(self, run: HookRun) -> None:
        call, assignment = run.call, run.assignment
        env = self._supervisor.environment(assignment, None)
        Path(env["STEADY_RUN_DIR"]).mkdir(parents=True, exist_ok=True)
        self._launcher.launch(
            Launch(
                run=call.op_id,
                attempt=run.tried,
                command=call.command,
                workdir=assignment.workdir,
                env={**env, **run.facts},
                log=str(self._log(assignment.run, call.op_id)),
                hook=True,
            )
        )

    def look(self, op_id: str, tried: int) -> ProcessState | None:
        return self._launcher.look(op_id, tried)

    def terminate(self, op_id: str, pid: int) -> None:
        for each in _all(op_id, pid):
            processes.send(each, signal.SIGTERM)

    def kill(self, op_id: str, pid: int) -> None:
        processes.end_all(lambda: _all(op_id, pid))

    def output(self, run: str, op_id: str) -> str:
        try:
            with self._log(run, op_id).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - OUTPUT_BYTES))
                said = file.read(OUTPUT_BYTES).decode(errors="replace")
        except OSError:
            return ""
        return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in said)

    def _log(self, run: str, op_id: str) -> Path:
        return self._logs / run / f"{op_id}.log"


def _all(op_id: str, pid: int) -> set[int]:
    """Its tree, and whoever left that: they carry its op id."""
    tree = [pid, *processes.descendants(pid)] if pid else []
    return {*tree, *processes.carriers("STEADY_OP_ID", op_id)}

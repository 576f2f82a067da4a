"""The agent's way to start an attempt: a file that the machine process obeys. It outlives the agent."""

from __future__ import annotations

from lifecycle.adapters.local.layout import (
    ExitRecord,
    LaunchRequest,
    MachinePaths,
    MachineProcess,
    StartedRecord,
)
from lifecycle.ports.trainer import Launch, ProcessState
from lifecycle.system.files import read_record, write_record
from lifecycle.system.processes import alive


class MachineLauncher:
    """Implements `ports.trainer.Launcher` on one machine."""

    def __init__(self, paths: MachinePaths) -> None:
        self._paths = paths

    def launch(self, launch: Launch) -> None:
        place = self._paths.attempt(launch.run, launch.attempt)
        machine = read_record(self._paths.process, MachineProcess)
        asked = read_record(place / "launch.json", LaunchRequest)
        if machine is None or (asked is not None and asked.machine == machine.process):
            return
        place.mkdir(parents=True, exist_ok=True)
        write_record(
            place / "launch.json",
            LaunchRequest(
                machine=machine.process,
                run=launch.run,
                attempt=launch.attempt,
                command=launch.command,
                workdir=launch.workdir,
                env=dict(launch.env),
                log=launch.log,
                hook=launch.hook,
            ),
        )

    def look(self, run: str, attempt: int) -> ProcessState | None:
        place = self._paths.attempt(run, attempt)
        started = read_record(place / "process.json", StartedRecord)
        if started is None:
            return None
        ended = read_record(place / "exit.json", ExitRecord)
        return ProcessState(
            pid=started.process.pid if started.process else 0,
            alive=ended is None and self._still_runs(started),
            started_at=started.started_at,
            exit_code=ended.code if ended else None,
        )

    def _still_runs(self, started: StartedRecord) -> bool:
        """A dead process counts as running while its machine is about to record how it ended."""
        return alive(started.machine) or (started.process is not None and alive(started.process))

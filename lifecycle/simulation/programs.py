"""Hooks in a simulated machine: every one ends well, at once."""

from __future__ import annotations

from lifecycle.adapters.simulated.trainer import NO_PROCESS
from lifecycle.model.node import HookRun
from lifecycle.ports.clock import Clock
from lifecycle.ports.trainer import ProcessState


class SimulatedPrograms:
    """Implements `ports.hooks.HookPrograms`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started: dict[tuple[str, int], float] = {}

    def start(self, run: HookRun) -> None:
        self._started.setdefault((run.call.op_id, run.tried), self._clock.now())

    def look(self, op_id: str, tried: int) -> ProcessState | None:
        at = self._started.get((op_id, tried))
        return None if at is None else ProcessState(pid=NO_PROCESS, alive=False, started_at=at, exit_code=0)

    def terminate(self, op_id: str, pid: int) -> None:
        """Nothing of it runs any more."""

    kill = terminate

    def output(self, run: str, op_id: str) -> str:  # noqa: ARG002
        return ""

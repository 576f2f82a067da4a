"""Hooks as their agent starts them: programs that outlive it, found again by their op id."""

from __future__ import annotations

from typing import Protocol

from lifecycle.model.node import HookRun
from lifecycle.ports.trainer import ProcessState


class HookPrograms(Protocol):
    """The processes of hooks on this node. None raises for what a hook did."""

    def start(self, run: HookRun) -> None:
        """Starts it, once: a repeat for the same op id and try does nothing. Raises OSError."""
        ...

    def look(self, op_id: str, tried: int) -> ProcessState | None:
        """The hook's first process, or None when it was never started."""
        ...

    def terminate(self, op_id: str, pid: int) -> None:
        """SIGTERM to every process of the hook. `pid` is its first one's, 0 when that has ended."""
        ...

    def kill(self, op_id: str, pid: int) -> None:
        """SIGKILL to every process of the hook, until none is left."""
        ...

    def output(self, run: str, op_id: str) -> str:
        """The last 64 KiB of what it printed, with what is not text replaced."""
        ...

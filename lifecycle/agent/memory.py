"""The agent's memory on the node's disk: what a successor needs when this agent is killed."""

from __future__ import annotations

from pathlib import Path

from lifecycle.model.node import NodeState
from lifecycle.system.files import read_record, write_record


class Memory:
    """Loads and saves one NodeState. When the disk is full it is kept in mind and tried again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.state = read_record(path, NodeState) or NodeState()
        self._saved: NodeState | None = self.state
        self.fault = ""

    def save(self) -> None:
        """Writes the state when it has changed; `fault` says why that failed."""
        if self.state == self._saved:
            self.fault = ""
            return
        try:
            write_record(self._path, self.state)
        except OSError as error:
            self.fault = f"{self._path}: {error.strerror}"
            return
        self._saved, self.fault = self.state, ""

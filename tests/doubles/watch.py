"""Ends what a test run that was killed left behind: a process of its own, which outlives it."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import sys
from lifecycle.system import processes

marks = [line.split() for line in sys.stdin]
processes.end_all(lambda: [pid for mark in marks for pid in processes.carriers(*mark)])
"""


class Watch:
    """Until it is closed; then, and when this process dies, what is marked is ended."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, text=True, start_new_session=True
        )

    def over(self, name: str, value: str) -> None:
        """Processes with this in their environment; neither may hold a space."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{name} {value}\n")
        self._process.stdin.flush()

    def close(self) -> None:
        self._process.communicate()

"""The trainer as its agent sees it: a process tree that may outlive the agent, and a directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from lifecycle.model.records import Assignment


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """Everything needed to start one attempt; or one try of a hook, whose op id stands for the run."""

    run: str
    attempt: int
    command: tuple[str, ...]
    workdir: str
    env: Mapping[str, str]
    log: str
    hook: bool = False


class ProcessState(msgspec.Struct, frozen=True, kw_only=True):
    """A started attempt. `pid` is that of the process we started; `exit_code` -9 means signal 9.

    Ended with `exit_code` None: nobody saw how (its machine went down under it).
    """

    pid: int
    alive: bool
    started_at: float
    exit_code: int | None = None


class Launcher(Protocol):
    """Starts attempts so that they outlive the agent: the machine process here, systemd on AWS."""

    def launch(self, launch: Launch) -> None:
        """Starts the attempt, once: a repeat for the same attempt does nothing."""
        ...

    def look(self, run: str, attempt: int) -> ProcessState | None:
        """The attempt's process, or None when it was never started."""
        ...


class LocalCheckpoint(msgspec.Struct, frozen=True, order=True):
    """A complete checkpoint on the node's disk. `signature` changes whenever it was put there anew.

    `written_at` (seconds since the epoch) is when the last of it was written, where it counts only later.
    """

    step: int
    name: str
    signature: str
    written_at: float | None = None


class StopRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What `stop.json` says."""

    request: str
    mode: str
    reason: str
    deadline: float | None


class Trainer(Protocol):
    """One run's trainer on this node. All reads are cheap; none raises for what a trainer did."""

    def prepare(self, assignment: Assignment) -> None:
        """Makes the run's directory ready for an attempt: no stop, progress or result file is left."""
        ...

    def launch(self, assignment: Assignment, resume_from: Path | None) -> None: ...

    def process(self, assignment: Assignment) -> ProcessState | None: ...

    def ask(self, run: str, request: StopRequest) -> None: ...

    def withdraw(self, run: str) -> None: ...

    def helper_present(self, run: str) -> bool: ...

    def signal_ranks(self, assignment: Assignment, *, some: bool = False) -> tuple[int, ...]:
        """Signals the ranks that catch TERM (or else USR1), one after the other, and returns their pids.

        Unless all of them do, nobody is, but for `some`.
        """
        ...

    def terminate(self, assignment: Assignment) -> None:
        """SIGTERM to the ranks."""
        ...

    def kill(self, assignment: Assignment) -> None:
        """SIGKILL to every process of the attempt, until none is left."""
        ...

    def intruders(self, assignment: Assignment | None) -> Sequence[str]:
        """A line for each process that is not ours and uses an accelerator, or this attempt's checkpoints."""
        ...

    def progress(self, run: str) -> int | None: ...

    def total(self, run: str) -> int | None:
        """The step that training ends at; None where the trainer does not say."""
        ...

    def result(self, run: str) -> tuple[bool, Any]:
        """Whether the trainer left its result file, and what it says."""
        ...

    def checkpoints(self, assignment: Assignment) -> tuple[LocalCheckpoint, ...]:
        """The complete checkpoints on disk, oldest first."""
        ...

    def checkpoint_directory(self, assignment: Assignment) -> Path: ...

    def discard(self, assignment: Assignment, names: Sequence[str]) -> None:
        """Removes checkpoints from the disk; missing ones are fine."""
        ...

    def last_words(self, assignment: Assignment) -> str:
        """The last line of the attempt's log."""
        ...

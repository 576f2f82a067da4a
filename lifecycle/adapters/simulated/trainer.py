"""A training script that advances with virtual time, and the machine's disk that it writes to.

A step takes a fixed time; every so often a checkpoint appears; asked to save it takes a while, then the checkpoint
is there (and the script ends, when that was asked). It may crash, hang, or ignore what it is asked.

The ranks of a gang go in step: they begin when the last of them is there, save together when one is asked, and
fall over a second after one of them went without a word.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from lifecycle.adapters.simulated.timeline import Timeline
from lifecycle.model.records import Assignment
from lifecycle.ports.trainer import LocalCheckpoint, ProcessState, StopRequest

NEVER = math.inf
FALLS_AFTER = 1.0
"""Seconds after which a rank notices that a peer is gone."""


NO_PROCESS = 2**31 - 1
"""A pid that no process has: whoever signals it reaches nobody."""


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """How a training script behaves. Times are seconds, steps count from the beginning of the run."""

    steps: int = 10_000_000
    step: float = 1.0
    every: float = 600.0
    save: float = 5.0
    obeys: bool = True
    """It saves when it is asked to."""
    crashes_at: int | None = None
    hangs_at: int | None = None


@dataclass
class Process:
    """One attempt's process. Times are of the monotonic clock."""

    run: str
    attempt: int
    directory: Path
    habits: Habits
    began: float
    base: int
    started_at: float
    saved_until: float
    ended: float | None = None
    exit_code: int | None = None
    asked: StopRequest | None = None
    asked_at: float = NEVER
    result: Any = None
    gang: list[Process] = field(default_factory=list)
    """All ranks of its attempt, itself included; empty for a run of one node."""
    falls_at: float = NEVER
    wake: Callable[[], None] = lambda: None

    @property
    def ranks(self) -> list[Process]:
        return self.gang or [self]

    def fell(self, at: float) -> None:
        """It went without a word: its peers fall over it."""
        for peer in self.gang:
            if peer is not self and peer.alive:
                peer.falls_at = min(peer.falls_at, at + FALLS_AFTER)
                peer.wake()

    @property
    def alive(self) -> bool:
        return self.ended is None

    def step_at(self, moment: float) -> int:
        habits = self.habits
        if self.began is NEVER:
            return self.base
        reached = self.base + math.floor((min(moment, self.stands_from) - self.began) / habits.step + 1e-6)
        limits = (habits.steps, habits.crashes_at, habits.hangs_at)
        return min(reached, *(max(self.base, limit) for limit in limits if limit is not None))

    @property
    def stands_from(self) -> float:
        """From here on it does no more steps: it ended, or saves in order to end."""
        asked = self.asked_at if self.asked and self.asked.mode == "save-and-exit" else NEVER
        return min(asked if self.habits.obeys else NEVER, NEVER if self.ended is None else self.ended)

    def reaches(self, step: int) -> float:
        return self.began + max(0, step - self.base) * self.habits.step

    @property
    def hangs_from(self) -> float:
        return NEVER if self.habits.hangs_at is None else self.reaches(self.habits.hangs_at)

    @property
    def answers_at(self) -> float:
        """When the save that was asked for is complete."""
        hears = self.habits.obeys and self.asked_at < self.hangs_from
        return self.asked_at + self.habits.save if self.asked and hears else NEVER

    @property
    def saves_at(self) -> float:
        """When the next checkpoint that nobody asked for is complete."""
        return self._unless_still(self.saved_until + self.habits.every)

    @property
    def ends_at(self) -> float:
        """When it ends by itself: finished, or crashed."""
        return self._unless_still(self._would_end_at)

    @property
    def _would_end_at(self) -> float:
        steps, crash = self.habits.steps, self.habits.crashes_at
        return self.reaches(steps if crash is None else min(crash, steps))

    @property
    def due(self) -> float:
        """When the next thing happens to it."""
        by_itself = min(self.saved_until + self.habits.every, self._would_end_at)
        return min(self._unless_still(by_itself), self.answers_at, self.falls_at)

    def _unless_still(self, due: float) -> float:
        return due if due < self.stands_from and due < self.hangs_from else NEVER


@dataclass
class Disk:
    """What outlives a reboot: the checkpoints by directory, and who wrote how often."""

    saved: dict[Path, dict[str, LocalCheckpoint]] = field(default_factory=dict)
    writes: int = 0

    def put(self, directory: Path, name: str, step: int) -> None:
        self.writes += 1
        fresh = LocalCheckpoint(step, name, f"w{self.writes}")
        self.saved.setdefault(directory, {})[name] = fresh

    def all(self, directory: Path) -> tuple[LocalCheckpoint, ...]:
        return tuple(sorted(self.saved.get(directory, {}).values()))


class SimulatedTrainer:
    """Implements `ports.trainer.Trainer`. `started` is told (run, attempt, step) when a process begins."""

    def __init__(
        self,
        timeline: Timeline,
        habits: Callable[[str], Habits],
        started: Callable[[str, int, int], None] = lambda *_: None,
        gangs: dict[tuple[str, int], list[Process]] | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._timeline, self._habits, self._started, self._wake = timeline, habits, started, wake
        self._gangs = {} if gangs is None else gangs
        self.disk = Disk()
        self.answers: list[tuple[str, int, str]] = []
        """Every (run, attempt, request) that a trainer answered with a save."""
        self.processes: dict[str, Process] = {}

    # ---- what happens with time ------------------------------------------------------------------

    def at_work(self) -> Process | None:
        """The process that is alive now, if any."""
        self.advance()
        return next((each for each in self.processes.values() if each.alive), None)

    def next_change(self) -> float | None:
        """Seconds until a checkpoint appears or a process ends by itself."""
        soonest = min((process.due for process in self.processes.values() if process.alive), default=NEVER)
        return None if soonest is NEVER or math.isinf(soonest) else max(0.0, soonest - self._timeline.monotonic())

    def advance(self) -> None:
        """Lets everything happen that was due until now."""
        for process in self.processes.values():
            while process.alive and self._next(process):
                pass

    def _next(self, process: Process) -> bool:
        due = process.due
        if due > self._timeline.monotonic():
            return False
        if due == process.falls_at:
            process.ended, process.exit_code = due, 1
        elif due == process.answers_at:
            self._answer(process, due)
        elif due == process.saves_at:
            self._save(process, process.step_at(due))
            process.saved_until = due
        else:
            self._end_by_itself(process, due)
        return True

    def _answer(self, process: Process, at: float) -> None:
        assert process.asked is not None
        self.answers.append((process.run, process.attempt, process.asked.request))
        self._save(process, process.step_at(process.asked_at))
        if process.asked.mode == "save-and-exit":
            process.ended, process.exit_code = at, 0
        else:
            process.asked, process.asked_at = None, NEVER

    def _end_by_itself(self, process: Process, at: float) -> None:
        crashed = process.habits.crashes_at is not None and process.step_at(at) < process.habits.steps
        process.ended, process.exit_code = at, 1 if crashed else 0
        if crashed:
            process.fell(at)
        else:
            self._save(process, process.habits.steps)
            process.result = {"steps": process.habits.steps}

    def _save(self, process: Process, step: int) -> None:
        self.disk.put(process.directory, f"step-{step:09d}", step)

    def power_cut(self) -> None:
        """The machine went down under it: nobody sees how it ended."""
        self.advance()
        for process in self.processes.values():
            if process.alive:
                process.ended = self._timeline.monotonic()
                process.fell(process.ended)

    # ---- the port --------------------------------------------------------------------------------

    def prepare(self, assignment: Assignment) -> None:
        self.advance()
        self.processes.pop(assignment.run, None)
        self.disk.saved.setdefault(self.checkpoint_directory(assignment), {})

    def launch(self, assignment: Assignment, resume_from: Path | None) -> None:
        standing = self.processes.get(assignment.run)
        if standing is not None and standing.attempt == assignment.attempt:
            return
        directory, now = self.checkpoint_directory(assignment), self._timeline.monotonic()
        base = self.disk.saved[directory][resume_from.name].step if resume_from else 0
        process = self.processes[assignment.run] = Process(
            run=assignment.run,
            attempt=assignment.attempt,
            directory=directory,
            habits=self._habits(assignment.run),
            began=now,
            base=base,
            started_at=self._timeline.now(),
            saved_until=now,
            wake=self._wake,
        )
        if assignment.nodes:
            self._join(process, assignment)
        self._started(assignment.run, assignment.attempt, base)

    def _join(self, process: Process, assignment: Assignment) -> None:
        """The ranks begin together, when the last of them is there."""
        process.gang = self._gangs.setdefault((assignment.run, assignment.attempt), [])
        process.gang.append(process)
        process.began = process.saved_until = NEVER
        if len(process.gang) == assignment.count and all(rank.alive for rank in process.gang):
            for rank in process.gang:
                rank.began = rank.saved_until = self._timeline.monotonic()
                rank.wake()

    def process(self, assignment: Assignment) -> ProcessState | None:
        self.advance()
        found = self.processes.get(assignment.run)
        if found is None or found.attempt != assignment.attempt:
            return None
        return ProcessState(
            pid=NO_PROCESS, alive=found.alive, started_at=found.started_at, exit_code=found.exit_code
        )

    def ask(self, run: str, request: StopRequest) -> None:
        asked = self.processes.get(run)
        for process in asked.ranks if asked is not None and asked.alive else ():
            if not process.alive:
                continue
            if process.asked is None or process.asked.mode != request.mode:
                process.asked_at = self._timeline.monotonic()
                process.wake()
            process.asked = request

    def withdraw(self, run: str) -> None:
        asked = self.processes.get(run)
        for process in asked.ranks if asked is not None and asked.alive else ():
            if process.alive:
                self._train_on(process)

    def _train_on(self, process: Process) -> None:
        now = self._timeline.monotonic()
        stood = process.asked is not None and process.asked.mode == "save-and-exit" and process.habits.obeys
        if stood and process.began is not NEVER:
            process.base, process.began = process.step_at(now), now
        process.asked, process.asked_at = None, NEVER

    def helper_present(self, run: str) -> bool:
        return run in self.processes

    def signal_ranks(self, assignment: Assignment, *, some: bool = False) -> tuple[int, ...]:  # noqa: ARG002
        """It is asked by file, and has registered."""
        return ()

    def terminate(self, assignment: Assignment) -> None:
        self._end(assignment, -15)

    def kill(self, assignment: Assignment) -> None:
        self._end(assignment, -9)

    def _end(self, assignment: Assignment, exit_code: int) -> None:
        self.advance()
        process = self.processes.get(assignment.run)
        if process is not None and process.alive:
            process.ended, process.exit_code = self._timeline.monotonic(), exit_code
            process.fell(process.ended)

    def intruders(self, assignment: Assignment | None) -> Sequence[str]:  # noqa: ARG002
        return ()

    def progress(self, run: str) -> int | None:
        process = self.processes.get(run)
        return process.step_at(self._timeline.monotonic()) if process else None

    def total(self, run: str) -> int | None:  # noqa: ARG002
        """It does not say."""
        return None

    def result(self, run: str) -> tuple[bool, Any]:
        process = self.processes.get(run)
        return (True, process.result) if process and process.result is not None else (False, None)

    def checkpoints(self, assignment: Assignment) -> tuple[LocalCheckpoint, ...]:
        self.advance()
        return self.disk.all(self.checkpoint_directory(assignment))

    def checkpoint_directory(self, assignment: Assignment) -> Path:
        return _directory(assignment.run, assignment.checkpoint_directory)

    def discard(self, assignment: Assignment, names: Sequence[str]) -> None:
        here = self.disk.saved.get(self.checkpoint_directory(assignment), {})
        for name in names:
            here.pop(name, None)

    def last_words(self, assignment: Assignment) -> str:  # noqa: ARG002
        return ""


@functools.lru_cache(maxsize=65536)
def _directory(run: str, below: str) -> Path:
    return Path(run) / below

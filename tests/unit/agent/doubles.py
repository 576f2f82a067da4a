"""Stand-ins for what cannot be had in a test: time that obeys, storage that goes away, a scripted trainer.

Small on purpose, and only at the edge: the agent, its memory and its tracker are the real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lifecycle.agent.courier import Done, Failed, Job, Parted, Restore, Restored, Ship, Shipped
from lifecycle.model.errors import Unreadable
from lifecycle.model.node import HookRun
from lifecycle.model.records import Assignment, Notice, Receipt
from lifecycle.ports.trainer import LocalCheckpoint, ProcessState, StopRequest
from tests.builders import NOW


class HandClock:
    """Time that moves only when it is told to, or slept through."""

    def __init__(self, now: float = NOW) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        self._now += seconds
        self._monotonic += seconds


class Fickle:
    """A port that stops answering while `away`, and is the real one otherwise."""

    def __init__(self, real: Any) -> None:
        self._real, self.away = real, False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if self.away:
            raise Unreadable("it is away", fix="wait")
        found: Callable[..., Any] = getattr(self._real, name)
        return found


class Rings:
    """`ports.events.Wake` that counts."""

    def __init__(self) -> None:
        self.count = 0

    def ring(self) -> None:
        self.count += 1

    def wait(self, seconds: float) -> bool:
        return False


class Switch:
    """A machine's power: counts what was asked of it."""

    def __init__(self) -> None:
        self.kept = self.offs = 0

    def keep(self) -> None:
        self.kept += 1

    def off(self) -> None:
        self.offs += 1


class Killed(BaseException):
    """The agent was killed just there; no code of ours may catch it."""


class ScriptedNotices:
    """The notices that stand, as a test says; has the face of `agent.watch.NoticeWatch`."""

    def __init__(self, *standing: Notice) -> None:
        self.standing: tuple[Notice, ...] = standing
        self.failing_since: float | None = None
        self.failure = ""

    def current(self) -> tuple[Notice, ...]:
        return self.standing


class ScriptedTrainer:
    """`ports.trainer.Trainer` in memory. A test moves it: `starts`, `reaches`, `saves`, `exits`."""

    def __init__(self) -> None:
        self.launches: list[tuple[int, Path | None]] = []
        self.prepared: list[int] = []
        self.requests: list[StopRequest] = []
        self.signals = 0
        self.catches = True
        """All of its ranks do; else only some."""
        self.deaf = False
        self.terminations = 0
        self.kills = 0
        self.discarded: list[str] = []
        self.strangers: tuple[str, ...] = ()
        self.searched: list[int | None] = []
        """The attempts for which strangers were looked for; None: none was here."""
        self.asked: StopRequest | None = None
        self.helper = False
        self.obeys_launches = True
        self.fault: OSError | None = None
        self.deadly_launches = False
        self.saves_when_killed: int | None = None
        self._process: ProcessState | None = None
        self._whose: tuple[str, int] | None = None
        self._progress: int | None = None
        self.says_total: int | None = None
        self._result: tuple[bool, Any] = (False, None)
        self._last_words = ""
        self._present: list[LocalCheckpoint] = []

    # ---- what a test makes it do -----------------------------------------------------------------

    def starts(self, at: float = NOW) -> None:
        self._process = ProcessState(pid=4711, alive=True, started_at=at)

    def reaches(self, step: int) -> None:
        self._progress = step

    def saves(self, step: int, *, signature: str | None = None) -> LocalCheckpoint:
        """A complete checkpoint of this step appears."""
        fresh = LocalCheckpoint(step, f"step-{step:06d}", signature or f"s{step}-{len(self.requests)}")
        self._present = sorted([c for c in self._present if c.name != fresh.name] + [fresh])
        return fresh

    def exits(self, code: int | None = 0, *, last_words: str = "") -> None:
        assert self._process is not None
        self._process = msgspec.structs.replace(self._process, alive=False, exit_code=code)
        self._last_words = last_words

    def finishes(self, result: Any) -> None:
        self._result = (True, result)

    @property
    def names(self) -> list[str]:
        return [checkpoint.name for checkpoint in self._present]

    # ---- the port --------------------------------------------------------------------------------

    def prepare(self, assignment: Assignment) -> None:
        if self.fault is not None:
            raise self.fault
        self.prepared.append(assignment.attempt)
        self.asked, self._progress, self._process, self._result = None, None, None, (False, None)

    def launch(self, assignment: Assignment, resume_from: Path | None) -> None:
        self.launches.append((assignment.attempt, resume_from))
        self._whose = (assignment.run, assignment.attempt)
        if self.deadly_launches:
            raise Killed
        if self.obeys_launches:
            self.starts()

    def process(self, assignment: Assignment) -> ProcessState | None:
        another = self._whose not in (None, (assignment.run, assignment.attempt))
        return None if another else self._process

    def ask(self, run: str, request: StopRequest) -> None:
        if self.fault is not None:
            raise self.fault
        self.requests.append(request)
        self.asked = request

    def withdraw(self, run: str) -> None:
        self.asked = None

    def helper_present(self, run: str) -> bool:
        return self.helper

    def signal_ranks(self, assignment: Assignment, *, some: bool = False) -> tuple[int, ...]:
        if self.deaf or not (self.catches or some):
            return ()
        self.signals += 1
        return (4711,)

    def terminate(self, assignment: Assignment) -> None:
        self.terminations += 1

    def kill(self, assignment: Assignment) -> None:
        self.kills += 1
        if self.saves_when_killed is not None:
            self.saves(self.saves_when_killed)
        if self._process is not None and self._process.alive:
            self.exits(-9)

    def intruders(self, assignment: Assignment | None) -> Sequence[str]:
        self.searched.append(assignment.attempt if assignment else None)
        return self.strangers

    def progress(self, run: str) -> int | None:
        return self._progress

    def total(self, run: str) -> int | None:
        return self.says_total

    def result(self, run: str) -> tuple[bool, Any]:
        return self._result

    def checkpoints(self, assignment: Assignment) -> tuple[LocalCheckpoint, ...]:
        return tuple(self._present)

    def checkpoint_directory(self, assignment: Assignment) -> Path:
        return Path("/disk/checkpoints")

    def discard(self, assignment: Assignment, names: Sequence[str]) -> None:
        self.discarded += names
        self._present = [checkpoint for checkpoint in self._present if checkpoint.name not in names]

    def last_words(self, assignment: Assignment) -> str:
        return self._last_words


class ScriptedPrograms:
    """`ports.hooks.HookPrograms` in memory; it outlives agents. A test says how the hook under way ends."""

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self.starts: list[HookRun] = []
        self.terminations: list[str] = []
        self.kills: list[str] = []
        self.said = ""
        self.fault: OSError | None = None
        self.deadly_starts = False
        self.obeys = True
        self._processes: dict[tuple[str, int], ProcessState] = {}

    # ---- what a test makes of it -----------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        return [run.call.name for run in self.starts]

    @property
    def under_way(self) -> HookRun | None:
        return next((run for run in reversed(self.starts) if self._processes[_key(run)].alive), None)

    def ends(self, code: int | None = 0, *, said: str = "") -> None:
        run = self.under_way
        assert run is not None, "no hook runs"
        self.said = said
        self._processes[_key(run)] = msgspec.structs.replace(
            self._processes[_key(run)], alive=False, exit_code=code
        )

    # ---- the port --------------------------------------------------------------------------------

    def start(self, run: HookRun) -> None:
        if self.fault is not None:
            raise self.fault
        if _key(run) in self._processes or not self.obeys:
            return
        assert self.under_way is None, "two hooks at once"
        self.starts.append(run)
        self._processes[_key(run)] = ProcessState(pid=4712, alive=True, started_at=self._clock.now())
        if self.deadly_starts:
            raise Killed

    def look(self, op_id: str, tried: int) -> ProcessState | None:
        return self._processes.get((op_id, tried))

    def terminate(self, op_id: str, pid: int) -> None:
        self.terminations.append(op_id)

    def kill(self, op_id: str, pid: int) -> None:
        self.kills.append(op_id)
        if self.under_way is not None and self.under_way.call.op_id == op_id:
            self.ends(-9)

    def output(self, run: str, op_id: str) -> str:
        return self.said


def _key(run: HookRun) -> tuple[str, int]:
    return run.call.op_id, run.tried


class ScriptedCourier:
    """Has the face of `agent.courier.Courier`; a test says when a job is done, and how."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.current: Job | None = None
        self.moved = 0
        self.jobs: list[Job] = []
        self.cancelled = 0
        self._done: Done | None = None

    # ---- what a test makes of the job under way --------------------------------------------------

    def delivers(self, *, rejecting: Sequence[Receipt] = ()) -> None:
        """The job is done; of a restore, the first receipt that is not to be rejected is taken."""
        job = self.current
        assert job is not None, "nothing is under way"
        if isinstance(job, Ship):
            self._done = Shipped(job=job, receipt=receipt_of(job, self._now()))
            return
        sound = [receipt for receipt in job.candidates if receipt not in rejecting]
        self._done = Restored(job=job, receipt=sound[0] if sound else None, rejected=tuple(rejecting))

    def parts(self) -> None:
        """This rank's part is stored; those of others are missing."""
        assert isinstance(self.current, Ship)
        self._done = Parted(job=self.current)

    def fails(self, why: str = "the store does not answer", *, unsound: bool = False) -> None:
        assert self.current is not None, "nothing is under way"
        self._done = Failed(job=self.current, why=why, unsound=unsound)

    @property
    def shipping(self) -> list[int]:
        """The steps that were to be shipped, in order."""
        return [job.checkpoint.step for job in self.jobs if isinstance(job, Ship)]

    # ---- its face --------------------------------------------------------------------------------

    def submit(self, job: Ship | Restore) -> None:
        assert self.current is None
        self.current = job
        self.jobs.append(job)

    def cancel(self) -> None:
        self.cancelled += 1
        assert self.current is not None, "nothing is under way"
        self._done = Failed(job=self.current, why="abandoned for a newer one", abandoned=True)

    def result(self) -> Done | None:
        done, self._done = self._done, None
        if done is not None:
            self.current = None
        return done


def receipt_of(job: Ship, at: float) -> Receipt:
    step = job.checkpoint.step
    return Receipt(
        run=job.run,
        epoch=job.attempt,
        step=step,
        digest=f"digest-{job.attempt}-{step}-{job.checkpoint.signature}",
        size=1000,
        at=at,
        name=job.checkpoint.name,
        prefix=f"runs/f/{job.run}/e{job.attempt:06d}-s{step:012d}",
        node=job.node,
        request=job.request,
    )

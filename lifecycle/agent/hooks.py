"""Runs hooks, one at a time, each in processes that outlive this agent.

The hook in flight is in the memory before it is started, and found again by its op id: a successor waits for it,
takes how it ended, and starts it again only when nobody saw that.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lifecycle.agent.memory import Memory
from lifecycle.agent.reporting import Conditions, Journal
from lifecycle.model.hooks import HookCall, HookDone, HookOutcome
from lifecycle.model.node import HookRun, NodeState
from lifecycle.model.records import Assignment
from lifecycle.planning import hooks
from lifecycle.planning.drain import Move
from lifecycle.planning.hooks import Occasion
from lifecycle.planning.wants import Surroundings
from lifecycle.ports.hooks import HookPrograms
from lifecycle.ports.trainer import ProcessState

KEPT = 100
"""How many ended hooks are remembered."""


class HookKeeper:
    """The agent's hands on hooks. Every public method returns at once."""

    def __init__(self, programs: HookPrograms, memory: Memory, conditions: Conditions, journal: Journal) -> None:
        self._programs, self._memory = programs, memory
        self._conditions, self._journal = conditions, journal
        self._failing = self._fault = ""
        self.pid: int | None = None

    @property
    def _state(self) -> NodeState:
        return self._memory.state

    @property
    def running(self) -> str | None:
        """The name of the hook in flight."""
        return self._state.hook.call.name if self._state.hook else None

    def over(
        self, assignment: Assignment, occasion: Occasion, around: Surroundings, now: float
    ) -> tuple[HookDone, ...] | None:
        """How this occasion's hooks ended, up to the first that blocks; None while they are not over."""
        ended: list[HookDone] = []
        for call in hooks.calls(assignment.hooks, occasion):
            done = self._known(call) or self._begin(call, assignment, around, now)
            if done is None:
                return None
            ended.append(done)
            if hooks.blocker(occasion, ended, around):
                break
        return None if self._state.hook else tuple(ended)

    def _known(self, call: HookCall) -> HookDone | None:
        return next((done for done in self._state.hooked if done.op_id == call.op_id), None)

    def _begin(self, call: HookCall, assignment: Assignment, around: Surroundings, now: float) -> HookDone | None:
        """Starts it when nothing else runs. What is on the disk comes before what runs."""
        if self._state.hook is not None:
            return None
        hindrance = hooks.hindrance(around, now)
        if hindrance:
            return self._ended(hooks.not_run(call, assignment, hindrance, now))
        receipt = self._state.receipt
        receipt = receipt if receipt and receipt.run == assignment.run else next(iter(assignment.resume), None)
        facts = hooks.facts(call, hooks.deadline(around), receipt)
        self._remember(hook=HookRun(call=call, assignment=assignment, facts=facts, asked_at=now))
        self._fault = ""
        self._start()
        return None

    def _start(self) -> None:
        """A repeat does nothing; what keeps it from starting may pass."""
        run = self._state.hook
        self._memory.save()
        if run is None or self._memory.fault:
            return
        try:
            self._programs.start(run)
        except OSError as error:
            self._fault = f"{error.filename}: {error.strerror}"

    def attend(self, around: Surroundings, now: float) -> None:
        """One look at the hook in flight, and what follows from it."""
        self._tell()
        run, self.pid = self._state.hook, None
        if run is None:
            return
        process = self._programs.look(run.call.op_id, run.tried)
        if process is None:
            self._unseen(run, around, now)
        elif process.alive:
            self.pid = process.pid
            self._hold_to_its_time(run, process, around, now)
        elif process.exit_code is None and run.terminated_at is None and not around.orphaned:
            self._remember(hook=msgspec.structs.replace(run, tried=run.tried + 1, asked_at=now))
            self._start()
        else:
            self._conclude(run, process.exit_code, now)

    def _unseen(self, run: HookRun, around: Surroundings, now: float) -> None:
        late = now >= run.asked_at + hooks.START_WITHIN
        why = hooks.hindrance(around, now) or (self._fault or "it was not seen to start" if late else "")
        if why:
            self._programs.kill(run.call.op_id, 0)
            self._close(run, hooks.not_run(run.call, run.assignment, why, now))
        else:
            self._start()

    def _hold_to_its_time(self, run: HookRun, process: ProcessState, around: Surroundings, now: float) -> None:
        move = hooks.next_move(run, process.started_at, hooks.deadline(around), now)
        if move is Move.TERMINATE:
            self._programs.terminate(run.call.op_id, process.pid)
            self._remember(hook=msgspec.structs.replace(run, terminated_at=now))
        elif move is Move.KILL:
            self._programs.kill(run.call.op_id, process.pid)
            self._remember(hook=msgspec.structs.replace(run, killed_at=now))

    def _conclude(self, run: HookRun, exit_code: int | None, now: float) -> None:
        """What a hook that ran out of time left behind goes with it."""
        if run.terminated_at is not None:
            self._programs.kill(run.call.op_id, 0)
        output = self._programs.output(run.assignment.run, run.call.op_id).strip()
        last_line = output.splitlines()[-1].strip()[:300] if output else ""
        self._close(run, hooks.done(run, exit_code, last_line, now))

    def _close(self, run: HookRun, done: HookDone) -> None:
        assert run.call.op_id == done.op_id
        self._remember(hook=None)
        self._ended(done)

    def _ended(self, done: HookDone) -> HookDone:
        self._remember(hooked=(*self._state.hooked, done)[-KEPT:], untold=(*self._state.untold, done.op_id)[-KEPT:])
        if done.outcome is not HookOutcome.DONE:
            self._failing = done.name
            self._conditions.set("HooksDone", "HookFailed", f"{done.name} {done.outcome}: {done.detail}")
        elif done.name == self._failing:
            self._conditions.clear("HooksDone")
        self._tell()
        return done

    def _tell(self) -> None:
        """Writes what ended into the journal, until the journal has taken it."""
        for op_id in self._state.untold:
            done = next((each for each in self._state.hooked if each.op_id == op_id), None)
            if done is not None and not self._told(done):
                return
            self._remember(untold=self._state.untold[1:])

    def _told(self, done: HookDone) -> bool:
        return self._journal.note(
            f"hook {done.name}",
            cause=done.cause or "",
            evidence=done.detail,
            result=done.outcome,
            run=done.run,
            op=done.op_id,
            output=self._programs.output(done.run, done.op_id),
        )

    def _remember(self, **changes: Any) -> None:
        self._memory.state = msgspec.structs.replace(self._memory.state, **changes)

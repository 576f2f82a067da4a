"""Keeps one attempt: restores, starts, asks, ships, and judges its end.

The attempt's life is in the memory (`NodeState.assignment` and what follows it); this object only holds
what may be lost with the agent. Every public method returns at once.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lifecycle.agent import shelf, wholes
from lifecycle.agent.courier import Courier, Failed, Parted, Restore, Restored, Ship, Shipped
from lifecycle.agent.memory import Memory
from lifecycle.agent.pace import Pace
from lifecycle.agent.reporting import Conditions, Journal
from lifecycle.model.demand import AskMode, Demand
from lifecycle.model.ids import NodeName
from lifecycle.model.node import Ask, NodeState
from lifecycle.model.records import Assignment, Drained, DrainOutcome, Ended, Outcome, Phase, Receipt
from lifecycle.model.states import Cause
from lifecycle.planning import drain, hooks, outcome
from lifecycle.planning.drain import Move, Trainee
from lifecycle.planning.outcome import Judgement, exit_in_words
from lifecycle.planning.wants import Surroundings
from lifecycle.ports.clock import Clock
from lifecycle.ports.trainer import ProcessState, Trainer

_WELL = ("", "")


class AttemptKeeper:
    """The agent's hands on one attempt."""

    def __init__(
        self,
        node: str,
        trainer: Trainer,
        courier: Courier,
        memory: Memory,
        conditions: Conditions,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._node, self._fleet = node, NodeName.parse(node).fleet
        self._trainer, self._courier, self._memory = trainer, courier, memory
        self._conditions, self._journal, self._clock = conditions, journal, clock
        self._pace = Pace()
        self._unsound: set[tuple[str, str]] = set()
        self._swept: tuple[str, int] | None = None
        self.phase = Phase.IDLE
        self.pid: int | None = None
        self.step: int | None = None
        self.fault = _WELL
        """Why the disk did not take what was last written for the trainer, as (reason, message)."""

    @property
    def _state(self) -> NodeState:
        return self._memory.state

    @property
    def shipping(self) -> int | None:
        """Bytes of the checkpoint on its way; None when none is."""
        return self._courier.moved if isinstance(self._courier.current, Ship) else None

    @property
    def total(self) -> int | None:
        """The step that the attempt under way ends at, by the trainer's word."""
        assignment = self._state.assignment
        return self._trainer.total(assignment.run) if assignment else None

    # ---- beginning -------------------------------------------------------------------------------

    def accept(self, assignment: Assignment, now: float) -> None:
        """Takes an order: the run's directory is made ready, and the resume point is fetched.

        An attempt that runs already, although nobody remembers it, is taken as it is.
        """
        adopted = self._trainer.process(assignment) is not None
        try:
            if not adopted:
                self._trainer.prepare(assignment)
        except OSError as error:
            self.fault = ("PrepareFailed", f"{error.filename}: {error.strerror}")
            return
        self.fault = _WELL
        self._remember(
            assignment=assignment,
            restored=adopted,
            resumed=None,
            started_at=None,
            from_step=None,
            ask=None,
            ended=None,
        )
        self._unsound.clear()
        self.phase, self.step = Phase.RESTORING, None
        self._pace.at_once()
        if not adopted:
            self._fetch(assignment, now)

    def _fetch(self, assignment: Assignment, now: float) -> None:
        if self._courier.current is None and self._pace.due(now):
            directory, rank = self._trainer.checkpoint_directory(assignment), wholes.rank_of(assignment)
            self._courier.submit(Restore(candidates=assignment.resume, directory=directory, rank=rank))

    def _resume(self, assignment: Assignment, restored: Restored) -> None:
        """Starts the trainer from what was restored, and from nothing else.

        What it starts from is on the disk before it starts: a successor books the right steps.
        """
        if restored.rejected:
            self._note_rejected(restored.rejected)
        if restored.receipt is None and assignment.resume:
            self._end_unstarted(
                assignment, Outcome.FAILED, Cause.HARDWARE, "none of the checkpoints offered is sound"
            )
            return
        receipt = restored.receipt
        self._remember(
            shipped=shelf.keep_only(self._trainer, assignment, receipt),
            restored=True,
            resumed=receipt.name if receipt else None,
            from_step=receipt.step if receipt else 0,
            receipt=receipt,
        )
        self._launch(assignment)

    def _launch(self, assignment: Assignment) -> None:
        """A repeat for the same attempt does nothing; a machine that restarted in between starts it now."""
        self._memory.save()
        if self._memory.fault:
            return
        resumed = self._state.resumed
        directory = self._trainer.checkpoint_directory(assignment)
        try:
            self._trainer.launch(assignment, directory / resumed if resumed else None)
        except OSError as error:
            self.fault = ("LaunchFailed", f"{error.filename}: {error.strerror}")
        else:
            self.fault = _WELL

    def _note_rejected(self, rejected: tuple[Receipt, ...]) -> None:
        known = {receipt.digest for receipt in self._state.rejected}
        fresh = tuple(receipt for receipt in rejected if receipt.digest not in known)
        self._remember(rejected=(*self._state.rejected, *fresh)[-20:])
        steps = ", ".join(str(receipt.step) for receipt in rejected)
        self._conditions.set(
            "CheckpointSound", "DigestMismatch", f"checkpoints at step {steps} are torn or altered"
        )
        self._journal.note("checkpoint rejected", evidence=f"step {steps}: its objects do not match its manifest")

    # ---- under way -------------------------------------------------------------------------------

    def collect(self, now: float) -> None:
        """Takes the courier's result, if there is one."""
        done = self._courier.result()
        if isinstance(done, Failed):
            self._failed(done, now)
        elif done is not None:
            self._pace.well()
            self._conditions.clear("StoreReachable")
        if isinstance(done, Parted):
            self._pace.stored_a_part(done.job.checkpoint, now)
        if isinstance(done, Shipped):
            self._received(done)
        assignment = self._state.assignment
        if isinstance(done, Restored) and assignment is not None and not self._state.restored:
            self._resume(assignment, done)

    def _failed(self, done: Failed, now: float) -> None:
        if done.unsound and isinstance(done.job, Ship):
            checkpoint = done.job.checkpoint
            self._unsound.add((checkpoint.name, checkpoint.signature))
            self._conditions.set("CheckpointSound", "Unsound", f"{checkpoint.name}: {done.why}")
            return
        if done.abandoned:
            self._pace.at_once()
            return
        self._pace.failed(now)
        self._conditions.set("StoreReachable", "TransferFailed", done.why)

    def _received(self, done: Shipped) -> None:
        self._conditions.clear("CheckpointSound")
        state, receipt, checkpoint = self._state, done.receipt, done.job.checkpoint
        greater = state.receipt is None or receipt.rank >= state.receipt.rank
        self._remember(
            receipt=receipt if greater else state.receipt,
            shipped=(*state.shipped, (checkpoint.name, checkpoint.signature)),
            unsent=(*state.unsent, receipt),
        )
        if state.assignment is not None:
            self._remember(shipped=shelf.prune(self._trainer, state.assignment, self._state.shipped))

    def attend(self, assignment: Assignment, demand: Demand | None, around: Surroundings, now: float) -> None:
        """One look at the attempt under way, and what follows from it."""
        process = self._trainer.process(assignment)
        if process is None:
            self._before_start(assignment, demand, now)
            return
        if self._state.started_at is None:
            self._remember(restored=True, started_at=process.started_at)
        trainee = self._look(assignment, process)
        self.step = drain.known_step(trainee, self._state.from_step)
        self.pid = process.pid if process.alive else None
        if process.alive:
            self._put(assignment, demand, trainee, now)
            self._follow_up(assignment, trainee, now)
            self._ship(assignment, trainee, now)
            self.phase = Phase.SAVING if self._state.ask else Phase.TRAINING
        else:
            self._conclude(assignment, process, trainee, around, now)

    def _before_start(self, assignment: Assignment, demand: Demand | None, now: float) -> None:
        """A trainer that was launched is waited for, then asked; before that, a stop ends the attempt here."""
        self.phase = Phase.RESTORING
        leaving = demand is not None and demand.mode is AskMode.SAVE_AND_EXIT
        if leaving and isinstance(self._courier.current, Restore):
            self._courier.cancel()
        elif demand is not None and leaving and (not self._state.restored or demand.request == "orphaned"):
            self.decline(assignment, demand.cause)
        elif self._state.restored:
            self._launch(assignment)
        else:
            self._fetch(assignment, now)

    def _look(self, assignment: Assignment, process: ProcessState) -> Trainee:
        present = self._trainer.checkpoints(assignment)
        return Trainee(
            alive=process.alive,
            helper=self._trainer.helper_present(assignment.run),
            progress=self._trainer.progress(assignment.run),
            checkpoints=tuple(c for c in present if (c.name, c.signature) not in self._unsound),
            shipped=frozenset(self._state.shipped),
        )

    def _put(self, assignment: Assignment, demand: Demand | None, trainee: Trainee, now: float) -> None:
        """Puts the demand to the trainer, makes it stricter, or takes it back."""
        ask = self._state.ask
        if demand is None:
            self.fault = _WELL
            if ask is not None and ask.terminated_at is None:
                self._trainer.withdraw(assignment.run)
                self._remember(ask=None, withdrawn=ask)
            return
        if ask is not None and ask.demand == demand:
            return
        asked = drain.tightened(ask, demand, trainee, now) if ask else drain.begin(demand, trainee, now)
        try:
            self._trainer.ask(assignment.run, drain.words(asked))
        except OSError as error:
            self.fault = ("AskFailed", f"{error.filename}: {error.strerror}")
            return
        self.fault = _WELL
        self._remember(ask=asked)
        if ask is None:
            self._journal.note(
                f"asked to {demand.mode}", cause=demand.cause, evidence=demand.reason, run=assignment.run
            )

    def _follow_up(self, assignment: Assignment, trainee: Trainee, now: float) -> None:
        ask = self._state.ask
        if ask is None:
            return
        move = drain.next_move(ask, trainee, now)
        if move is Move.SIGNAL:
            if self._trainer.signal_ranks(assignment, some=now >= ask.asked_at + drain.SIGNAL_SOME_AFTER):
                self._remember(ask=msgspec.structs.replace(ask, signalled=True))
        elif move is Move.TERMINATE:
            self._trainer.terminate(assignment)
            self._remember(ask=msgspec.structs.replace(ask, terminated_at=now))
        elif move is Move.KILL:
            self._trainer.kill(assignment)
            self._remember(ask=msgspec.structs.replace(ask, killed_at=now))
        elif move is not Move.WAIT:
            self._close_ask(assignment, ask, move, now)

    def _close_ask(self, assignment: Assignment, ask: Ask, move: Move, now: float) -> None:
        """A save without exit is over, or a drain is refused: the trainer trains on."""
        self._trainer.withdraw(assignment.run)
        state, request = self._state, ask.demand.request
        if move is Move.REFUSE:
            detail = f"asked {ask.demand.grace:.0f}s ago, no new complete checkpoint"
            refused = Drained(drain=request, outcome=DrainOutcome.REFUSED, at=now, step=self.step, detail=detail)
            drained = refused if request == ask.demand.drain else state.drained
            self._remember(ask=None, withdrawn=ask, refused=(*state.refused, request)[-20:], drained=drained)
            self._journal.note("drain refused", cause=ask.demand.cause, evidence=detail, run=assignment.run)
            return
        self._remember(ask=None, answered=(*state.answered, request)[-20:])
        done = move is Move.ANSWERED
        self._conditions.note("SaveAnswered", "NoCheckpoint", "" if done else f"{ask.demand.reason}: no save came")
        result = f"checkpoint at step {state.receipt.step}" if done and state.receipt else "no save came"
        self._journal.note(
            "save", cause=ask.demand.cause, evidence=ask.demand.reason, result=result, run=assignment.run
        )

    def _ship(self, assignment: Assignment, trainee: Trainee, now: float) -> None:
        """Ships the newest complete checkpoint; an asked-for one pushes an older one aside."""
        target = drain.unshipped(trainee)
        current = self._courier.current
        if current is not None:
            if (
                self._state.ask is not None
                and isinstance(current, Ship)
                and target not in (None, current.checkpoint)
            ):
                self._courier.cancel()
            return
        ask = self._state.ask
        if target is None or not self._pace.due(now, target, waited_for=ask is not None):
            return
        answers = ask is not None and drain.proof(ask, trainee) == target
        self._courier.submit(
            Ship(
                fleet=self._fleet,
                run=assignment.run,
                attempt=assignment.attempt,
                node=self._node,
                directory=self._trainer.checkpoint_directory(assignment),
                checkpoint=target,
                request=ask.demand.request if ask and answers else None,
                rank=wholes.rank_of(assignment),
                count=assignment.count,
                parted=target == self._pace.parted,
            )
        )

    # ---- the end ---------------------------------------------------------------------------------

    def _conclude(
        self,
        assignment: Assignment,
        process: ProcessState,
        trainee: Trainee,
        around: Surroundings,
        now: float,
    ) -> None:
        """The trainer has ended: nothing of it stays, its last checkpoint is shipped, then it is judged."""
        self.phase = Phase.SHIPPING
        if self._swept != (assignment.run, assignment.attempt):
            self._trainer.kill(assignment)
            self._swept = (assignment.run, assignment.attempt)
            self._pace.once_more()
            return  # look once more: what it wrote last counts
        target, busy = drain.unshipped(trainee), self._courier.current is not None
        given_up = self._pace.alone_with(target) and not drain.waits_for_peers(self._state.ask, now)
        if busy or (target is not None and not given_up):
            self._ship(assignment, trainee, now)
            return
        trainee = drain.without_parts(trainee) if target is not None else trainee
        finished, result = self._trainer.result(assignment.run)
        judged = outcome.judge(
            outcome.asked(self._state, process.exit_code),
            trainee,
            exit_code=process.exit_code,
            finished=finished,
            shutting_down=around.shutdown_at is not None,
            from_step=self._state.from_step,
        )
        ended = outcome.ended(self._state, judged, result=result, detail=self._detail(process, judged), now=now)
        self._finish(ended, outcome.drained(self._state, judged, trainee, now))

    def _detail(self, process: ProcessState, judged: Judgement) -> str:
        """How the process ended, with its last line when it died by itself."""
        if process.exit_code == 0:
            return ""
        assignment = self._state.assignment
        failed = judged.outcome is Outcome.FAILED and assignment is not None
        last = self._trainer.last_words(assignment) if failed and assignment else ""
        return exit_in_words(process.exit_code) + (f"; last line: {last}" if last else "")

    def decline(self, assignment: Assignment, cause: Cause) -> None:
        """Stopped before it began: of a gang, the other ranks wait for this word."""
        self._end_unstarted(assignment, Outcome.STOPPED, cause, "stopped before it began")

    def _end_unstarted(self, assignment: Assignment, how: Outcome, cause: Cause, why: str) -> None:
        ended = outcome.unstarted(assignment, how, cause, why, self._clock.now())
        self._finish(ended, self._state.drained)

    def _finish(self, ended: Ended, drained: Drained | None) -> None:
        """The answer to its drain is held back while hooks are due."""
        last = hooks.last(self._state, drained)
        drained = self._state.drained if last and last.demand else drained
        self._remember(
            assignment=None, restored=False, ask=None, withdrawn=None, ended=ended, drained=drained, last=last
        )
        self.phase, self.pid, self.step, self.fault = Phase.IDLE, None, None, _WELL
        at = f" at step {ended.step}" if ended.step is not None else ""
        self._journal.note(
            f"attempt {ended.attempt} {ended.outcome}{at}",
            cause=ended.cause or "",
            evidence=ended.detail,
            result=outcome.in_words(ended),
            run=ended.run,
        )

    def _remember(self, **changes: Any) -> None:
        self._memory.state = msgspec.structs.replace(self._memory.state, **changes)

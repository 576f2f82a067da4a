"""The agent: looks, decides by `planning`, acts. One `step` never blocks on the trainer or the store.

It converges to its order, acts alone on notices, and adopts an attempt that its predecessor started. It
never raises for its own faults: a store, tracker, disk or metadata service that fails becomes a condition
in its report, and the trainer trains on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from lifecycle.agent.attempt import AttemptKeeper
from lifecycle.agent.courier import Courier
from lifecycle.agent.foreign import ForeignWatch
from lifecycle.agent.hooks import HookKeeper
from lifecycle.agent.memory import Memory
from lifecycle.agent.occasions import Occasions
from lifecycle.agent.reporting import Conditions, Journal, Reporter
from lifecycle.agent.use import Accelerators, UseMeter
from lifecycle.agent.watch import NoticeWatch
from lifecycle.model.demand import Demand
from lifecycle.model.errors import SteadyError
from lifecycle.model.node import NodeState
from lifecycle.model.records import (
    Assignment,
    Desired,
    DrainClaim,
    DrainOutcome,
    Notice,
    Order,
    Phase,
    Report,
)
from lifecycle.planning import wants
from lifecycle.planning.wants import Surroundings
from lifecycle.ports.clock import Clock
from lifecycle.ports.hooks import HookPrograms
from lifecycle.ports.power import Power
from lifecycle.ports.trainer import Trainer
from lifecycle.tracker.node import NodeTracker

METADATA_PATIENCE = 10.0
"""Seconds the metadata service may fail before that is told."""

_DELAYS = {
    Phase.IDLE: 0.2,
    Phase.TRAINING: 1.0,
    Phase.RESTORING: 0.1,
    Phase.SAVING: 0.05,
    Phase.SHIPPING: 0.1,
    Phase.HOOKS: 0.1,
}


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Which machine this is, in which boot, and which node it fills."""

    node: str
    instance: str
    incarnation: int
    boot: str = ""


class Agent:
    """One node's agent. `shut_down` is called on SIGTERM; `orphaned` says whether the machine died.

    Its instructions are read at most every `read_every` seconds: where reading costs money. `power` None: whoever
    made the machine sees to its end.
    """

    def __init__(
        self,
        identity: Identity,
        *,
        tracker: NodeTracker,
        trainer: Trainer,
        programs: HookPrograms,
        courier: Courier,
        watch: NoticeWatch,
        memory: Memory,
        reporter: Reporter,
        clock: Clock,
        orphaned: Callable[[], bool],
        read_every: float = 0.0,
        power: Power | None = None,
    ) -> None:
        self._identity, self._tracker, self._clock = identity, tracker, clock
        self._watch, self._memory, self._reporter = watch, memory, reporter
        self._courier, self._orphaned_now = courier, orphaned
        self._conditions = Conditions(clock)
        journal = Journal(identity.node, tracker, self._conditions, clock)
        self._use = UseMeter(clock, Accelerators())
        self._keeper = AttemptKeeper(identity.node, trainer, courier, memory, self._conditions, journal, clock)
        self._hooks = HookKeeper(programs, memory, self._conditions, journal)
        self._occasions = Occasions(identity.instance, identity.boot, self._hooks, memory, journal)
        self._order: Order | None = None
        self._drain: DrainClaim | None = None
        self._peers: tuple[Report, ...] = ()
        self._shutdown_at: float | None = None
        self._orphaned = False
        self._read_every, self._read_at = read_every, clock.monotonic()
        self._power, self._kept, self._abandoned, self._left = power, False, False, False
        self._journal = journal
        self._foreign = ForeignWatch(trainer.intruders, self._conditions, clock)

    @property
    def state(self) -> NodeState:
        return self._memory.state

    @property
    def watched_pid(self) -> int | None:
        """The trainer's process, or a hook's, whose end should wake the agent."""
        return self._keeper.pid or self._hooks.pid

    @property
    def leaving(self) -> bool:
        """The machine is going down, and nothing is left to be saved or told."""
        going = self._shutdown_at is not None or self._orphaned
        state = self.state
        done = state.assignment is None and not (state.unsent or state.untold or self._reporter.fault)
        return going and done and (self._orphaned or not self._hooking)

    @property
    def _hooking(self) -> bool:
        return self._occasions.pending or self.state.hook is not None

    @property
    def orphaned(self) -> bool:
        return self._orphaned

    def shut_down(self, deadline: float) -> None:
        """The machine goes down and will have killed everything at `deadline`: a notice like any other."""
        self._shutdown_at = self._shutdown_at or deadline

    def step(self) -> float:
        """Looks, decides and acts once; returns the seconds until it should look again."""
        now = self._clock.now()
        self._orphaned = self._orphaned or self._orphaned_now()
        self._read_instructions()
        around = self._surroundings()
        self._occasions.take_up(self._order)
        self._hooks.attend(around, now)
        self._keeper.collect(now)
        idle = self.state.assignment is None
        if self.state.assignment is not None:
            self._keeper.attend(self.state.assignment, wants.strictest(around, now), around, now)
        if self.state.assignment is None and self._occasions.seen_off(around, now):
            if idle:
                self._stand_by(around, now)
            self._answer_drain(around, now)
        self._send_receipts()
        self._foreign.look(self.state.assignment)
        self._memory.save()
        self._tell(now)
        self._see_to_power(around, now)
        return _DELAYS[self._phase()]

    def _read_instructions(self) -> None:
        if self._clock.monotonic() < self._read_at:
            return
        self._read_at = self._clock.monotonic() + self._read_every
        try:
            self._order, self._drain = self._tracker.order(), self._tracker.drain()
            self._peers = self._heard_of()
            self._abandoned = self._power is not None and self._is_abandoned()
        except SteadyError as error:
            self._conditions.set("TrackerReachable", "ReadFailed", error.what)
        except msgspec.MsgspecError as error:  # of a version that we do not understand
            self._conditions.set("TrackerReachable", "NotUnderstood", str(error))
        else:
            self._conditions.clear("TrackerReachable")

    def _heard_of(self) -> tuple[Report, ...]:
        """What the other ranks say of the attempt under way."""
        mine = self.state.assignment
        if mine is None or len(mine.nodes) < 2:
            return ()
        return wants.of_attempt(self._tracker.peers(mine.nodes), mine.run, mine.attempt)

    def _is_abandoned(self) -> bool:
        now = self._clock.now()
        done = self.state.assignment is None and not self.state.unsent
        return (
            done
            and wants.finished(self._order, self.state.ended, now)
            and wants.abandoned(self._tracker.last_tick(), now)
        )

    def _see_to_power(self, around: Surroundings, now: float) -> None:
        """Nobody pays for a machine that cannot report, nor for one that is done and that nobody comes for."""
        if self._power is None:
            return
        if self._reporter.heard and not self._kept:
            self._power.keep()
            self._kept = True
        if self._abandoned and self._shutdown_at is None and self._occasions.powered_off(around, now):
            if not self._left:
                self._journal.note("powers off", evidence="its run has completed, and no controller came by since")
            self._abandoned, self._left = False, True
            self._power.off()

    def _surroundings(self) -> Surroundings:
        state, assignment = self.state, self.state.assignment
        return Surroundings(
            instance=self._identity.instance,
            incarnation=self._identity.incarnation,
            order=self._order,
            drain=self._drain,
            notices=self._watch.current(),
            shutdown_at=self._shutdown_at,
            orphaned=self._orphaned,
            grace=assignment.grace if assignment else 0.0,
            peers=self._peers if assignment else (),
            refused=state.refused,
            answered=state.answered,
        )

    def _stand_by(self, around: Surroundings, now: float) -> None:
        assignment = self._ordered()
        if assignment is None:
            return
        if not wants.may_start(around, now):
            self._decline(assignment, wants.strictest(around, now))
        elif self._occasions.may_start(assignment, around, now):
            self._keeper.accept(assignment, now)

    def _decline(self, assignment: Assignment, demand: Demand | None) -> None:
        """Of a gang that waits for this rank: it will not come."""
        if assignment.nodes and demand is not None:
            self._keeper.decline(assignment, demand.cause)

    def _ordered(self) -> Assignment | None:
        """The attempt that the order authorises, unless it was had already."""
        order, ended = self._order, self.state.ended
        if order is None or order.incarnation != self._identity.incarnation:
            return None
        if order.desired is Desired.STOPPED and order.lost_to is None:
            return None
        assignment = order.assignment
        if assignment is None:
            return None
        had = ended is not None and (ended.run, ended.attempt) >= (assignment.run, assignment.attempt)
        return None if had and ended is not None and ended.run == assignment.run else assignment

    def _answer_drain(self, around: Surroundings, now: float) -> None:
        """Answers a claim on a machine where nothing trains."""
        claim, state = wants.live_claim(around, now), self.state
        if claim is None or state.assignment is not None:
            return
        told = state.drained if state.drained is not None and state.drained.drain == claim.drain else None
        if told is not None and (told.outcome is not DrainOutcome.REFUSED or told.hook):
            return  # what a trainer refused is answered anew, now that it has ended
        answer = self._occasions.emptied(claim, around, now)
        if answer is not None:
            self._remember(drained=answer)

    def _send_receipts(self) -> None:
        for receipt in self.state.unsent:
            try:
                self._tracker.receive(receipt)
            except SteadyError as error:
                self._conditions.set("TrackerReachable", "WriteFailed", error.what)
                return
            self._remember(unsent=tuple(other for other in self.state.unsent if other != receipt))

    def _phase(self) -> Phase:
        return Phase.HOOKS if self.state.assignment is None and self._hooking else self._keeper.phase

    def _tell(self, now: float) -> None:
        order = self._order
        if order is not None and order.incarnation > self._identity.incarnation:
            return  # the newer machine's agent speaks for this node
        reason, fault = ("WriteFailed", self._memory.fault) if self._memory.fault else self._keeper.fault
        self._conditions.note("DiskWritable", reason, fault)
        failing = self._watch.failing_since
        late = failing is not None and now - failing > METADATA_PATIENCE
        self._conditions.note("MetadataReachable", "NoAnswer", self._watch.failure if late else "")
        self._reporter.tell(self._report(now))

    def _report(self, now: float) -> Report:
        state, keeper, assignment = self.state, self._keeper, self.state.assignment
        return Report(
            node=self._identity.node,
            instance=self._identity.instance,
            incarnation=self._identity.incarnation,
            sequence=0,
            at=now,
            phase=self._phase(),
            order_seen=self._order.number if self._order else 0,
            ready=assignment is None and not state.unsent and not self._hooking,
            run=assignment.run if assignment else None,
            attempt=assignment.attempt if assignment else None,
            from_step=state.from_step if assignment else None,
            started_at=state.started_at if assignment else None,
            step=keeper.step if assignment else None,
            total=keeper.total,
            saving=state.ask.demand.request if state.ask else None,
            answered=state.answered,
            shipping=keeper.shipping,
            notice=_hardest(self._watch.current()),
            demand=wants.own(self._surroundings(), now) if self._in_gang() else None,
            receipt=state.receipt,
            ended=state.ended,
            drained=state.drained,
            rejected=state.rejected,
            conditions=self._conditions.all(),
            hook=self._hooks.running,
            hooks=self._occasions.shown(self._last_assignment()),
            use=self._use.look(keeper.pid, keeper.step) if assignment and assignment.watch_use else None,
        )

    def _last_assignment(self) -> Assignment | None:
        """The newest that was given to this machine, whether or not it was taken up."""
        order = self._order
        return order.assignment if order is not None and order.incarnation == self._identity.incarnation else None

    def _in_gang(self) -> bool:
        ordered = self._order.assignment if self._order else None
        mine = self.state.assignment or ordered
        return mine is not None and len(mine.nodes) > 1

    def _remember(self, **changes: Any) -> None:
        self._memory.state = msgspec.structs.replace(self.state, **changes)


def _hardest(notices: tuple[Notice, ...]) -> Notice | None:
    """The notice with the nearest deadline; advice only when there is nothing else."""
    never = float("inf")
    return min(notices, key=lambda n: never if n.deadline is None else n.deadline, default=None)

"""A node on stage: the real agent, memory and tracker; trainer, courier, notices and time obey the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lifecycle.adapters.local.table import SqliteTable
from lifecycle.agent.attempt import AttemptKeeper
from lifecycle.agent.memory import Memory
from lifecycle.agent.reporting import Conditions, Journal, Reporter
from lifecycle.agent.service import Agent, Identity
from lifecycle.model.demand import AskMode, Demand
from lifecycle.model.node import NodeState
from lifecycle.model.records import Assignment, Condition, Desired, Ended, Receipt, Report
from lifecycle.model.states import Cause
from lifecycle.planning.wants import Surroundings
from lifecycle.tracker.controller import ControllerTracker
from lifecycle.tracker.node import NodeTracker
from tests.builders import NODE, RUN, a_claim, a_receipt, an_assignment, an_order
from tests.unit.agent.doubles import (
    Fickle,
    HandClock,
    Rings,
    ScriptedCourier,
    ScriptedNotices,
    ScriptedPrograms,
    ScriptedTrainer,
    Switch,
)

HEARTBEAT = 2.0


class NodeStage:
    """Machine m1, incarnation 1 of node f/t/0. `restart` puts a new agent onto the same disk."""

    def __init__(self, disk: Path) -> None:
        self.disk, self.clock, self.trainer = disk, HandClock(), ScriptedTrainer()
        self.programs, self.boot = ScriptedPrograms(self.clock), "boot-1"
        self.notices, self.rings, self.orphaned = ScriptedNotices(), Rings(), False
        self.power: Switch | None = None
        self.read_every = 0.0
        table = SqliteTable(None)
        self.controller, self.table = ControllerTracker(table), Fickle(table)
        self._numbers = 0
        self.restart()

    def restart(self) -> None:
        tracker = NodeTracker(self.table, NODE)
        self.courier, self.memory = ScriptedCourier(self.clock.now), Memory(self.disk / "agent.json")
        self.agent = Agent(
            Identity(node=NODE, instance="m1", incarnation=1, boot=self.boot),
            tracker=tracker,
            trainer=self.trainer,
            programs=self.programs,
            courier=self.courier,  # type: ignore[arg-type]
            watch=self.notices,  # type: ignore[arg-type]
            memory=self.memory,
            reporter=Reporter(tracker, self.clock, self.rings, HEARTBEAT),
            clock=self.clock,
            orphaned=lambda: self.orphaned,
            power=self.power,
            read_every=self.read_every,
        )

    # ---- what the controller does ----------------------------------------------------------------

    def order(self, assignment: Assignment | None = None, **changes: Any) -> None:
        self._numbers += 1
        order = an_order(number=self._numbers, assignment=assignment or an_assignment(), **changes)
        self.controller.order("f", order, None)

    def order_stop(self) -> None:
        self.order(desired=Desired.STOPPED, reason="lunch")

    def order_save(self, request: str = "save-1") -> None:
        self.order(desired=Desired.SAVED, save=request, reason="asked")

    def claim(self, **changes: Any) -> None:
        self.controller.claim_drain("f", a_claim(**{"expires_at": self.clock.now() + 600, **changes}), None)

    # ---- what passes -----------------------------------------------------------------------------

    def step(self, times: int = 1, *, after: float = 0.0) -> None:
        self.clock.pass_by(after)
        for _ in range(times):
            self.agent.step()

    def begins(self, *resume: Receipt, **changes: Any) -> None:
        """Attempt 1 is ordered, restored from the first of these receipts, and trains."""
        self.order(an_assignment(resume=resume, **changes))
        self.step()
        self.courier.delivers()
        self.step()

    def ships(self) -> None:
        """What lies on the disk is seen, shipped and received."""
        self.step()
        self.courier.delivers()
        self.step()

    def saves_and_leaves(self, step: int) -> None:
        """The trainer does as it was asked, and everything follows from that."""
        self.trainer.saves(step)
        self.trainer.exits(0)
        self.step(2)
        self.courier.delivers()
        self.step()

    # ---- what can be seen ------------------------------------------------------------------------

    @property
    def report(self) -> Report:
        found = NodeTracker(self.table, NODE).last_report()
        assert found is not None
        return found

    @property
    def ended(self) -> Ended:
        assert self.report.ended is not None
        return self.report.ended

    def condition(self, kind: str) -> Condition | None:
        return next((found for found in self.report.conditions if found.type == kind), None)

    @property
    def receipts(self) -> list[int]:
        return [receipt.step for receipt in self.controller.receipts("f", RUN, 10)]

    @property
    def journal(self) -> list[str]:
        return [entry.what for entry in self.controller.entries("f")]


class Hands:
    """An AttemptKeeper alone: the test says what is demanded, and when to look."""

    def __init__(self, disk: Path) -> None:
        self.clock, self.trainer = HandClock(), ScriptedTrainer()
        self.courier, self.memory = ScriptedCourier(self.clock.now), Memory(disk / "agent.json")
        self.conditions = Conditions(self.clock)
        self.table = SqliteTable(None)
        journal = Journal(NODE, NodeTracker(self.table, NODE), self.conditions, self.clock)
        self.keeper = AttemptKeeper(
            NODE,
            self.trainer,
            self.courier,  # type: ignore[arg-type]
            self.memory,
            self.conditions,
            journal,
            self.clock,
        )

    @property
    def state(self) -> NodeState:
        return self.memory.state

    @property
    def ended(self) -> Ended:
        assert self.state.ended is not None
        return self.state.ended

    def accepts(self, *resume: Receipt, **changes: Any) -> None:
        self.keeper.accept(an_assignment(resume=resume, **changes), self.clock.now())

    def begins(self, *resume: Receipt, **changes: Any) -> None:
        """Accepted, restored from the first receipt, launched and seen."""
        self.accepts(*resume, **changes)
        self.courier.delivers()
        self.look()

    def look(self, demand: Demand | None = None, *, after: float = 0.0, times: int = 1, **around: Any) -> None:
        """What one step of the agent does with the attempt."""
        self.clock.pass_by(after)
        now, surroundings = self.clock.now(), Surroundings(instance="m1", incarnation=1, **around)
        for _ in range(times):
            self.keeper.collect(now)
            if self.state.assignment is not None:
                self.keeper.attend(self.state.assignment, demand, surroundings, now)

    def ships(self) -> None:
        self.look()
        self.courier.delivers()
        self.look()

    def told(self, kind: str) -> Condition | None:
        return next((found for found in self.conditions.all() if found.type == kind), None)


def a_demand(mode: AskMode = AskMode.SAVE_AND_EXIT, **changes: Any) -> Demand:
    fields = {"request": "r1", "cause": Cause.OPERATOR, "reason": "lunch", "grace": 90.0}
    return Demand(mode=mode, **{**fields, **changes})


def offered() -> tuple[Receipt, Receipt]:
    """Two resume points, newest first."""
    return a_receipt(100), a_receipt(50)

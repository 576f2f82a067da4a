"""The inside of one simulated machine: its disk, its trainer, and the production agent.

The agent is woken when something happens (an order, a notice, a checkpoint, the end of its trainer or of a
transfer), every second while it has something else in hand, and before a tick whose controller should find its
heartbeat. In between it would change nothing, so it is not asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from lifecycle.adapters.simulated.cloud import Cloud, Instance
from lifecycle.adapters.simulated.store import MemoryStore
from lifecycle.adapters.simulated.table import MemoryTable, Storage
from lifecycle.adapters.simulated.timeline import Timeline
from lifecycle.adapters.simulated.trainer import Habits, Process, SimulatedTrainer
from lifecycle.agent.courier import Restore
from lifecycle.agent.memory import Memory
from lifecycle.agent.reporting import Reporter
from lifecycle.agent.service import Agent, Identity
from lifecycle.agent.watch import NoticeWatch
from lifecycle.model import tags
from lifecycle.model.errors import Unreadable
from lifecycle.model.node import NodeState
from lifecycle.model.records import Notice, Report
from lifecycle.ports.events import Wake
from lifecycle.simulation.programs import SimulatedPrograms
from lifecycle.simulation.transfers import SimulatedCourier
from lifecycle.tracker.node import NodeTracker

HEARTBEAT = 2.0
STEP = 1.0
"""Seconds between two looks of an agent that has something in hand."""

STEADY = 0.2
"""An agent that would look again sooner has something in hand."""

NOTICED_WITHIN = 1.0
AGENT_STARTS_AFTER = 5.0
REGISTER_WITHIN = 1200.0
"""A machine whose agent was never heard powers off after this."""


class KeptMemory(Memory):
    """The agent's memory on a disk that lives in `kept`."""

    def __init__(self, kept: list[NodeState]) -> None:
        self._kept = kept
        self.state = kept[-1] if kept else NodeState()
        self.fault = ""

    def save(self) -> None:
        self._kept[:] = [self.state]


class ToldNotices(NoticeWatch):
    """The notices that the metadata service shows; the look takes no thread."""

    def __init__(self) -> None:
        self._known: dict[str, Notice] = {}
        self.failing_since: float | None = None
        self.failure = ""

    def tell(self, notice: Notice) -> None:
        self._known[notice.id] = notice


class HeardTracker(NodeTracker):
    """Remembers the agent's last report: a heartbeat says the same once more."""

    last: Report | None = None

    def report(self, report: Report) -> None:
        super().report(report)
        self.last = report


class Cut:
    """The agent's way to the tracker, which may be cut."""

    def __init__(self, table: MemoryTable) -> None:
        self._table, self.away = table, False

    def __getattr__(self, name: str) -> Callable[..., object]:
        if self.away:
            raise Unreadable("the tracker does not answer", fix="wait")
        found: Callable[..., object] = getattr(self._table, name)
        return found


@dataclass(frozen=True)
class Site:
    """What all machines share."""

    timeline: Timeline
    cloud: Cloud
    storage: Storage
    store: MemoryStore
    habits: Callable[[str], Habits]
    wake: Wake
    started: Callable[[Host, str, int, int], None] = field(default=lambda *_: None)
    gangs: dict[tuple[str, int], list[Process]] = field(default_factory=dict)
    """The ranks of every gang's attempt, wherever they run."""


class Host:
    """One machine's inside. `frozen`: nothing in it runs, though the machine is there."""

    def __init__(self, site: Site, instance: Instance) -> None:
        self._site, self.instance = site, instance
        self.node = instance.worn[tags.NODE]
        self.trainer = SimulatedTrainer(
            site.timeline,
            site.habits,
            lambda run, attempt, step: site.started(self, run, attempt, step),
            site.gangs,
            self._wake_soon,
        )
        self.notices = ToldNotices()
        self.kept: list[NodeState] = []
        self.agent: Agent | None = None
        self.line = Cut(MemoryTable(site.storage, instance.id))
        self.frozen = False
        self.heard = False
        self._courier: SimulatedCourier | None = None
        self._tracker: HeardTracker | None = None
        self._steady = False
        self._stepped_at = float("-inf")
        self._due: float | None = None

    @property
    def up(self) -> bool:
        return self.agent is not None and not self.frozen

    # ---- coming and going ------------------------------------------------------------------------

    def boot(self) -> None:
        self._site.timeline.after(AGENT_STARTS_AFTER, self.start_agent)
        self._site.timeline.after(REGISTER_WITHIN, self._give_up)

    def start_agent(self) -> None:
        """A new agent on this disk; of one that was killed nothing else is left."""
        if self.instance.state != "running":
            return
        site, me = self._site, self._identity()
        self._tracker = tracker = HeardTracker(self.line, me.node)  # type: ignore[arg-type]
        self._courier = SimulatedCourier(site.store, site.timeline, self.trainer.disk, self._wake_soon)
        self.agent = Agent(
            me,
            tracker=tracker,
            trainer=self.trainer,
            courier=self._courier,
            watch=self.notices,
            memory=KeptMemory(self.kept),
            reporter=Reporter(tracker, site.timeline, site.wake, HEARTBEAT),
            programs=SimulatedPrograms(site.timeline),
            clock=site.timeline,
            orphaned=lambda: False,
            power=self,
        )
        self.step()

    def kill_agent(self) -> None:
        if self._courier is not None:
            self._courier.kill()
        self.agent = None

    def down(self, *, wiped: bool) -> None:
        """The power is off: nothing runs, and of an ended machine nothing is left."""
        self.trainer.power_cut()
        self.kill_agent()
        if wiped:
            self.trainer.disk.saved.clear()
            self.kept.clear()

    def shutting_down(self, deadline: float) -> None:
        if self.agent is not None:
            self.agent.shut_down(deadline)
            self._wake_soon()

    def notice(self, notice: Notice) -> None:
        def seen() -> None:
            self.notices.tell(notice)
            self.step()

        self._site.timeline.after(NOTICED_WITHIN, seen)

    def _identity(self) -> Identity:
        worn = self.instance.worn
        return Identity(node=worn[tags.NODE], instance=self.instance.id, incarnation=int(worn[tags.INCARNATION]))

    def _give_up(self) -> None:
        if not self.heard and self.instance.state == "running":
            self.off()

    # ---- the machine's own power: ports.power ----------------------------------------------------

    def keep(self) -> None:
        self.heard = True

    def off(self) -> None:
        self._site.cloud.power_itself_off(self.instance)

    # ---- looking ---------------------------------------------------------------------------------

    def step(self) -> None:
        """The agent looks once, and again when there is reason to."""
        if self.agent is None or self.frozen:
            return
        pace = self.agent.step()
        self._stepped_at = self._site.timeline.monotonic()
        busy = self._waits() or (pace < STEADY and not self._only_restores())
        self._steady = not busy and self.agent.state.assignment is not None
        self._look_again(busy=busy)

    def freshen(self, age: float) -> None:
        """What heartbeats would have told by now, when the agent has not looked for this long."""
        if self._site.timeline.monotonic() - self._stepped_at < age:
            return
        if not self._steady or self._due_now() or not self._beat():
            self.step()

    def _due_now(self) -> bool:
        return self._due is not None and self._due <= self._site.timeline.monotonic()

    def _beat(self) -> bool:
        """Its last report once more, as a look that finds nothing new would write it."""
        told = self._tracker.last if self._tracker is not None else None
        if not self.up or self._tracker is None or told is None or told.run is None or self.line.away:
            return False
        now = self._site.timeline.now()
        fresh = msgspec.structs.replace(told, at=now, step=self.trainer.progress(told.run))
        self._tracker.report(fresh)
        self._stepped_at = self._site.timeline.monotonic()
        return True

    def _look_again(self, *, busy: bool) -> None:
        change = self.trainer.next_change()
        waits = [STEP] if busy else []
        waits += [change] if change is not None else []
        if waits:
            self._arrange(min(waits))

    def _arrange(self, seconds: float) -> None:
        """One look is arranged at a time: the earliest."""
        due = self._site.timeline.monotonic() + seconds
        if self._due is not None and self._due <= due:
            return
        self._due = due

        def look() -> None:
            if self._due == due:
                self._due = None
                self.step()

        self._site.timeline.after(seconds, look)

    def _wake_soon(self) -> None:
        self._arrange(0.0)

    def told(self) -> None:
        """An order or a claim was written: it is read within a second."""
        self._arrange(STEP)

    def _waits(self) -> bool:
        """Whether it has something to tell that it could not, or ships its part of a gang's checkpoint."""
        assert self.agent is not None
        assert self._courier is not None
        mine = self.agent.state.assignment
        in_step = mine is not None and bool(mine.nodes) and self._courier.current is not None
        return in_step or self.line.away or bool(self.agent.state.unsent)

    def _only_restores(self) -> bool:
        """The courier rings when that is over, and whoever wants something else meanwhile wakes the agent."""
        return self._courier is not None and isinstance(self._courier.current, Restore)

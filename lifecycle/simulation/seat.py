"""One controller's process in the simulated world. It may be killed at any call: then it does nothing more."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lifecycle.adapters.simulated.cloud import Cloud
from lifecycle.adapters.simulated.prices import SimulatedPrices
from lifecycle.adapters.simulated.provider import Call, Moment, Probe, SimulatedProvider, Touched, nothing
from lifecycle.adapters.simulated.store import MemoryStore
from lifecycle.adapters.simulated.table import MemoryTable, Storage
from lifecycle.adapters.simulated.timeline import Timeline
from lifecycle.control.guard import LastGuard
from lifecycle.control.loop import AWS, Controller
from lifecycle.control.observe import observe
from lifecycle.control.operator import Operator
from lifecycle.control.upkeep import Upkeep
from lifecycle.model.errors import Unreadable
from lifecycle.model.world import Machine
from lifecycle.ports.events import Wake
from lifecycle.ports.tracker import Beside, Guard, Row
from lifecycle.system.processes import Identity
from lifecycle.tracker.controller import ControllerTracker
from lifecycle.tracker.lease import Leases

T = TypeVar("T")


class Killed(BaseException):
    """The process is gone here; nothing of it may catch this."""


class ProbedTable:
    """A handle on the tracker's table whose calls go by a probe."""

    def __init__(self, table: MemoryTable, probe: Probe) -> None:
        self._table, self._probe = table, probe

    def get(self, fleet: str, kind: str, name: str) -> Row | None:
        self._probe(Call(f"get {kind}", name, changes=False), Moment.BEFORE)
        return self._table.get(fleet, kind, name)

    def get_many(self, fleet: str, kind: str, names: Collection[str]) -> Sequence[Row]:
        self._probe(Call(f"get {kind}", "many", changes=False), Moment.BEFORE)
        return self._table.get_many(fleet, kind, names)

    def scan(self, fleet: str, kinds: Collection[str]) -> Mapping[str, Sequence[Row]]:
        self._probe(Call("scan", fleet, changes=False), Moment.BEFORE)
        return self._table.scan(fleet, kinds)

    def newest(self, fleet: str, kind: str, prefix: str, limit: int) -> Sequence[Row]:
        self._probe(Call(f"newest {kind}", prefix, changes=False), Moment.BEFORE)
        return self._table.newest(fleet, kind, prefix, limit)

    def put(
        self,
        fleet: str,
        kind: str,
        name: str,
        body: bytes,
        *,
        expect: int | None = None,
        guard: Guard | None = None,
        beside: Beside | None = None,
    ) -> int:
        table = self._table
        return self._changed(
            f"put {kind}",
            name,
            lambda: table.put(fleet, kind, name, body, expect=expect, guard=guard, beside=beside),
        )

    def remove(self, fleet: str, kind: str, name: str, *, guard: Guard | None = None) -> None:
        self._changed(f"remove {kind}", name, lambda: self._table.remove(fleet, kind, name, guard=guard))

    def drop_overshadowed(self, fleet: str, kind: str, age: float, *, guard: Guard | None = None) -> int:
        return self._table.drop_overshadowed(fleet, kind, age, guard=guard)

    def append(self, fleet: str, node: str | None, body: bytes) -> None:
        self._changed("append", node or fleet, lambda: self._table.append(fleet, node, body))

    def entries(self, fleet: str, node: str | None, limit: int, after: str = "") -> Sequence[tuple[str, bytes]]:
        return self._table.entries(fleet, node, limit, after)

    def fleets(self) -> Sequence[str]:
        return self._table.fleets()

    def _changed(self, verb: str, subject: str, change: Callable[[], T]) -> T:
        call = Call(verb, subject)
        self._probe(call, Moment.BEFORE)
        done = change()
        self._probe(call, Moment.AFTER)
        return done


@dataclass(frozen=True)
class Ground:
    """What every controller of the world shares."""

    timeline: Timeline
    cloud: Cloud
    storage: Storage
    store: MemoryStore
    wake: Wake
    prices: SimulatedPrices
    noted: Callable[[Touched], None]


class Seat:
    """A controller and an operator on a host of their own, `name`."""

    def __init__(self, ground: Ground, name: str, probe: Probe = nothing) -> None:
        self.name, self.dead, self._probe = name, False, probe
        clock = ground.timeline
        table = ProbedTable(MemoryTable(ground.storage), self._ask)
        self.tracker = ControllerTracker(table)
        leases = Leases(table, clock, host=name, process=Identity(name, 1, 1), who=name)
        provider = SimulatedProvider(ground.cloud, ground.noted, self._guard, self._seen, self._ask)
        self._compute, self._clock = provider, clock
        self.operator = Operator(tracker=self.tracker, leases=leases, compute=provider, clock=clock, who=name)
        self.controller = Controller(
            tracker=self.tracker,
            leases=leases,
            compute=provider,
            provisioner=provider,
            upkeep=Upkeep(self.tracker, ground.store, clock),
            clock=clock,
            wake=ground.wake,
            who=name,
            pace=AWS,
            prices=ground.prices,
        )

    def _seen(self, fleet: str) -> Sequence[Machine]:
        """The machines as our own records know them, which is how an update of a stack looks for them."""
        observed = observe(fleet, self._compute, self.tracker, self._clock.now())
        if observed.machines is None:
            raise Unreadable(f"the machines cannot be read: {observed.unreadable}", fix="wait")
        return observed.machines

    def _guard(self, fleet: str) -> LastGuard:
        record = self.tracker.spec(fleet)
        spec = record.spec if record else None
        return LastGuard(
            fleet, spec, tracker=self.tracker, compute=self._compute, clock=self._clock, by="controller"
        )

    def _ask(self, call: Call, moment: Moment) -> None:
        """A dead process calls nobody."""
        if self.dead:
            raise Killed(self.name)
        try:
            self._probe(call, moment)
        except Killed:
            self.dead = True
            raise

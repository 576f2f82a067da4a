"""The edge of the controller in memory: a cloud, a store, a table that notes every change.

The tracker, its leases, the planner and the controller itself are the real ones. A change may be
interrupted just before it is made: by a `Fuse` (the controller is killed there) or by any other function.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lifecycle.adapters.local.table import SqliteTable
from lifecycle.control.execute import Executor
from lifecycle.control.loop import LOCAL, Controller, Pace
from lifecycle.control.operator import Operator
from lifecycle.control.upkeep import Upkeep
from lifecycle.model.codec import decode
from lifecycle.model.errors import Unreadable
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.journal import Entry, EntryKind
from lifecycle.model.money import Choice, Price
from lifecycle.model.plan import Action, Kind, Plan, Reason, Step
from lifecycle.model.records import Report, Shortage, SpecRecord
from lifecycle.model.world import Observed
from lifecycle.ports.checkpoints import Digest, Moved
from lifecycle.ports.prices import Prices
from lifecycle.ports.tracker import Guard, Table
from lifecycle.system.processes import Identity, boot_id, myself
from lifecycle.tracker import rows
from lifecycle.tracker.controller import ControllerTracker
from lifecycle.tracker.lease import Leases
from lifecycle.tracker.node import NodeTracker
from tests.builders import NODE, a_record
from tests.unit.agent.doubles import HandClock
from tests.unit.control.clouds import Before, Cloud, Hands

DEAD = Identity(boot_id(), 2**22 + 1, 1)
"""A process that is not there: no pid is as great."""

UNFENCED = Guard(rows.LEASE, "f", 0)
"""Holds while nobody has ever taken the lease of `f`."""

OVERTAKEN = Guard(rows.LEASE, "f", 7)
"""Holds never: the lease of `f` has another version."""


class Killed(Exception):
    """The process is gone here; nothing of it goes on."""


class Fuse:
    """Lets so many changes pass, and none after them: what a killed process would have done."""

    def __init__(self, changes: int | None = None) -> None:
        self._last = changes
        self.passed = 0

    def __call__(self, change: str) -> None:
        if self._last is not None and self.passed >= self._last:
            raise Killed(change)
        self.passed += 1


def quiet(_: str) -> None:
    """Interrupts nothing."""


def when(wanted: str, do: Callable[[], object]) -> Before:
    """Does something once, just before the first change whose name begins with `wanted`."""
    due = [do]

    def before(change: str) -> None:
        if change.startswith(wanted) and due:
            due.pop()()

    return before


class Ledger:
    """A table that notes its changes: `placement f/t/0`, `-drain f/t/0`, `intent f/t/0`."""

    def __init__(self, real: Table, before: Before, changes: list[str]) -> None:
        self._real, self._before, self._changes = real, before, changes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def put(self, fleet: str, kind: str, name: str, body: bytes, **how: Any) -> int:
        self._note(f"{kind} {name}")
        return self._real.put(fleet, kind, name, body, **how)

    def remove(self, fleet: str, kind: str, name: str, **how: Any) -> None:
        self._note(f"-{kind} {name}")
        self._real.remove(fleet, kind, name, **how)

    def append(self, fleet: str, node: str | None, body: bytes) -> None:
        self._note(f"{decode(body, Entry).kind} {node}")
        self._real.append(fleet, node, body)

    def _note(self, change: str) -> None:
        self._before(change)
        self._changes.append(change)


class Shelf:
    """`ports.checkpoints.ObjectStore` in memory, which may be away; notes removals in `changes`."""

    def __init__(self, changes: list[str]) -> None:
        self.objects: dict[str, bytes] = {}
        self.swept: list[tuple[str, float]] = []
        self.away = False
        self._changes = changes

    def holds(self, prefix: str, *, manifest: bool = True) -> None:
        """The objects of one checkpoint, or what was shipped of it."""
        self.objects[f"{prefix}/data/weights"] = b"weights"
        if manifest:
            self.objects[f"{prefix}/manifest.json"] = b"{}"

    def keys(self, prefix: str) -> Sequence[str]:
        self._answer()
        return sorted(key for key in self.objects if key.startswith(prefix))

    def remove(self, keys: Sequence[str]) -> None:
        self._answer()
        for key in keys:
            self._changes.append(f"-object {key}")
            self.objects.pop(key, None)

    def abort_stale(self, prefix: str, age: float) -> int:
        self._answer()
        self.swept.append((prefix, age))
        return 0

    def get(self, key: str) -> bytes | None:
        self._answer()
        return self.objects.get(key)

    def put_new(self, key: str, data: bytes) -> None:
        raise NotImplementedError

    def put_file(self, key: str, source: Path, moved: Moved) -> Digest:
        raise NotImplementedError

    def get_file(self, key: str, target: Path, moved: Moved) -> Digest | None:
        raise NotImplementedError

    def _answer(self) -> None:
        if self.away:
            raise Unreadable("the store is away", fix="wait")


class Tariff:
    """`ports.prices.Prices` by instance type; remembers what was asked, and knows nothing while `trouble`."""

    def __init__(self, clock: HandClock, **dollars: float) -> None:
        self._clock, self.dollars = clock, dollars
        self.trouble = ""
        self.asked: list[frozenset[Choice]] = []

    def known(self, choices: Collection[Choice]) -> Mapping[Choice, Price]:
        self.asked.append(frozenset(choices))
        found = {} if self.trouble else self.dollars
        return {
            choice: Price(dollars=found[choice.instance_type], at=self._clock.now(), source="a tariff")
            for choice in choices
            if choice.instance_type in found
        }


class Bell:
    """`ports.events.Wake` that lets the time pass at once, and remembers how long it was."""

    trouble = ""

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self.waited: list[float] = []

    def ring(self) -> None:
        """Nobody listens."""

    def wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        self._clock.pass_by(seconds)
        return False


class Room:
    """The tracker and the cloud of fleet `f`, and as many controllers as a story needs."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.table = SqliteTable(None)
        self.tracker = ControllerTracker(self.table)
        self.changes: list[str] = []
        self.prices: Prices | None = None
        self.cloud, self.bell, self.store = Cloud(self.clock), Bell(self.clock), Shelf(self.changes)

    def close(self) -> None:
        self.table.close()

    # ---- who acts --------------------------------------------------------------------------------

    def controller(
        self, before: Before = quiet, *, process: Identity | None = None, pace: Pace = LOCAL
    ) -> Controller:
        tracker, hands = self._tracker(before), self._hands(before)
        return Controller(
            tracker=tracker,
            leases=self._leases(before, process),
            compute=hands,
            provisioner=hands,
            upkeep=Upkeep(tracker, self.store, self.clock),
            clock=self.clock,
            wake=self.bell,
            who="controller",
            pace=pace,
            prices=self.prices,
        )

    def operator(self, who: str = "ann") -> Operator:
        return Operator(
            tracker=self._tracker(quiet),
            leases=self._leases(quiet, None),
            compute=self._hands(quiet),
            clock=self.clock,
            who=who,
        )

    def executor(self, guard: Guard = UNFENCED, before: Before = quiet) -> Executor:
        hands = self._hands(before)
        return Executor(
            "f",
            guard,
            tracker=self._tracker(before),
            compute=hands,
            provisioner=hands,
            clock=self.clock,
        )

    def upkeep(self, before: Before = quiet) -> Upkeep:
        return Upkeep(self._tracker(before), self.store, self.clock)

    def _tracker(self, before: Before) -> ControllerTracker:
        return ControllerTracker(self._ledger(before))

    def _ledger(self, before: Before) -> Any:
        return Ledger(self.table, before, self.changes)

    def _hands(self, before: Before) -> Hands:
        return Hands(self.cloud, before, self.changes)

    def _leases(self, before: Before, process: Identity | None) -> Leases:
        return Leases(self._ledger(before), self.clock, host="here", process=process or myself(), who="controller")

    # ---- what there is ---------------------------------------------------------------------------

    def apply(self, spec: FleetSpec | None = None, **changes: Any) -> SpecRecord:
        record = a_record(spec, **changes)
        self.tracker.set_spec(record, None)
        return record

    def hears(self, report: Report) -> None:
        NodeTracker(self.table, report.node).report(report)

    def is_as(self, observed: Observed) -> None:
        """Everything of an observation: into the tracker, and its machines into the cloud."""
        tracker = self.tracker
        if observed.record is not None:
            tracker.set_spec(observed.record, None)
        for placement in observed.placements.values():
            tracker.place("f", placement, None)
        for claim in observed.incarnations.values():
            tracker.put_incarnation("f", claim, None)
        for order in observed.orders.values():
            tracker.order("f", order, None)
        for run in observed.runs.values():
            tracker.put_run("f", run, None)
        for receipt in (receipt for found in observed.receipts.values() for receipt in found):
            NodeTracker(self.table, receipt.node).receive(receipt)
        for hold in observed.holds:
            tracker.hold("f", hold)
        for report in observed.reports.values():
            self.hears(report)
        self.lacks(*observed.shortages)
        self.cloud.has(*(observed.machines or ()))

    def lacks(self, *shortages: Shortage) -> None:
        for shortage in shortages:
            self.tracker.note_shortage("f", shortage, None)

    # ---- what came of it -------------------------------------------------------------------------

    def story(self, *kinds: EntryKind) -> list[Entry]:
        return [entry for entry in self.tracker.entries("f") if entry.kind in kinds]

    def seen(self) -> Observed:
        return self.tracker.observe("f")

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Fails when the block changed anything but the lease."""
        before = list(self.changes)
        yield
        assert [c for c in self.changes[len(before) :] if not c.startswith("lease")] == []


def an_action(*does: Step, node: str = NODE, kind: Kind = Kind.START) -> Action:
    return Action(kind=kind, node=node, reason=Reason(cause="spec", evidence="it is declared"), steps=does)


def a_plan(*actions: Action, generation: int = 1) -> Plan:
    return Plan(fleet="f", generation=generation, actions=actions)

"""What the agent tells: conditions with since when, news at once, heartbeats in their time."""

from __future__ import annotations

import pytest

from lifecycle.adapters.local.table import SqliteTable
from lifecycle.agent.reporting import Conditions, Journal, Reporter
from lifecycle.model.money import Use
from lifecycle.model.records import Phase, Report, Status
from lifecycle.tracker.controller import ControllerTracker
from lifecycle.tracker.node import NodeTracker
from tests.builders import NODE, NOW, RUN, a_report, but
from tests.unit.agent.doubles import Fickle, HandClock, Rings

HEARTBEAT = 2.0


class Desk:
    """A reporter with its tracker, which may go away, and a count of the wakes."""

    def __init__(self) -> None:
        real = SqliteTable(None)
        self.table, self.clock, self.wake = Fickle(real), HandClock(), Rings()
        self.tracker = NodeTracker(self.table, NODE)
        self.controller = ControllerTracker(real)
        self.reporter = Reporter(self.tracker, self.clock, self.wake, HEARTBEAT)
        self.conditions = Conditions(self.clock)

    def tell(self, report: Report | None = None, *, at: float = 0.0) -> None:
        self.reporter.tell(but(report or a_report(), at=NOW + at))

    @property
    def told(self) -> tuple[int, float]:
        """Sequence and time of the report that stands."""
        found = self.tracker.last_report()
        assert found is not None
        return found.sequence, found.at - NOW


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_first_report_is_news(desk: Desk) -> None:
    desk.tell()
    assert (desk.told, desk.wake.count) == ((1, 0.0), 1)


def test_the_same_report_is_told_when_the_heartbeat_is_due(desk: Desk) -> None:
    desk.tell()
    desk.tell(at=1.9)
    assert desk.told == (1, 0.0)
    desk.tell(at=2.0)
    assert desk.told == (2, 2.0)


def test_a_clock_that_jumped_back_does_not_silence_the_agent(desk: Desk) -> None:
    desk.tell()
    desk.tell(at=-3600.0)
    assert desk.told == (2, -3600.0)


def test_a_heartbeat_wakes_nobody(desk: Desk) -> None:
    desk.tell()
    desk.tell(at=2.0)
    assert desk.wake.count == 1


@pytest.mark.parametrize("change", [{"phase": Phase.SAVING}, {"ready": True}, {"receipt": None}, {"order_seen": 9}])
def test_news_are_told_at_once(desk: Desk, change: dict[str, object]) -> None:
    desk.tell()
    desk.tell(a_report(**change), at=0.5)
    assert (desk.told, desk.wake.count) == ((2, 0.5), 2)


@pytest.mark.parametrize(
    "change", [{"step": 999}, {"total": 999}, {"shipping": 7}, {"sequence": 99}, {"use": Use(cpu=0.5)}]
)
def test_steps_bytes_and_use_are_no_news(desk: Desk, change: dict[str, object]) -> None:
    desk.tell()
    desk.tell(a_report(**change), at=0.5)
    assert desk.told == (1, 0.0)


def test_a_report_that_could_not_be_written_is_told_at_the_next_chance(desk: Desk) -> None:
    desk.table.away = True
    desk.tell()
    assert (desk.reporter.fault, desk.wake.count) == ("it is away", 0)
    desk.table.away = False
    desk.tell(at=0.5)
    assert (desk.reporter.fault, desk.told[1], desk.wake.count) == ("", 0.5, 1)


def test_a_condition_stands_since_it_was_first_seen(desk: Desk) -> None:
    desk.conditions.set("StoreReachable", "TransferFailed", "away")
    desk.clock.pass_by(5)
    desk.conditions.set("StoreReachable", "TransferFailed", "still away")
    (standing,) = desk.conditions.all()
    assert (standing.since, standing.message) == (NOW, "still away")


def test_a_condition_of_another_status_is_another(desk: Desk) -> None:
    desk.conditions.set("StoreReachable", "TransferFailed", "away")
    desk.clock.pass_by(5)
    desk.conditions.set("StoreReachable", "Unsure", "perhaps", Status.UNKNOWN)
    assert desk.conditions.all()[0].since == NOW + 5


def test_a_condition_that_comes_back_is_new(desk: Desk) -> None:
    desk.conditions.note("StoreReachable", "TransferFailed", "away")
    desk.conditions.note("StoreReachable", "TransferFailed", "")
    desk.clock.pass_by(5)
    desk.conditions.note("StoreReachable", "TransferFailed", "away")
    assert desk.conditions.all()[0].since == NOW + 5


def test_what_is_well_is_not_told(desk: Desk) -> None:
    desk.conditions.note("StoreReachable", "TransferFailed", "")
    desk.conditions.clear("TrackerReachable")
    assert desk.conditions.all() == ()


def test_conditions_are_told_in_the_order_of_their_names(desk: Desk) -> None:
    for kind in ("TrackerReachable", "DiskWritable", "StoreReachable"):
        desk.conditions.set(kind, "R", "m")
    assert [found.type for found in desk.conditions.all()] == ["DiskWritable", "StoreReachable", "TrackerReachable"]


def test_a_note_is_an_entry_of_this_node(desk: Desk) -> None:
    Journal(NODE, desk.tracker, desk.conditions, desk.clock).note("drained", cause="spot", run=RUN)
    (entry,) = desk.controller.entries("f")
    assert (entry.what, entry.node, entry.run, entry.cause, entry.at) == ("drained", NODE, RUN, "spot", NOW)


def test_a_note_that_cannot_be_written_is_a_condition(desk: Desk) -> None:
    desk.table.away = True
    Journal(NODE, desk.tracker, desk.conditions, desk.clock).note("drained")
    assert [(found.type, found.reason) for found in desk.conditions.all()] == [("TrackerReachable", "WriteFailed")]

"""Telling after a tick: once across controllers, never in the way of a tick, and again after a failure."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from lifecycle.control.teller import Teller
from lifecycle.model.errors import SteadyError
from lifecycle.model.tidings import Message
from tests.builders import RUN, a_run, training
from tests.unit.agent.doubles import HandClock
from tests.unit.control.doubles import Room, when
from tests.unit.planning.reading import planned

STALE = training(runs={RUN: a_run(stale_since=1.0)})
WELL = training()


class Hearer:
    """`ports.notifier.Notifier` that remembers, fails while `dead`, and waits for `free`."""

    def __init__(self, name: str = "hook") -> None:
        self.name = self.mark = name
        self.heard: list[Message] = []
        self.dead: Exception | None = None
        self.free = threading.Event()
        self.free.set()

    def send(self, message: Message) -> None:
        self.free.wait(10)
        if self.dead:
            raise self.dead
        self.heard.append(message)

    @property
    def kinds(self) -> list[str]:
        return [message.kind for message in self.heard]


@pytest.fixture
def hearer() -> Iterator[Hearer]:
    built = Hearer()
    yield built
    built.free.set()


def teller(room: Room, *hearers: Hearer, before: Callable[[str], None] | None = None) -> Teller:
    tracker = room._tracker(before) if before else room.tracker
    return Teller(tracker, hearers, room.clock)


def tells(who: Teller, world: object = STALE, patience: float = 5.0) -> list[str]:
    return list(who.tell(world, planned(world), patience=patience))  # type: ignore[arg-type]


def gone() -> SteadyError:
    return SteadyError("hook was not told: gone", fix="wait")


def test_what_stands_is_told_once_by_whomever(room: Room, hearer: Hearer) -> None:
    for who in (teller(room, hearer), teller(room, hearer)):
        tells(who)
        tells(who)
    assert hearer.kinds == ["CheckpointStale"]


def test_a_fleet_that_is_well_again_is_told_once(room: Room, hearer: Hearer) -> None:
    tells(teller(room, hearer))
    for _ in range(2):
        tells(teller(room, hearer), WELL)
    assert hearer.kinds == ["CheckpointStale", "Converged"]


def test_of_two_at_the_same_moment_one_tells(room: Room, hearer: Hearer) -> None:
    rival = teller(room, hearer)
    tells(teller(room, hearer, before=when("told f", partial(tells, rival))))
    assert hearer.kinds == ["CheckpointStale"]


def test_a_dead_target_is_named_once_and_told_when_it_is_back(room: Room, hearer: Hearer) -> None:
    hearer.dead, who = gone(), teller(room, hearer)
    assert tells(who) == ["hook was not told: gone"]
    assert tells(who) == []
    pass_by(room.clock, 30)
    assert tells(who) == []
    hearer.dead = None
    pass_by(room.clock, 60)
    tells(who)
    assert hearer.kinds == ["CheckpointStale"]


def test_a_dead_target_keeps_no_other_from_hearing(room: Room, hearer: Hearer) -> None:
    other, hearer.dead = Hearer("other"), gone()
    tells(teller(room, hearer, other))
    assert other.kinds == ["CheckpointStale"]


def test_a_bug_of_a_target_is_told_as_a_failure(room: Room, hearer: Hearer) -> None:
    hearer.dead = RuntimeError("s3cret")
    assert tells(teller(room, hearer)) == ["hook was not told: RuntimeError"]


def test_a_slow_target_is_not_waited_for_and_not_told_twice(room: Room, hearer: Hearer) -> None:
    hearer.free.clear()
    who = teller(room, hearer)
    tells(who, patience=0.01)
    tells(who, patience=0.01)
    tells(teller(room, hearer), patience=0.01)
    hearer.free.set()
    who._at_work["f"].join(5)
    tells(who)
    assert hearer.kinds == ["CheckpointStale"]


def test_a_teller_that_was_killed_while_it_told_is_followed_by_another(room: Room, hearer: Hearer) -> None:
    hearer.free.clear()
    tells(teller(room, hearer), patience=0.01)
    pass_by(room.clock, 61)
    hearer.free.set()
    tells(teller(room, hearer))
    assert "CheckpointStale" in hearer.kinds


def test_without_anything_to_tell_nothing_is_written(room: Room, hearer: Hearer) -> None:
    tells(teller(room, hearer), WELL)
    assert room.tracker.told("f")[1] == 0


def pass_by(clock: HandClock, seconds: float) -> None:
    clock.pass_by(seconds)

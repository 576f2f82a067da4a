"""The doorbell: whoever waits hears of a ring soon, once, and never trips over it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lifecycle.adapters.local.wake import EVERY, FileWake
from tests.builders import NOW
from tests.unit.agent.doubles import HandClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wake"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def ring_at(path: Path, moment: float) -> None:
    """A ring whose time is told apart from every other, however coarse the file system's clock is."""
    path.touch()
    os.utime(path, (moment, moment))


def test_without_a_ring_the_whole_time_is_waited(path: Path, clock: HandClock) -> None:
    assert not FileWake(path, clock).wait(3.0)
    assert clock.now() == pytest.approx(NOW + 3.0)


def test_a_ring_before_the_wait_ends_it_at_once(path: Path, clock: HandClock) -> None:
    waiting = FileWake(path, clock)
    FileWake(path, clock).ring()
    assert waiting.wait(3.0)
    assert clock.now() == NOW


def test_a_ring_during_the_wait_is_heard_at_the_next_look(path: Path, clock: HandClock) -> None:
    waiting, asleep = FileWake(path, clock), clock.sleep

    def rung_meanwhile(seconds: float) -> None:
        asleep(seconds)
        ring_at(path, 5)

    clock.sleep = rung_meanwhile  # type: ignore[method-assign]
    assert waiting.wait(3.0)
    assert clock.now() == pytest.approx(NOW + EVERY)


def test_a_ring_is_heard_once(path: Path, clock: HandClock) -> None:
    waiting = FileWake(path, clock)
    ring_at(path, 5)
    assert [waiting.wait(1.0), waiting.wait(1.0)] == [True, False]


def test_many_rings_are_one(path: Path, clock: HandClock) -> None:
    waiting = FileWake(path, clock)
    for moment in (5, 6, 7):
        ring_at(path, moment)
    assert [waiting.wait(1.0), waiting.wait(1.0)] == [True, False]


def test_everybody_who_waits_hears_it(path: Path, clock: HandClock) -> None:
    crowd = [FileWake(path, clock) for _ in range(3)]
    ring_at(path, 5)
    assert all(waiting.wait(1.0) for waiting in crowd)


def test_a_ring_from_before_is_not_heard(path: Path, clock: HandClock) -> None:
    ring_at(path, 5)
    assert not FileWake(path, clock).wait(1.0)


def test_not_waiting_at_all_still_hears_a_ring(path: Path, clock: HandClock) -> None:
    waiting = FileWake(path, clock)
    assert not waiting.wait(0.0)
    ring_at(path, 5)
    assert waiting.wait(0.0)


def test_ringing_and_waiting_need_no_directory(tmp_path: Path, clock: HandClock) -> None:
    waiting = FileWake(tmp_path / "gone" / "wake", clock)
    waiting.ring()
    assert not waiting.wait(1.0)

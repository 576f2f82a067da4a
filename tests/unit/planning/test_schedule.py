"""A schedule's windows: plain days, clock changes in both directions, year ends, and two crons that meet."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from lifecycle.model.errors import SteadyError
from lifecycle.model.fleet import Schedule
from lifecycle.planning.schedule import Window, window

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Schedule(stop="0 20 * * 1-5", start="0 8 * * 1-5", timezone="Europe/Berlin")


def at(text: str, fold: int = 0, zone: ZoneInfo = BERLIN) -> float:
    """`2026-11-26 20:00`, the first or the second time that the clock shows it."""
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp()


def seen(schedule: Schedule, now: float, zone: ZoneInfo = BERLIN) -> tuple[str | None, str | None]:
    """Since when it is stopped, and when that changes, as a clock on the wall says it."""
    found = window(schedule, now)

    def wall(moment: float | None) -> str | None:
        return None if moment is None else datetime.fromtimestamp(moment, zone).strftime("%m-%d %H:%M")

    return wall(found.since), wall(found.until)


@pytest.mark.parametrize(
    ("now", "since", "until"),
    [
        ("2026-11-26 19:59", None, "11-26 20:00"),
        ("2026-11-26 20:00", "11-26 20:00", "11-27 08:00"),
        ("2026-11-27 07:59", "11-26 20:00", "11-27 08:00"),
        ("2026-11-27 08:00", None, "11-27 20:00"),
        ("2026-11-29 12:00", "11-27 20:00", "11-30 08:00"),
        ("2026-12-31 23:30", "12-31 20:00", "01-01 08:00"),
        ("2027-01-01 00:30", "12-31 20:00", "01-01 08:00"),
    ],
    ids=["before", "at the stop", "at night", "at the start", "weekend", "old year", "new year"],
)
def test_working_hours(now: str, since: str | None, until: str) -> None:
    assert seen(NIGHT, at(now)) == (since, until)


SHORT = Schedule(stop="30 2 * * *", start="30 5 * * *", timezone="Europe/Berlin")


@pytest.mark.parametrize(
    ("now", "since", "until"),
    [
        (at("2026-03-29 01:59"), None, "03-29 03:00"),
        (at("2026-03-29 03:00"), "03-29 03:00", "03-29 05:30"),
        (at("2026-03-29 05:30"), None, "03-30 02:30"),
    ],
    ids=["before the gap", "after the gap", "started"],
)
def test_a_stop_in_the_hour_that_is_skipped_comes_when_the_clock_goes_on(
    now: float, since: str | None, until: str
) -> None:
    assert seen(SHORT, now) == (since, until)


@pytest.mark.parametrize(
    ("now", "since", "until"),
    [
        (at("2026-10-25 02:15"), None, "10-25 02:30"),
        (at("2026-10-25 02:45"), "10-25 02:30", "10-25 05:30"),
        (at("2026-10-25 02:15", fold=1), "10-25 02:30", "10-25 05:30"),
        (at("2026-10-25 02:45", fold=1), "10-25 02:30", "10-25 05:30"),
        (at("2026-10-25 05:30"), None, "10-26 02:30"),
    ],
    ids=["first, before", "first, after", "second, before", "second, after", "started"],
)
def test_a_stop_in_the_hour_that_comes_twice_counts_once(now: float, since: str | None, until: str) -> None:
    assert seen(SHORT, now) == (since, until)


def test_the_doubled_hour_lasts_two() -> None:
    found = window(SHORT, at("2026-10-25 02:15", fold=1))
    assert found.since is not None
    assert found.until is not None
    assert found.until - found.since == 4 * 3600


EARLY = Schedule(stop="0 1 * * *", start="30 2 * * *", timezone="Europe/Berlin")


@pytest.mark.parametrize(
    ("now", "since", "until"),
    [
        (at("2026-03-29 01:30"), "03-29 01:00", "03-29 03:00"),
        (at("2026-10-25 01:30"), "10-25 01:00", "10-25 02:30"),
        (at("2026-10-25 02:15", fold=1), None, "10-26 01:00"),
    ],
    ids=["skipped", "doubled, first", "doubled, second"],
)
def test_a_start_in_such_an_hour_too(now: float, since: str | None, until: str) -> None:
    assert seen(EARLY, now) == (since, until)


def test_what_came_in_the_first_of_two_hours_does_not_come_again_in_the_second() -> None:
    brief = Schedule(stop="30 2 * * *", start="45 2 * * *", timezone="Europe/Berlin")
    assert seen(brief, at("2026-10-25 02:15", fold=1)) == (None, "10-26 02:30")


def test_a_stop_and_a_start_at_the_same_minute_let_it_run() -> None:
    meeting = Schedule(stop="0 20 * * *", start="0 8,20 * * 0,6")
    utc = ZoneInfo("UTC")
    assert seen(meeting, at("2026-11-28 20:30", zone=utc), utc) == (None, "11-30 20:00")


def test_a_gap_can_make_a_stop_and_a_start_meet() -> None:
    close = Schedule(stop="30 2 * * *", start="0 3 * * *", timezone="Europe/Berlin")
    assert seen(close, at("2026-03-29 03:30")) == (None, "03-30 02:30")


def test_what_always_meets_never_stops() -> None:
    same = Schedule(stop="* * * * *", start="*/1 * * * *")
    assert window(same, at("2026-11-26 20:00")) == Window(since=None, until=None)


def test_a_zone_that_this_computer_lacks_is_told() -> None:
    with pytest.raises(SteadyError, match="Atlantis"):
        window(Schedule(stop="0 1 * * *", start="0 2 * * *", timezone="Sea/Atlantis"), 0.0)

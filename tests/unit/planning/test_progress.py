"""Rates, ends and countdowns: from reports alone, and unknown where reports do not tell."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.records import Report
from lifecycle.model.states import Cause
from lifecycle.planning.progress import (
    NONE_YET,
    WINDOW,
    NoticeStatus,
    Paces,
    followed,
    notice,
    noticed,
    rate,
    seconds_to_end,
    speed_in_words,
)
from lifecycle.planning.view import SILENT_AFTER
from tests.builders import NODE, NOW, a_notice, a_report, an_idle_report, training


def told(step: int | None, *, at: float, **changes: Any) -> Report:
    return a_report(step=step, at=NOW + at, **changes)


def seen(*reports: Report) -> Paces:
    """What is known after a look at each of these, as soon as it was told."""
    paces = NONE_YET
    for report in reports:
        paces = followed(paces, training(reports={NODE: report}), report.at)
    return paces


def rated(*reports: Report, later: float = 0.0) -> float | None:
    return rate(seen(*reports), reports[-1], reports[-1].at + later)


def test_one_report_makes_no_rate() -> None:
    assert rated(told(100, at=0)) is None


def test_the_same_report_seen_twice_makes_no_rate() -> None:
    assert rated(told(100, at=0), told(100, at=0)) is None


def test_two_reports_make_a_rate() -> None:
    assert rated(told(100, at=0), told(130, at=10)) == 3.0


def test_a_report_seen_again_takes_no_rate_away() -> None:
    assert rated(told(100, at=0), told(130, at=10), told(130, at=10)) == 3.0


def test_reports_of_two_attempts_make_no_rate() -> None:
    assert rated(told(100, at=0), told(130, at=10, attempt=2)) is None


def test_a_step_that_is_not_known_makes_no_rate() -> None:
    assert rated(told(None, at=0), told(130, at=10)) is None


def test_a_step_that_went_back_begins_anew() -> None:
    assert rated(told(100, at=0), told(130, at=10), told(110, at=20)) is None


def test_a_clock_that_went_back_begins_anew() -> None:
    assert rated(told(100, at=100), told(130, at=10)) is None


def test_a_trainer_that_hangs_comes_to_a_rate_of_nothing() -> None:
    assert rated(told(100, at=0), told(100, at=10)) == 0.0


def test_a_rate_forgets_what_is_long_past() -> None:
    assert rated(told(0, at=-1), told(100, at=0), told(700, at=WINDOW)) == pytest.approx(2.0)


def test_a_silent_agent_has_no_rate() -> None:
    assert rated(told(100, at=0), told(130, at=10), later=SILENT_AFTER + 1) is None


def test_an_idle_agent_is_forgotten() -> None:
    assert seen(told(100, at=0), an_idle_report(at=NOW + 1)) == {}


def test_the_end_takes_the_trainers_word_of_it() -> None:
    reports = told(100, at=0, total=190), told(130, at=10, total=190)
    assert seconds_to_end(seen(*reports), reports[-1], NOW + 10) == 20.0
    assert seconds_to_end(seen(*reports), told(130, at=10), NOW + 10) is None


def test_the_end_comes_nearer_between_reports() -> None:
    reports = told(100, at=0, total=190), told(130, at=10, total=190)
    assert seconds_to_end(seen(*reports), reports[-1], NOW + 15) == 15.0


def test_nobody_says_when_a_trainer_that_hangs_will_end() -> None:
    reports = told(100, at=0, total=190), told(100, at=10, total=190)
    assert seconds_to_end(seen(*reports), reports[-1], NOW + 10) is None


def test_a_notice_is_counted_down_to_its_deadline_and_not_below() -> None:
    under = a_report(notice=a_notice(lead=8))
    assert notice(under, NOW) == NoticeStatus(cause="spot", seconds_left=8.0)
    assert notice(under, NOW + 60) == NoticeStatus(cause="spot", seconds_left=0.0)


def test_advice_has_no_deadline() -> None:
    advice = a_report(notice=a_notice(Cause.REBALANCE, lead=None))
    assert notice(advice, NOW) == NoticeStatus(cause="rebalance", seconds_left=None)


@pytest.mark.parametrize(
    ("left", "words"),
    [
        ([], ""),
        ([8.0], "1 under notice, 8s left"),
        ([90.0, 8.0, None], "3 under notice, the first has 8s left"),
        ([None], "1 under notice"),
    ],
)
def test_notices_in_words(left: list[float | None], words: str) -> None:
    assert noticed([None, *(NoticeStatus(cause="spot", seconds_left=each) for each in left)]) == words


@pytest.mark.parametrize(
    ("speed", "words"),
    [
        (0.0, "no new step"),
        (123.4, "123 steps/s"),
        (3.21, "3.2 steps/s"),
        (0.2, "12 steps/min"),
        (0.00125, "4.5 steps/h"),
    ],
)
def test_a_speed_reads_in_the_unit_that_shows_a_step(speed: float, words: str) -> None:
    assert speed_in_words(speed) == words

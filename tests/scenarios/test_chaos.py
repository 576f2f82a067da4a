"""A thousand bad days: stale lists, lost answers, people, controllers that overtake each other; nothing is lost.

A failing day is told again by its seed: `Day(seed).run()`; `Day.told` says what happened in it.
"""

from __future__ import annotations

import pytest

from tests.scenarios.chaos import LAGS, Day

DAYS, AT_ONCE = 1000, 40
NIGHTS = 10_000


def outcomes(seeds: range) -> dict[int, list[str]]:
    """What was wrong with each of these days that was not right."""
    found = {seed: Day(seed).run() for seed in seeds}
    return {seed: faults for seed, faults in found.items() if faults}


@pytest.mark.parametrize("first", range(0, DAYS, AT_ONCE))
def test_no_bad_day_loses_anything(first: int) -> None:
    assert outcomes(range(first, first + AT_ONCE)) == {}


@pytest.mark.soak
@pytest.mark.parametrize("first", range(DAYS, NIGHTS, AT_ONCE))
def test_no_bad_night_does_either(first: int) -> None:
    assert outcomes(range(first, first + AT_ONCE)) == {}


def test_a_day_is_the_same_whenever_it_is_told() -> None:
    first, second = Day(7), Day(7)
    assert (first.run(), first.told) == (second.run(), second.told)


def test_six_lags_are_met_by_as_many_days_each() -> None:
    met = [Day(seed).world.cloud.climate.lag for seed in range(12)]
    assert sorted(met) == sorted(LAGS * 2)

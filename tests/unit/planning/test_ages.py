"""The age of checkpoints over time: what would have been lost, against `max_lost_work`."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.past import Past
from lifecycle.model.records import Attempt
from lifecycle.planning.ages import SLICES, PoolAges, ages
from tests.builders import NOW, RUN, a_receipt, a_run, a_spec, an_attempt, an_ended_attempt, nothing_yet

BEGIN = NOW - SLICES * 60
"""Slices of a minute."""


def of(*saves: float, attempt: Attempt | None = None, **checkpoint: Any) -> PoolAges:
    spec = a_spec(checkpoint=checkpoint)
    attempt = attempt or an_attempt(spec, started_at=BEGIN)
    receipts = tuple(a_receipt(step, at=at) for step, at in enumerate(saves, start=1))
    observed = nothing_yet(spec, runs={RUN: a_run(attempt)})
    (found,) = ages(observed, Past(attempts={RUN: (attempt,)}, receipts={RUN: receipts}), BEGIN, NOW)
    return found


def test_an_age_grows_from_slice_to_slice_and_begins_anew_with_a_save() -> None:
    assert of(BEGIN + 150, BEGIN + 200).slices[:5] == (60, 120, 150, 50, 100)


def test_it_grows_up_to_now_while_the_attempt_is_under_way() -> None:
    found = of()
    assert (found.slices[-1], found.oldest.seconds) == (SLICES * 60, SLICES * 60)


def test_where_nothing_trained_there_is_no_age() -> None:
    found = of(attempt=an_ended_attempt(started_at=BEGIN, ended_at=BEGIN + 90))
    assert found.slices[1:3] == (90, None)


def test_the_oldest_is_named_with_its_run_and_its_time() -> None:
    oldest = of(BEGIN + 150, BEGIN + 160).oldest
    assert (oldest.run, oldest.at) == (RUN, NOW)


def test_time_beyond_the_limit_is_a_share_of_the_time_trained() -> None:
    found = of(BEGIN + SLICES * 30, max_lost_work="12m")
    assert (found.limit, found.over) == (720.0, 0.5)


@pytest.mark.parametrize("checkpoint", [{}, {"max_lost_work": "0s"}, {"max_lost_work": "never"}])
def test_without_a_limit_nothing_is_beyond_it(checkpoint: dict[str, str]) -> None:
    found = of(**checkpoint)
    assert (found.limit, found.over) == (None, None)


def test_a_save_of_another_attempt_makes_no_work_young() -> None:
    receipt = a_receipt(1, epoch=2, at=BEGIN + 60)
    attempt = an_attempt(started_at=BEGIN)
    past = Past(attempts={RUN: (attempt,)}, receipts={RUN: (receipt,)})
    (found,) = ages(nothing_yet(runs={RUN: a_run(attempt)}), past, BEGIN, NOW)
    assert found.slices[-1] == SLICES * 60


def test_a_save_from_before_its_attempt_by_a_clock_that_is_off_is_left_out() -> None:
    attempt = an_attempt(started_at=BEGIN + 120)
    assert of(BEGIN + 60, attempt=attempt).slices[:4] == (None, None, 60, 120)


def test_a_run_that_never_trained_has_no_chart() -> None:
    attempt = an_attempt(started_at=None)
    assert ages(nothing_yet(runs={RUN: a_run(attempt)}), Past(attempts={RUN: (attempt,)}), BEGIN, NOW) == ()

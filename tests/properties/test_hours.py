"""Whatever happens to a run, and whatever its clocks say: every second and every lost step has one cause."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.model.hours import Hours, given_out
from lifecycle.model.records import Attempt, Outcome, Report, Run
from lifecycle.model.states import Cause, InstanceState, RunState
from lifecycle.planning.settle import settle
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_machine,
    a_report,
    a_run,
    an_attempt,
    an_end,
    an_idle_report,
    but,
    training,
)

SPANS = st.floats(min_value=-60.0, max_value=5000.0)
"""The clocks of two machines differ: a span may be negative."""


class Life(NamedTuple):
    """One attempt: does it start, does its agent see its end, who ends it; waited, trained, reached and resumed."""

    starts: bool
    witnessed: bool
    cause: Cause
    waited: float
    trained: float
    reached: int
    resumed: int


LIVES = st.builds(
    Life,
    starts=st.booleans(),
    witnessed=st.booleans(),
    cause=st.sampled_from(list(Cause)),
    waited=SPANS,
    trained=SPANS,
    reached=st.integers(0, 500),
    resumed=st.integers(0, 500),
)


def settled(run: Run, report: Report, now: float, *, gone: Cause | None = None) -> Run:
    ended = {"state": InstanceState.TERMINATED, "ended_at": now, "cause": gone} if gone else {}
    observed = training(machines=(a_machine(**ended),), runs={RUN: run}, reports={NODE: report})
    return next(iter(settle(observed, now).runs), run)


def lived(run: Run, life: Life, now: float) -> tuple[Run, float]:
    """The run after one attempt, and the time then."""
    assert run.attempt is not None
    number, began = run.attempt.number, now + life.waited
    ended = began + life.trained
    told: dict[str, Any] = {
        "attempt": number,
        "from_step": life.resumed,
        "started_at": began if life.starts else None,
    }
    if life.starts:
        run = settled(run, a_report(**told, step=life.reached, at=now), now)
    if life.witnessed:
        end = an_end(**told, at=ended, step=life.reached, cause=life.cause, outcome=Outcome.INTERRUPTED)
        return settled(run, an_idle_report(ended=end, at=now), now), ended
    report = a_report(**told, step=life.reached, at=now)
    return settled(run, report, ended, gone=life.cause), ended


def next_attempt(run: Run) -> Run:
    assert run.attempt is not None
    return but(run, attempt=ordered(run.attempt.number + 1), state=RunState.STARTING)


def ordered(number: int) -> Attempt:
    return an_attempt(number=number, started_at=None, from_step=None)


@given(st.lists(LIVES, min_size=1, max_size=8))
def test_every_second_and_every_lost_step_is_booked_once(lives: list[Life]) -> None:
    run, now, again = a_run(ordered(1), hours=given_out(Hours(), NOW)), NOW, 0
    for life in lives:
        run, now = lived(run, life, now)
        assert run.attempt is not None
        assert run.attempt.outcome is not None
        again += run.attempt.lost_steps
        assert run.hours.wall == pytest.approx(run.hours.training + sum(run.hours.lost.values()))
        assert min([run.hours.training, *run.hours.lost.values()]) >= 0.0
        assert sum(run.lost.values()) == again
        run = next_attempt(run)
    assert set(run.hours.lost) <= {Cause.CONTROLLER, Cause.HARDWARE, *(life.cause for life in lives)}


@given(st.lists(LIVES, min_size=0, max_size=5))
def test_a_finished_runs_clock_stands_still(lives: list[Life]) -> None:
    run, now = a_run(ordered(1), hours=given_out(Hours(), NOW)), NOW
    for life in lives:
        run, now = lived(run, life, now)
        run = next_attempt(run)
    assert run.attempt is not None
    done = an_end(attempt=run.attempt.number, started_at=now, at=now + 10, cause=None, outcome=Outcome.COMPLETED)
    run = settled(run, an_idle_report(ended=done, at=now), now + 10)
    assert (run.state, run.hours.losing_to) == (RunState.COMPLETED, None)
    assert run.hours.wall == pytest.approx(run.hours.training + sum(run.hours.lost.values()))

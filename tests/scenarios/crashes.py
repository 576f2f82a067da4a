"""Runs a plot with a controller that is killed, and says what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lifecycle.adapters.simulated.provider import Moment
from lifecycle.model.errors import SteadyError
from lifecycle.simulation.seat import Killed, Seat
from tests.scenarios.plots import Plot
from tests.scenarios.stage import LEASE, QUIET, WITHIN, KilledAt, Mark, Stage


class Point(NamedTuple):
    """Where a controller is killed: before or after the call of this number."""

    number: int
    moment: Moment


def points(plot: Plot, *first: Point) -> list[Point]:
    """Where a controller of this plot may be killed, after others were killed at `first`: each state once.

    After a call and before the next is the same moment, unless something happened in between.
    """
    stage, acted = _begun(plot, first)
    counting = KilledAt(stage)
    _until_killed(plot, stage, stage.seat("first", counting), acted=acted)
    seen, found = set[Mark](), []
    for (number, moment), mark in counting.marks.items():
        if mark not in seen:
            found.append(Point(number, moment))
        seen.add(mark)
    return found


def _begun(plot: Plot, killed: Sequence[Point]) -> tuple[Stage, bool]:
    """The plot's stage after controllers were killed at these points in turn; whether its act was done."""
    stage, acted = plot.make(), False
    plot.before(stage)
    for number, point in enumerate(killed):
        seat = stage.seat(f"killed-{number}", KilledAt(stage, *point))
        acted = _until_killed(plot, stage, seat, acted=acted)
        stage.world.timeline.run_for(LEASE)
    return stage, acted


def run(plot: Plot, *killed: Point) -> list[str]:
    """The plot with a controller killed at each of these points in turn; what is wrong afterwards."""
    stage, acted = _begun(plot, killed)
    last = stage.seat("last")
    if not acted:
        _act(plot, stage, last)
    return _judged(stage, last)


def _until_killed(plot: Plot, stage: Stage, seat: Seat, *, acted: bool) -> bool:
    """Whether the act was done when the controller was killed."""
    try:
        if not acted:
            _act(plot, stage, seat)
            acted = True
        stage.settle(seat)
    except Killed:
        stage.checker.check(None)
    return acted


def _act(plot: Plot, stage: Stage, seat: Seat) -> None:
    try:
        plot.act(stage, seat)
    except SteadyError as refused:
        raise AssertionError(f"{plot.name}: {refused.what}") from refused


def _judged(stage: Stage, seat: Seat) -> list[str]:
    took = stage.settle(seat, within=WITHIN)
    if took > WITHIN:
        return [f"I9 not as declared after {WITHIN} ticks", stage.story()]
    if not stage.is_quiet(seat, QUIET):
        return [f"I9 it does not stay as it is for {QUIET} ticks", stage.story()]
    return [str(each) for each in stage.violations]

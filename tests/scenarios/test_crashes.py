"""A controller is killed before and after each of its calls, in every scenario; another one takes over.

100 % of the single faults. Pairs (the second killed too, at each of its calls) are `make soak`.
"""

from __future__ import annotations

import pytest

from tests.scenarios.crashes import points, run
from tests.scenarios.plots import PLOTS, Plot

NAMES = [plot.name for plot in PLOTS]


def test_there_are_at_least_twelve_scenarios_of_different_names() -> None:
    assert len(set(NAMES)) == len(PLOTS) >= 12


@pytest.mark.parametrize("plot", PLOTS, ids=NAMES)
def test_undisturbed_it_comes_out_as_declared(plot: Plot) -> None:
    assert run(plot) == []


@pytest.mark.parametrize("plot", PLOTS, ids=NAMES)
def test_a_controller_killed_anywhere_leaves_nothing_that_the_next_does_not_put_right(plot: Plot) -> None:
    outcomes = {point: run(plot, point) for point in points(plot)}
    assert outcomes
    assert {point: faults for point, faults in outcomes.items() if faults} == {}


@pytest.mark.soak
@pytest.mark.parametrize("plot", PLOTS, ids=NAMES)
def test_two_controllers_killed_one_after_the_other_leave_nothing_either(plot: Plot) -> None:
    for first in points(plot):
        outcomes = {second: run(plot, first, second) for second in points(plot, first)}
        assert {(first, second): faults for second, faults in outcomes.items() if faults} == {}

"""The CLI killed at any point of an update: the next ones go through, and there is one machine per node."""

from __future__ import annotations

import pytest

from lifecycle.control.guard import UNKNOWN_FOR
from lifecycle.model.errors import SteadyError
from tests.builders import but
from tests.engine.yard import Yard

pytestmark = [pytest.mark.engine, pytest.mark.story]


def healed(yard: Yard, *nodes: int) -> None:
    """Later ticks: at most three, without a hand on the state."""
    for _ in range(3):
        _minutes_pass(yard)
        outcomes = yard.converge(*nodes)
        if not any(outcome.error for outcome in outcomes.values()):
            return
    raise AssertionError(outcomes)


def test_the_first_creation_killed_again_and_again_ends_with_one_machine_per_node(yard: Yard) -> None:
    for point in range(1, 7):
        with yard.killed_at(point, done=bool(point % 2)):
            _ignoring(yard, 0, 1, 2)
    healed(yard, 0, 1, 2)
    assert yard.kept() == {f"f.t.{node}": instance for node, instance in yard.live().items()}
    assert sorted(yard.live()) == [0, 1, 2]
    assert set(yard.by_hand(refresh=True).changes) == {"same"}


@pytest.mark.parametrize("done", [True, False])
def test_a_replacement_killed_anywhere_is_finished_and_the_others_stay(yard: Yard, done: bool) -> None:
    yard.made(0, 1)
    for point in (1, 2, 3):
        before = yard.live()
        with yard.killed_at(point, done=done):
            (outcome,) = yard.converge(1, incarnation=point + 1).values()
        assert outcome.uncertain, outcome
        healed(yard, 1)
        assert yard.live()[0] == before[0]
        assert yard.live()[1] == yard.kept()["f.t.1"] != before[1]


def _minutes_pass(yard: Yard) -> None:
    """What was tried and not answered counts as tried so long ago that no list lags behind it."""
    wanted = [(placement.node, placement.incarnation) for placement in yard.placed().values()]
    for claim in yard.tracker.incarnations("f", wanted).values():
        if claim.tried_at is not None:
            yard.tracker.put_incarnation("f", but(claim, tried_at=claim.tried_at - UNKNOWN_FOR), None)


def _ignoring(yard: Yard, *nodes: int) -> None:
    """An update of which nothing is asked."""
    try:
        yard.converge(*nodes)
    except SteadyError:
        return

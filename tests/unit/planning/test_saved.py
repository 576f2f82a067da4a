"""A saved plan: good while nothing moved, and otherwise it says what did."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lifecycle.model.states import InstanceState
from lifecycle.model.world import Observed
from lifecycle.planning.saved import KEPT, SavedPlan, moved, saved
from tests.builders import (
    NOW,
    a_claim,
    a_hold,
    a_machine,
    a_record,
    a_report,
    a_run,
    a_spec,
    an_allowance,
    an_ended_attempt,
    but,
    training,
)
from tests.unit.planning.reading import planned

SMALLER = a_record(a_spec(nodes=0))
"""What is to be applied: nothing is left of the pool."""


def keep(observed: Observed, now: float = NOW, source: str = "f.yaml", digest: str = "d") -> SavedPlan:
    plan = planned(but(observed, record=SMALLER))
    return saved(source, digest, observed, plan, "Plan: ...", now)


KEPT_PLAN = keep(training())


def test_a_plan_of_which_nothing_moved_may_be_applied() -> None:
    assert moved(KEPT_PLAN, keep(training(), NOW + 60)) == ""


def test_steps_and_heartbeats_are_no_move() -> None:
    later = training(reports={"f/t/0": a_report(step=900, sequence=99)})
    assert moved(KEPT_PLAN, keep(later, NOW + 60)) == ""


MOVES: dict[str, Callable[[], Observed]] = {
    "m1 is stopped, spot local in local, fills f/t/0, was running, ": lambda: training(
        machines=(a_machine(state=InstanceState.STOPPED),)
    ),
    "m1 is ending, ": lambda: training(machines=(a_machine(ending=True),)),
    "m1 is gone, was running": lambda: training(machines=()),
    "m2 is new (running, spot": lambda: training(machines=(a_machine(), a_machine(id="m2", node="f/t/1"))),
    "f.t.main.0 is attempt 1 stopped, was attempt 1 under way": lambda: training(
        runs={"f.t.main.0": a_run(an_ended_attempt())}
    ),
    "hold stop-1 is new (f/t/0: stop by somebody": lambda: training(holds=(a_hold(),)),
    "drain of f/t/0 is new (by controller)": lambda: training(drains={"f/t/0": a_claim()}),
    "allowance for m1 is new": lambda: training(allowances={"m1": an_allowance()}),
    "shared difference 1 is new (role: ": lambda: training(shared=("role: x",)),
}


@pytest.mark.parametrize("told", MOVES)
def test_what_moved_is_said(told: str) -> None:
    assert told in moved(KEPT_PLAN, keep(MOVES[told]()))


def test_much_that_moved_is_counted() -> None:
    machines = tuple(a_machine(id=f"n{index}", node=f"f/t/{index + 1}") for index in range(9))
    assert moved(KEPT_PLAN, keep(training(machines=(a_machine(), *machines)))).endswith("; and 6 more")


def test_another_hour_may_ask_for_something_else() -> None:
    fresh = but(KEPT_PLAN, actions=("replace f/t/0",))
    told = moved(KEPT_PLAN, fresh)
    assert told == "it would now replace f/t/0 too; it would not destroy f/t/0 any more"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"fleet": "g"}, "it is a plan of f from f.yaml"),
        ({"source": "g.yaml"}, "it is a plan of f from f.yaml"),
        ({"spec": "e"}, "the spec has changed since"),
        ({"generation": 7}, "it was made for generation 1; 7 is applied now"),
        ({"made_at": NOW + KEPT}, "was to be applied by 2027-01-16 08:00 UTC"),
        ({"made_at": NOW - 3600}, "it is of 2027-01-15 08:00 UTC"),
    ],
)
def test_a_foreign_or_outdated_plan_says_so(change: dict[str, object], why: str) -> None:
    assert why in moved(KEPT_PLAN, but(KEPT_PLAN, **change))


def test_clocks_that_differ_a_little_are_no_reason() -> None:
    assert moved(KEPT_PLAN, but(KEPT_PLAN, made_at=NOW - 30)) == ""

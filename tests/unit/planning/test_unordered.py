"""An attempt that was given out and never ordered, when the train section changes in between."""

from __future__ import annotations

from lifecycle.model.records import Outcome, Phase
from lifecycle.model.states import RunState
from lifecycle.model.world import Observed
from lifecycle.planning.settle import apply_facts, settle
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_run,
    a_spec,
    an_attempt,
    an_idle_report,
    an_order,
    but,
    training,
)
from tests.unit.planning.reading import steps

EDITED = a_spec(train={"command": ["python", "another.py"]})


def given_out(**changes: object) -> Observed:
    """Attempt 2 was given out, its order was not written, and then the spec was edited."""
    second = but(an_attempt(), number=2, started_at=None, from_step=None)
    fields = {"runs": {RUN: a_run(second, state=RunState.STARTING)}, "reports": {NODE: an_idle_report()}}
    return training(EDITED, **{**fields, **changes})


def test_it_is_closed_as_void_and_counts_as_no_failure() -> None:
    (run,) = settle(given_out(), NOW).runs
    assert run.attempt is not None
    assert (run.attempt.outcome, run.failures, run.lost) == (Outcome.VOID, {}, {})


def test_the_next_attempt_of_the_edited_section_is_given_out_in_the_same_tick() -> None:
    observed = given_out()
    assert steps(apply_facts(observed, settle(observed, NOW))) == ["GiveOut"]


def test_one_that_was_ordered_is_stopped_by_its_agent_as_ever() -> None:
    ordered = but(an_order(), assignment=but(an_order().assignment, attempt=2))
    assert settle(given_out(orders={NODE: ordered}), NOW).attempts == ()


def test_one_of_the_declared_section_is_ordered_again() -> None:
    observed = given_out(record=training().record)
    assert settle(observed, NOW).attempts == ()
    assert steps(observed) == ["Instruct"]


def test_one_that_trains_is_not_closed_for_an_order_that_is_not_there() -> None:
    found = given_out(orders={}, runs={RUN: a_run(but(an_attempt(), number=2))})
    assert found.reports[NODE].phase is Phase.IDLE
    assert settle(found, NOW).attempts == ()

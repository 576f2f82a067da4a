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
from tests.gang_builders import GANG, a_gang_attempt, a_gang_run, a_gang_spec, gang_rests
from tests.unit.planning.reading import steps

EDITED = a_spec(train={"command": ["python", "another.py"]})


def given_out(**changes: object) -> Observed:
    """Attempt 2 was given out, its order was not written, and then the spec was edited."""
    second = but(an_attempt(), number=2, started_at=None, from_step=None)
    fields = {"runs": {RUN: a_run(second, state=RunState.STARTING)}, "reports": {NODE: an_idle_report()}}
    return training(EDITED, **{**fields, **changes})


def closed(observed: Observed) -> list[int]:
    """The numbers of the attempts that this observation ends."""
    settled = (run.attempt for run in settle(observed, NOW).runs)
    return [attempt.number for attempt in settled if attempt is not None and not attempt.open]


def test_it_is_closed_as_void_and_counts_as_no_failure() -> None:
    (run,) = settle(given_out(), NOW).runs
    assert run.attempt is not None
    assert (run.attempt.outcome, run.failures, run.lost) == (Outcome.VOID, {}, {})


def test_the_next_attempt_of_the_edited_section_is_given_out_in_the_same_tick() -> None:
    observed = given_out()
    assert steps(apply_facts(observed, settle(observed, NOW))) == ["GiveOut"]


def test_a_gangs_is_closed_for_every_rank_and_the_next_one_starts() -> None:
    """A rank left open would be waited for, and nobody was ever told to start it."""
    second = but(a_gang_attempt(), number=2, started_at=None, from_step=None)
    edited = a_gang_spec(train={"command": ["python", "another.py"]})
    observed = gang_rests(edited, runs={GANG: a_gang_run(second, state=RunState.STARTING)})
    after = apply_facts(observed, settle(observed, NOW))
    assert steps(after) == ["GiveOut"]


def test_one_that_was_ordered_is_stopped_by_its_agent_as_ever() -> None:
    ordered = but(an_order(), assignment=but(an_order().assignment, attempt=2))
    assert closed(given_out(orders={NODE: ordered})) == []


def test_one_of_the_declared_section_is_ordered_again() -> None:
    observed = given_out(record=training().record)
    assert closed(observed) == []
    assert steps(observed) == ["Instruct"]


def test_one_that_trains_is_not_closed_for_an_order_that_is_not_there() -> None:
    found = given_out(orders={}, runs={RUN: a_run(but(an_attempt(), number=2))})
    assert found.reports[NODE].phase is Phase.IDLE
    assert closed(found) == []

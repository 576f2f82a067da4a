"""What one rule says about one node, and how the pass table speaks through it."""

from __future__ import annotations

from lifecycle.model.plan import Claim, Kind, Reason, Release
from lifecycle.model.records import DrainOutcome
from lifecycle.model.states import Cause, StopReason
from lifecycle.model.world import Observed
from lifecycle.planning.decision import SETTLED, Decision, act, emptied_first, wait
from lifecycle.planning.emptying import Purpose
from tests.builders import NODE, NOW, a_claim, a_report, an_answer, rested, training
from tests.unit.planning.reading import seen

PURPOSE = Purpose(reason=StopReason.MANUAL, cause=Cause.OPERATOR, key="1")
REASON = Reason(cause="operator", evidence="asked for")


def decided(observed: Observed) -> Decision:
    """Stop the node once it is empty; `SETTLED` stands for the stop itself."""
    return emptied_first(seen(observed), Kind.STOP, PURPOSE, REASON, SETTLED)


def test_a_decision_is_at_most_one_thing() -> None:
    view = seen(training())
    assert act(view, Kind.STOP, REASON).waiting is None
    assert wait(view, "x").action is None


def test_an_empty_machine_is_decided_on_at_once() -> None:
    assert decided(rested()) is SETTLED


def test_a_machine_that_trains_is_claimed_first_with_what_is_at_stake() -> None:
    action = decided(training()).action
    assert action is not None
    assert (action.kind, action.reason, action.lost_steps) == (Kind.STOP, REASON, 30)
    assert [type(step) for step in action.steps] == [Claim]


def test_a_drain_under_way_is_a_wait_that_names_the_action() -> None:
    waiting = decided(training(drains={NODE: a_claim()})).waiting
    assert waiting is not None
    assert (waiting.what, waiting.until) == ("checkpoint-stop: waits for its drain by controller", NOW + 85)


def test_a_refused_drain_is_a_refusal_and_gives_the_claim_back() -> None:
    report = a_report(drained=an_answer(outcome=DrainOutcome.REFUSED))
    found = decided(training(reports={NODE: report}, drains={NODE: a_claim()}))
    assert found.refusal is not None
    assert found.action is not None
    assert (found.action.kind, found.action.steps) == (Kind.RESUME, (Release(node=NODE),))


def test_a_refusal_with_nothing_to_give_back_takes_no_action() -> None:
    report = a_report(drained=an_answer(outcome=DrainOutcome.REFUSED))
    found = decided(training(reports={NODE: report}))
    assert (found.action, found.waiting) == (None, None)

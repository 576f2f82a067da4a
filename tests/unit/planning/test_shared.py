"""What machines share is the fleet's own drift: reported by reconcile, made as declared by apply."""

from __future__ import annotations

import pytest

from lifecycle.model.holds import HoldKind
from lifecycle.model.plan import Drift, Kind, Share
from lifecycle.model.world import Observed
from lifecycle.planning import explain
from lifecycle.planning.planner import plan
from tests.builders import NOW, a_hold, a_record, a_spec, training
from tests.unit.planning.reading import planned

LINE = "security group: a rule for port 22 from anywhere"
DIFFERENT = training(shared=(LINE,))


def shared(observed: Observed = DIFFERENT) -> tuple[object, ...]:
    return plan(a_spec(), observed, NOW, share=True).actions


def test_a_difference_is_drift_of_the_fleet_and_only_reported() -> None:
    found = planned(DIFFERENT)
    expected = Drift(node="f", field="shared", desired="as the spec has it", actual=LINE, policy="restore")
    assert (found.drift, found.settled) == ((expected,), True)


def test_with_share_it_is_an_action_of_the_fleet() -> None:
    (action,) = plan(a_spec(), DIFFERENT, NOW, share=True).actions
    assert (action.kind, action.node, action.steps) == (Kind.UPDATE, "f", (Share(),))
    assert action.reason.evidence == f"SharedDrift: {LINE}"


def test_without_a_difference_there_is_nothing_to_share() -> None:
    assert shared(training()) == ()


def test_a_fleet_that_is_destroyed_shares_nothing_any_more() -> None:
    leaving = training(record=a_record(destroying=True), shared=(LINE,))
    assert Kind.UPDATE not in [action.kind for action in plan(None, leaving, NOW, share=True).actions]


def test_a_suspended_fleet_keeps_what_it_shares() -> None:
    assert shared(training(shared=(LINE,), holds=(a_hold(HoldKind.SUSPEND, node=None),))) == ()


def test_it_is_printed_in_the_fleets_name() -> None:
    told = explain.text(plan(a_spec(), DIFFERENT, NOW, share=True)).splitlines()
    assert told[1] == f"  f  shared: declared as the spec has it, found {LINE} (policy: restore)"
    assert told[4] == f"   ~ update  f  spec: SharedDrift: {LINE}"
    assert "1 to update" in told[-1]


GROUP, ROLE = "security group nodes differs in ingress", "role policy node differs in policy"


@pytest.mark.parametrize(("field", "line"), [("security_group", GROUP), ("role", ROLE)])
def test_what_every_pool_only_reports_is_left_as_it_is(field: str, line: str) -> None:
    spec, observed = a_spec(drift={field: "report"}), training(shared=(line,))
    found = plan(spec, observed, NOW, share=True)
    assert (found.actions, [each.policy for each in found.drift]) == ((), ["report"])


@pytest.mark.parametrize("line", [GROUP, "role node is missing", "stack f is not there yet"])
def test_another_fields_policy_and_what_is_missing_are_no_reason_to_leave_it(line: str) -> None:
    found = plan(a_spec(drift={"role": "report"}), training(shared=(line,)), NOW, share=True)
    assert [action.steps for action in found.actions] == [(Share(),)]

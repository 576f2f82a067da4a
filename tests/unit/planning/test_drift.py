"""Drift: named differences, the policy for each, and who caused them."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.fleet import Aws, Market
from lifecycle.model.holds import HoldKind
from lifecycle.model.plan import Drift
from lifecycle.model.records import Condition, Status
from lifecycle.model.states import InstanceState, StopReason
from lifecycle.model.world import Observed
from lifecycle.planning.attempts import fingerprint
from lifecycle.planning.drift import compare
from tests.builders import (
    NODE,
    a_hold,
    a_machine,
    a_placement,
    a_record,
    a_report,
    a_spec,
    an_attempt,
    an_incarnation,
    but,
    nothing_yet,
    rested,
    training,
)
from tests.unit.planning.reading import seen

ON_DEMAND = a_spec(market="on_demand")


def found(observed: Observed) -> list[Drift]:
    return list(compare(seen(observed)))


def difference(field: str, desired: str, actual: str, policy: str, **changes: Any) -> Drift:
    fields = {"node": NODE, "preexisting": False, **changes}
    return Drift(field=field, desired=desired, actual=actual, policy=policy, **fields)


def off(**changes: Any) -> Observed:
    machine = a_machine(market=Market.ON_DEMAND, state=InstanceState.STOPPED)
    fields = {"machines": (machine,), "placements": {NODE: a_placement(market=Market.ON_DEMAND)}}
    return rested(ON_DEMAND, **{**fields, **changes})


def test_a_node_as_declared_has_no_drift() -> None:
    assert found(training()) == []


def test_a_node_without_a_machine_has_no_drift() -> None:
    assert found(nothing_yet()) == []


def test_a_machine_that_nothing_declares_is_drift() -> None:
    assert found(training(a_spec(nodes=0))) == [difference("present", "no", "machine m1", "restore")]


def test_a_node_that_is_gone_in_spec_and_world_has_no_drift() -> None:
    assert found(training(a_spec(nodes=0), machines=())) == []


def test_a_machine_that_somebody_stopped_was_found_so() -> None:
    assert found(off()) == [difference("power", "on", "off", "restore", preexisting=True)]


def test_a_machine_that_we_stopped_and_want_back_is_a_change_of_ours() -> None:
    ours = a_placement(market=Market.ON_DEMAND, powered=False, reason=StopReason.MANUAL)
    assert found(off(placements={NODE: ours})) == [difference("power", "on", "off", "restore")]


def test_a_machine_that_is_held_and_off_has_no_drift() -> None:
    assert found(off(holds=(a_hold(),))) == []


def test_another_market_is_drift_with_its_own_policy() -> None:
    observed = training(machines=(a_machine(market=Market.ON_DEMAND),))
    assert found(observed) == [difference("market", "spot", "on_demand", "report")]


def test_another_type_is_drift_with_all_that_is_declared() -> None:
    observed = training(a_spec(instance_types=["big", "small"]))
    assert found(observed) == [difference("instance_type", "big, small", "local", "replace")]


def test_a_zone_that_is_no_longer_declared_is_drift_with_the_types_policy() -> None:
    observed = training(a_spec(zones=["a", "b"]))
    assert found(observed) == [difference("zone", "a, b", "local", "replace")]


def test_a_zone_says_nothing_in_subnets_of_the_users_own() -> None:
    spec = but(a_spec(zones=["a"]), aws=Aws(subnets=("subnet-1",)))
    assert found(training(spec)) == []


def test_a_machine_on_the_fallback_is_shown_as_such() -> None:
    spec = a_spec(fallback={"to": "on_demand", "after": "10m"})
    placed = {NODE: a_placement(market=Market.ON_DEMAND)}
    observed = training(spec, machines=(a_machine(market=Market.ON_DEMAND),), placements=placed)
    assert found(observed) == [difference("market", "spot", "on_demand", "fallback", preexisting=True)]


def test_changed_tags_are_told_with_both_values() -> None:
    machine = a_machine(tags={"Name": "mine", "steady:pool": "t", "steady:incarnation": "1"})
    observed = training(but(a_spec(), provider="aws"), machines=(machine,))
    desired, actual = "Name=f/t/0, steady:node=f/t/0", "Name=mine, no steady:node"
    assert found(observed) == [difference("tags", desired, actual, "restore", preexisting=True)]


AWS = but(a_spec(image="ami-1"), provider="aws")
OURS = {"Name": NODE, "steady:pool": "t", "steady:node": NODE, "steady:incarnation": "1"}
WORN = {"security_group": "sg-1", "role": "node-1"}


def on_aws(**machine: Any) -> Observed:
    """A machine that is as it was made, but for what the test changes."""
    as_made = {"image": "ami-1", "worn": WORN, "tags": OURS}
    claims = {(NODE, 1): an_incarnation(worn=WORN)}
    return training(AWS, machines=(a_machine(**{**as_made, **machine}),), incarnations=claims)


def test_a_machine_as_it_was_made_has_no_drift() -> None:
    assert found(on_aws()) == []


def test_another_image_is_drift_with_its_own_policy() -> None:
    assert found(on_aws(image="ami-0")) == [difference("image", "ami-1", "ami-0", "report")]


@pytest.mark.parametrize(
    ("field", "given", "now"), [("security_group", "sg-1", "sg-2"), ("role", "node-1", "none")]
)
def test_what_a_machine_was_given_and_does_not_wear_any_more_is_told(field: str, given: str, now: str) -> None:
    worn = {name: value for name, value in {**WORN, field: now}.items() if value != "none"}
    assert found(on_aws(worn=worn)) == [difference(field, given, now, "report", preexisting=True)]


def test_groups_of_the_users_own_are_compared_with_what_the_spec_says() -> None:
    spec = but(AWS, aws=Aws(security_groups=("sg-2", "sg-1")))
    expected = difference("security_group", "sg-1, sg-2", "sg-1", "report", preexisting=True)
    assert found(but(on_aws(), record=a_record(spec))) == [expected]


def test_a_foreign_process_is_told_as_its_agent_tells_it() -> None:
    told = Condition(type="ForeignProcess", status=Status.TRUE, reason="Accelerator", message="miner", since=0.0)
    observed = training(reports={NODE: a_report(conditions=(told,))})
    assert found(observed) == [difference("foreign_process", "none", "miner", "report", preexisting=True)]


def test_a_declared_type_is_no_drift() -> None:
    assert found(training(a_spec(instance_types=["big", "local"]))) == []


def test_a_node_that_is_to_go_is_not_compared_in_kind() -> None:
    observed = training(a_spec(instance_types=["big"]), holds=(a_hold(HoldKind.TERMINATE),))
    assert found(observed) == []


def test_a_changed_train_section_is_drift_while_the_old_one_trains() -> None:
    changed = a_spec(train={"command": ["other"]})
    desired, actual = fingerprint(changed.pools["t"]), an_attempt().fingerprint
    assert found(training(record=a_record(changed))) == [difference("train", desired, actual, "restore")]


def test_a_changed_train_section_is_no_drift_once_the_old_one_has_ended() -> None:
    changed = a_spec(train={"command": ["other"]})
    assert found(rested(record=a_record(changed))) == []

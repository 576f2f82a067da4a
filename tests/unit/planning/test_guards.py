"""Guards: suspended fleets, the blast limit and its exemptions, emptied pools."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.fleet import Aws
from lifecycle.model.holds import HoldKind
from lifecycle.model.plan import Action, Claim, Converge, Kind, Plan, PowerOn, Reason, Step
from lifecycle.model.states import Cause
from lifecycle.planning.guards import blast_limit, emptied, resized, suspended, unproven
from tests.builders import a_claim, a_hold, a_machine, a_placement, a_spec, but

SUSPENDED = a_hold(HoldKind.SUSPEND, node=None)


def a_repair(index: int = 0, *, cause: str = Cause.DRIFT, step: Step | None = None) -> Action:
    reason = Reason(cause=cause, evidence="its type x is not declared")
    return Action(kind=Kind.REPLACE, node=f"f/t/{index}", reason=reason, steps=(step or Claim(claim=a_claim()),))


def a_plan(*actions: Action) -> Plan:
    return Plan(fleet="f", generation=1, actions=actions)


def repairs(count: int) -> Plan:
    return a_plan(*(a_repair(index) for index in range(count)))


def test_a_fleet_that_is_not_suspended_is_left_as_planned() -> None:
    assert suspended(repairs(2), None) == repairs(2)


def test_a_suspended_fleet_is_not_touched() -> None:
    assert suspended(repairs(3), SUSPENDED).actions == ()


def test_a_suspended_fleet_says_by_whom_why_and_how_to_go_on() -> None:
    (refusal,) = suspended(repairs(1), SUSPENDED).refusals
    assert (refusal.action, refusal.guard) == (Kind.REPLACE, "suspended")
    assert (refusal.evidence, refusal.override) == ("suspended by somebody: lunch", "steady unsuspend f")


def test_a_suspended_fleet_still_shows_what_others_refused() -> None:
    (refusal,) = suspended(repairs(1), SUSPENDED).refusals
    earlier = but(refusal, guard="without_checkpoint: refuse")
    assert suspended(but(repairs(1), refusals=(earlier,)), SUSPENDED).refusals == (earlier, refusal)


@pytest.mark.parametrize(("nodes", "allowed"), [(1, 1), (9, 1), (10, 1), (19, 1), (20, 2), (500, 50)])
def test_a_tenth_of_the_nodes_is_repaired_at_a_time_and_at_least_one(nodes: int, allowed: int) -> None:
    assert len(blast_limit(repairs(60), nodes).actions) == allowed


def test_the_repairs_beyond_the_limit_wait_for_their_turn() -> None:
    limited = blast_limit(repairs(2), 2)
    assert [found.node for found in limited.actions] == ["f/t/0"]
    assert [wait.node for wait in limited.waiting] == ["f/t/1"]
    assert limited.waiting[0].what == "replace: its turn (at most 10% a tick)"


@pytest.mark.parametrize("cause", ["spec", *(cause for cause in Cause if cause is not Cause.DRIFT)])
def test_only_repairs_of_drift_are_limited(cause: str) -> None:
    plan = a_plan(*(a_repair(index, cause=cause) for index in range(5)))
    assert blast_limit(plan, 5) == plan


def test_a_repair_that_disrupts_nothing_is_not_limited() -> None:
    plan = a_plan(*(a_repair(index, step=PowerOn(machine=a_machine())) for index in range(5)))
    assert blast_limit(plan, 5) == plan


def test_replacing_counts_as_much_as_draining() -> None:
    converge = Converge(placement=a_placement())
    limited = blast_limit(a_plan(a_repair(0, step=converge), a_repair(1)), 5)
    assert [found.node for found in limited.actions] == ["f/t/0"]


def test_what_is_exempt_does_not_use_up_the_limit() -> None:
    plan = a_plan(a_repair(0, cause=Cause.SPOT), a_repair(1))
    assert blast_limit(plan, 5) == plan


def test_a_first_spec_empties_nothing() -> None:
    assert emptied(None, a_spec(nodes=0)) == ()


def test_a_pool_scaled_to_nothing_is_emptied() -> None:
    assert emptied(a_spec(nodes=2), a_spec(nodes=0)) == ("t",)


def test_a_pool_that_is_gone_is_emptied() -> None:
    after = a_spec()
    assert emptied(a_spec(), but(after, pools={"other": after.pools["t"]})) == ("t",)


def test_a_pool_that_shrinks_is_not_emptied() -> None:
    assert emptied(a_spec(nodes=5), a_spec(nodes=1)) == ()


def test_a_pool_that_was_empty_is_not_emptied() -> None:
    assert emptied(a_spec(nodes=0), a_spec(nodes=0)) == ()


STAYS = a_spec(image="ami-1", instance_types=["g5"], zones=["a"])


def test_what_a_machine_that_stays_was_made_of_may_be_gone() -> None:
    fewer = a_spec(image="ami-1", instance_types=["g5"], zones=["a"], nodes=0)
    assert not unproven(STAYS, fewer, a_plan())


def test_what_a_new_machine_is_made_of_has_to_be_there() -> None:
    assert unproven(None, STAYS, a_plan())
    assert unproven(STAYS, STAYS, repairs(1))
    assert unproven(STAYS, STAYS, a_plan(but(a_repair(), kind=Kind.CREATE)))


@pytest.mark.parametrize("field", [{"image": "ami-2"}, {"instance_types": ["g6"]}, {"zones": ["b"]}])
def test_what_a_spec_names_anew_has_to_be_there(field: dict[str, Any]) -> None:
    assert unproven(
        STAYS, a_spec(**{"image": "ami-1", "instance_types": ["g5"], "zones": ["a"], **field}), a_plan()
    )


def test_another_network_and_another_pool_have_to_be_there() -> None:
    assert unproven(STAYS, but(STAYS, aws=Aws(subnets=("subnet-1",))), a_plan())
    assert unproven(STAYS, but(STAYS, pools={**STAYS.pools, "u": STAYS.pools["t"]}), a_plan())


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ({"mode": "gang", "nodes": 3}, {"mode": "gang", "nodes": 2}, ("t",)),
        ({"mode": "gang", "nodes": 3}, {"mode": "gang", "nodes": 4}, ("t",)),
        ({"mode": "gang", "nodes": 3}, {"mode": "gang", "nodes": 3, "market": "on_demand"}, ()),
        ({"mode": "gang", "nodes": 3}, {"mode": "gang", "nodes": 2, "train": {"run": "other"}}, ()),
        ({"mode": "gang", "nodes": 3}, {"mode": "gang", "nodes": 0}, ()),
        ({"mode": "gang", "nodes": 0}, {"mode": "gang", "nodes": 3}, ()),
        ({"nodes": 3}, {"mode": "gang", "nodes": 2}, ()),
        ({"nodes": 3}, {"nodes": 2}, ()),
    ],
)
def test_only_a_gang_that_goes_on_with_other_ranks_is_resized(
    before: dict[str, Any], after: dict[str, Any], found: tuple[str, ...]
) -> None:
    assert resized(a_spec(**before), a_spec(**after)) == found
    assert resized(None, a_spec(**after)) == ()

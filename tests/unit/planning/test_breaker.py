"""The breaker: so many machines within an hour and no more, until the hour has passed or a person forgives them."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.holds import HoldKind
from lifecycle.model.plan import Converge, Kind, Plan
from lifecycle.model.records import Incarnation
from lifecycle.model.states import InstanceState
from lifecycle.model.world import Observed
from lifecycle.planning.breaker import KEPT, launches, recent
from tests.builders import (
    NODE,
    NOW,
    a_hold,
    a_machine,
    a_notice,
    a_placement,
    a_record,
    a_report,
    a_spec,
    an_incarnation,
    nothing_yet,
    training,
)
from tests.unit.planning.reading import planned, step

GONE = a_machine(state=InstanceState.TERMINATED)


def claimed(times: int, *, ago: float = 1800, **changes: Any) -> Incarnation:
    """The last of so many creation claims, one a minute, the newest so long ago."""
    at = NOW - ago
    earlier = tuple(at - 60 * number for number in range(times - 1, 0, -1))
    fields = {"number": times, "claimed_at": at, "ended_at": at + 9, "recent": earlier}
    return an_incarnation(**{**fields, **changes})


def churned(times: int, **changes: Any) -> Observed:
    """A node whose machines ended one after the other."""
    claim = claimed(times)
    fields = {"placements": {NODE: a_placement(incarnation=times)}, "incarnations": {(NODE, times): claim}}
    return nothing_yet(**{**fields, **changes})


def test_a_claim_remembers_those_of_the_hour_before_it() -> None:
    assert step(churned(3), Converge).claim.recent == tuple(NOW - 1800 - 60 * n for n in (2, 1, 0))
    assert recent(an_incarnation(claimed_at=NOW - 3600), NOW) == ()
    assert len(recent(claimed(1, recent=(NOW - 9,) * 500), NOW)) == KEPT


def test_below_the_limit_machines_are_made() -> None:
    assert [action.kind for action in planned(churned(9)).actions] == [Kind.CREATE]


def test_at_the_limit_no_more_are_made_and_the_way_out_is_named() -> None:
    plan = planned(churned(10))
    (refusal,) = plan.refusals
    assert (plan.actions, refusal.action, refusal.guard) == ((), Kind.CREATE, "launches per hour")
    assert refusal.evidence == "10 machines were made within an hour; 10 are the most for this fleet"
    assert refusal.override == "steady unsuspend f"


def test_a_person_forgives_what_was_made_so_far() -> None:
    forgiven = churned(10, record=a_record(launches_from=NOW - 60))
    assert [action.kind for action in planned(forgiven).actions] == [Kind.CREATE]


def test_the_hour_passes() -> None:
    assert [action.kind for action in planned(churned(10), NOW + 1800).actions] == [Kind.CREATE]


def many(nodes: int, **changes: Any) -> Plan:
    claims = {(f"f/t/{n}", 3): claimed(3, node=f"f/t/{n}") for n in range(nodes)}
    placed = {node: a_placement(node=node, incarnation=3) for node, _ in claims}
    return planned(nothing_yet(a_spec(nodes=nodes), placements=placed, incarnations=claims, **changes))


@pytest.mark.parametrize("nodes", [4, 40])
def test_a_large_fleet_may_make_three_for_each_node(nodes: int) -> None:
    assert (len(many(nodes).actions), len(many(nodes).refusals)) == (0, nodes)
    more = {"record": a_record(a_spec(nodes=nodes + 1))}
    assert (len(many(nodes, **more).actions), len(many(nodes, **more).refusals)) == (3, nodes - 2)


def test_a_fleet_is_made_at_once_however_large() -> None:
    assert len(planned(nothing_yet(a_spec(nodes=50))).actions) == 50


def test_of_a_nodes_claims_the_newest_tells_of_all() -> None:
    observed = churned(5, machines=(GONE,))
    older = {(NODE, 1): claimed(1)}
    seen = nothing_yet(placements=observed.placements, incarnations={**older, **observed.incarnations})
    assert launches(seen, NOW) == 5


def test_no_node_is_emptied_for_a_machine_that_must_not_be_made() -> None:
    hold = a_hold(HoldKind.REPLACE, instance="m1")
    plan = planned(training(holds=(hold,), incarnations={(NODE, 1): claimed(10, number=1, ended_at=None)}))
    assert ([each.guard for each in plan.refusals], plan.actions) == (["launches per hour"], ())


def test_a_machine_that_is_to_go_goes_all_the_same() -> None:
    hold = a_hold(HoldKind.TERMINATE)
    plan = planned(training(holds=(hold,), incarnations={(NODE, 1): claimed(10, number=1, ended_at=None)}))
    assert [action.kind for action in plan.actions] == [Kind.DESTROY]


def test_a_notice_is_answered_and_only_the_new_machine_waits() -> None:
    noticed = {NODE: a_report(notice=a_notice())}
    plan = planned(training(reports=noticed, incarnations={(NODE, 1): claimed(10, number=1, ended_at=None)}))
    assert (plan.actions, plan.refusals) == ((), ())

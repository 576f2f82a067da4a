"""Which incarnations a person's update makes: the next one where the last machine cannot be it any more."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.records import Incarnation
from lifecycle.model.states import InstanceState, StopReason
from lifecycle.model.world import Observed
from lifecycle.planning.placement import effective
from lifecycle.planning.renewal import kept, renewed
from lifecycle.planning.view import VANISHED_AFTER
from tests.builders import (
    NODE,
    NOW,
    a_machine,
    a_placement,
    a_report,
    a_spec,
    an_incarnation,
    but,
    nothing_yet,
    training,
)

MADE_OF = {NODE: "image-1"}


def claimed(**changes: Any) -> dict[tuple[str, int], Incarnation]:
    return {(NODE, 1): an_incarnation(form="image-1", **changes)}


def number(observed: Observed, forms: dict[str, str] = MADE_OF, **pool: Any) -> int:
    found = renewed(a_spec(**pool), observed, forms, NOW)
    return found[NODE].incarnation


def seen(**changes: Any) -> Observed:
    return training(**{"incarnations": claimed(), "reports": {NODE: a_report(at=NOW - 3600)}, **changes})


def test_a_machine_as_declared_keeps_its_number() -> None:
    assert number(seen()) == 1


def test_a_node_without_a_placement_is_left_to_the_spec() -> None:
    assert renewed(a_spec(), nothing_yet(), MADE_OF, NOW) == {}


@pytest.mark.parametrize(
    "declared",
    [{"market": "on_demand"}, {"instance_types": ["g6.2xlarge"]}, {"zones": ["us-east-1b"]}],
    ids=lambda declared: next(iter(declared)),
)
def test_another_market_type_or_zone_is_another_machine(declared: dict[str, Any]) -> None:
    assert number(seen(), **declared) == 2


def test_a_choice_that_the_spec_still_allows_keeps_its_machine() -> None:
    made = {"instance_type": "g6.2xlarge", "zone": "b"}
    there = seen(placements={NODE: a_placement(**made)}, incarnations=claimed(**made))
    assert number(there, instance_types=["g5.2xlarge", "g6.2xlarge"], zones=["a", "b"]) == 1


def test_another_image_is_another_machine_where_it_is_known_what_this_one_is_of() -> None:
    assert number(seen(), {NODE: "image-2"}) == 2
    assert number(seen(incarnations={(NODE, 1): an_incarnation()}), {NODE: "image-2"}) == 1


@pytest.mark.parametrize(
    ("known", "raised"),
    [
        ({"machines": (a_machine(),)}, 1),
        ({"machines": (a_machine(state=InstanceState.STOPPED),)}, 1),
        ({"machines": (), "incarnations": claimed(ended_at=NOW)}, 2),
        ({"machines": ()}, 2),
        ({"machines": (), "incarnations": claimed(claimed_at=NOW - VANISHED_AFTER + 1)}, 1),
        ({"machines": (), "reports": {NODE: a_report(at=NOW - VANISHED_AFTER + 1)}}, 1),
        ({"machines": (), "reports": {NODE: a_report(at=NOW, instance="m0")}}, 2),
        ({"machines": (), "incarnations": claimed(instance=None, tried_at=NOW)}, 1),
        ({"machines": (), "incarnations": {}}, 1),
    ],
    ids=["there", "off", "ended", "gone", "just made", "just heard", "another's word", "never made", "unclaimed"],
)
def test_a_machine_that_is_over_is_followed_by_another(known: dict[str, Any], raised: int) -> None:
    assert number(seen(**known)) == raised


def test_a_node_that_is_kept_away_is_not_made_anew() -> None:
    away = a_placement(present=False, reason=StopReason.MANUAL)
    assert number(seen(machines=(), placements={NODE: away})) == 1


def test_a_node_that_comes_back_gets_the_next_number_and_is_there_again() -> None:
    away = a_placement(present=False, reason=StopReason.SCALE_IN)
    found = renewed(a_spec(), seen(machines=(), placements={NODE: away}), MADE_OF, NOW)
    (name,) = a_spec().nodes()
    assert effective(a_spec(), name, found[NODE]) == a_placement(incarnation=2)


def test_what_has_had_its_machine_is_kept_and_what_is_raised_is_not() -> None:
    there = seen()
    assert kept(there, there.placements) == {NODE}
    assert kept(there, {NODE: but(there.placements[NODE], incarnation=2)}) == frozenset()
    assert kept(seen(incarnations=claimed(instance=None)), there.placements) == frozenset()

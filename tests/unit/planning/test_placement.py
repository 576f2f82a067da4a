"""What should be true of a node: the stored choice as far as the spec allows it."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.fleet import FleetSpec, Market
from lifecycle.model.ids import NodeName
from lifecycle.model.records import Placement
from lifecycle.model.states import StopReason
from lifecycle.planning.placement import effective, first, within
from tests.builders import NODE, a_placement, a_spec

NAME = NodeName.parse(NODE)


def wanted(stored: Placement | None, spec: FleetSpec | None = None, **pool: Any) -> Placement:
    return effective(spec or a_spec(**pool), NAME, stored)


def test_a_node_without_a_placement_gets_the_first_preferences() -> None:
    pool = a_spec(market="on_demand", instance_types=["big", "small"], zones=["a", "b"]).pools["t"]
    expected = Placement(node=NODE, market=Market.ON_DEMAND, instance_type="big", zone="a")
    assert first(pool, NAME) == expected


def test_a_new_node_is_placed_by_the_spec() -> None:
    assert wanted(None, instance_types=["big"]) == a_placement(instance_type="big")


def test_a_stored_choice_that_the_spec_allows_counts() -> None:
    stored = a_placement(instance_type="small", zone="b", incarnation=4)
    assert wanted(stored, instance_types=["big", "small"], zones=["a", "b"]) == stored


@pytest.mark.parametrize(("field", "value"), [("instance_type", "big"), ("zone", "a")])
def test_a_stored_choice_that_the_spec_no_longer_allows_gives_way(field: str, value: str) -> None:
    stored = a_placement(instance_type="old", zone="old")
    assert getattr(wanted(stored, instance_types=["big"], zones=["a"]), field) == value


def test_a_market_that_the_spec_no_longer_allows_gives_way() -> None:
    assert wanted(a_placement(market=Market.SPOT), market="on_demand").market is Market.ON_DEMAND


def test_a_fallback_market_is_allowed() -> None:
    pool = a_spec(market="spot", fallback={"to": "on_demand", "after": "10m"}).pools["t"]
    assert within(pool, a_placement(market=Market.ON_DEMAND)).market is Market.ON_DEMAND


def test_a_node_beyond_the_count_is_scaled_in() -> None:
    away = effective(a_spec(nodes=1), NodeName.parse("f/t/1"), a_placement(node="f/t/1", incarnation=3))
    assert away == a_placement(node="f/t/1", incarnation=3, present=False, reason=StopReason.SCALE_IN)


@pytest.mark.parametrize("spec", [None, a_spec(nodes=0)])
def test_a_node_that_nothing_declares_is_not_present(spec: FleetSpec | None) -> None:
    assert not effective(spec, NAME, None).present


def test_a_node_of_a_pool_that_is_gone_is_not_present() -> None:
    assert not effective(a_spec(), NodeName.parse("f/other/0"), None).present


def test_a_node_that_was_scaled_in_and_is_declared_again_returns() -> None:
    stored = a_placement(present=False, reason=StopReason.SCALE_IN)
    assert wanted(stored) == a_placement()


def test_the_mark_of_an_ended_run_counts_for_that_run() -> None:
    stored = a_placement(present=False, reason=StopReason.COMPLETION, run="main")
    assert not wanted(stored).present


def test_the_mark_of_an_ended_run_does_not_count_for_another() -> None:
    stored = a_placement(present=False, powered=False, reason=StopReason.COMPLETION, run="main")
    assert wanted(stored, train={"run": "second"}) == a_placement()


def test_the_incarnation_survives_a_return() -> None:
    stored = a_placement(present=False, reason=StopReason.SCALE_IN, incarnation=7)
    assert wanted(stored).incarnation == 7

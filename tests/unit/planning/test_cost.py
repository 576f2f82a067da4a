"""Prices: known or not, and what an action changes in dollars per hour."""

from __future__ import annotations

import pytest

from lifecycle.model.fleet import Market
from lifecycle.model.money import Choice, Price, Quote
from lifecycle.model.states import InstanceState
from lifecycle.planning import cost
from lifecycle.planning.cost import NOTHING, Change, Prices
from tests.builders import NOW, a_machine, a_record, a_spec, but, nothing_yet, prices, training
from tests.unit.planning.reading import planned

HERE = Choice(Market.SPOT, "local", "local")
KNOWN = Prices(prices(1.5), "aws", NOW)
UNKNOWN = Prices({}, "aws", NOW)
DEAR = Price(dollars=4.0, at=NOW, source="a list")


def test_a_machine_of_this_computer_costs_nothing() -> None:
    assert Prices({}, "local", NOW).of(HERE) == Price(dollars=0.0, at=NOW, source="this computer")


def test_a_price_that_is_told_counts_on_this_computer_too() -> None:
    found = Prices(prices(1.5), "local", NOW).of(HERE)
    assert found is not None
    assert found.dollars == 1.5


def test_what_nobody_knows_the_price_of_has_none() -> None:
    unknown = {HERE: Quote(**HERE._asdict(), asked_at=NOW)}
    assert (UNKNOWN.of(HERE), Prices(unknown, "local", NOW).of(HERE)) == (None, None)


def test_one_machine_more_one_less_one_for_another() -> None:
    assert cost.made(DEAR) == Change(4.0, DEAR)
    assert cost.gone(a_machine(), KNOWN).dollars == -1.5
    assert cost.swapped(a_machine(), DEAR, KNOWN) == Change(2.5, DEAR)


def test_a_price_that_is_not_known_makes_the_change_unknown() -> None:
    assert cost.made(None).dollars is None
    assert cost.gone(a_machine(), UNKNOWN).dollars is None
    assert cost.swapped(a_machine(), DEAR, UNKNOWN).dollars is None
    assert cost.swapped(a_machine(), None, KNOWN).dollars is None


def test_a_machine_that_is_off_costs_nothing() -> None:
    off = a_machine(state=InstanceState.STOPPED)
    assert (cost.gone(off, UNKNOWN), cost.gone(None, UNKNOWN)) == (NOTHING, NOTHING)


def test_asked_is_for_all_that_the_spec_allows_and_for_what_is_there() -> None:
    spec = a_spec(instance_types=["a", "b"], zones=["z"], fallback={"to": "on_demand", "after": "1m"})
    found = cost.asked(spec, training(spec))
    allowed = {Choice(market, kind, "z") for market in Market for kind in ("a", "b")}
    assert found == allowed | {HERE}


@pytest.mark.parametrize(("ago", "stale"), [(0, False), (299, False), (300, True), (-1, True)])
def test_an_answer_is_asked_for_again_after_a_while_and_when_the_clock_went_back(ago: float, stale: bool) -> None:
    observed = nothing_yet(prices=prices(at=NOW - ago))
    assert cost.stale(observed, frozenset({HERE}), NOW) is stale


def test_what_was_never_asked_for_is_asked_for_now() -> None:
    assert cost.stale(nothing_yet(), frozenset({HERE}), NOW)


def test_a_plan_tells_what_it_makes_costs_and_how_old_the_price_is() -> None:
    (made,) = planned(nothing_yet(prices=prices(1.5, at=NOW - 240))).actions
    assert (made.cost_per_hour, made.price) == (1.5, Price(dollars=1.5, at=NOW - 240, source="a list"))


def test_a_plan_for_a_fleet_elsewhere_without_prices_says_that_it_does_not_know() -> None:
    elsewhere = but(a_spec(), provider="aws")
    assert planned(nothing_yet(record=a_record(elsewhere))).cost_per_hour is None


def test_a_fleet_that_ends_saves_its_price() -> None:
    gone = training(record=a_record(a_spec(), destroying=True), prices=prices(1.5))
    assert planned(gone).cost_per_hour == -1.5

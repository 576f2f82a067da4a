"""Money by market, and what spot has spared: only what is known counts, and what is not makes it a lower bound."""

from __future__ import annotations

import pytest

from lifecycle.model.fleet import Market
from lifecycle.model.money import Choice, Meter, Price
from lifecycle.model.past import Past
from lifecycle.model.records import Incarnation
from lifecycle.planning.savings import MarketShown, Savings, by_market, machines, on_demand, savings
from tests.builders import NODE, NOW, a_machine, an_incarnation, but, nothing_yet, training

LISTED = {Choice(Market.ON_DEMAND, "g5", "a"): Price(dollars=5.0, at=NOW - 60, source="a list")}
AWS = but(nothing_yet(), record=None)


def spot(hours: float = 2.0, spent: float = 3.0, **changes: object) -> Incarnation:
    """A spot machine that has ended, and is booked."""
    meter = Meter(rate=1.5, spent=spent, hours=hours, booked=True)
    return but(an_incarnation(instance_type="g5", zone="a", meter=meter), **changes)


def test_what_spot_spared_is_its_hours_on_demand_less_what_it_cost() -> None:
    assert savings(AWS, [spot(), spot()], LISTED, NOW) == Savings(dollars=14.0, exact=True, listed_at=NOW - 60)


def test_machines_on_demand_spare_nothing() -> None:
    assert savings(AWS, [spot(market=Market.ON_DEMAND)], LISTED, NOW).dollars == 0.0


@pytest.mark.parametrize(
    "unknown",
    [spot(instance_type="g6"), spot(hours=0.0), spot(meter=Meter(rate=1.5, spent=3.0, hours=2.0, exact=False))],
)
def test_a_machine_without_price_or_hours_makes_it_a_lower_bound(unknown: Incarnation) -> None:
    found = savings(AWS, [spot(), unknown], LISTED, NOW)
    assert (found.dollars, found.exact) == (7.0, False)


def test_without_any_price_it_is_unknown() -> None:
    assert savings(AWS, [spot()], {}, NOW) == Savings(dollars=None, exact=False, listed_at=None)


def test_a_machine_that_never_ran_is_not_missed() -> None:
    assert savings(AWS, [spot(meter=Meter())], {}, NOW) == Savings(dollars=0.0, exact=True, listed_at=None)


def test_a_machine_that_runs_counts_up_to_now() -> None:
    running = an_incarnation(instance_type="g5", zone="a", meter=Meter(rate=1.0, since=NOW - 1800))
    assert savings(training(), [running], LISTED, NOW).dollars == 2.0


def test_the_prices_to_ask_for_are_those_of_spot_machines_on_demand() -> None:
    claims = [spot(), spot(market=Market.ON_DEMAND, instance_type="g6")]
    assert on_demand(claims) == {Choice(Market.ON_DEMAND, "g5", "a")}


def test_each_market_has_its_machines_hours_and_dollars() -> None:
    found = by_market(AWS, [spot(), spot(), spot(market=Market.ON_DEMAND, meter=Meter(spent=9.0))], NOW)
    assert found[0] == MarketShown(market="on_demand", machines=1, hours=0.0, spent=9.0, exact=True)
    assert found[1] == MarketShown(market="spot", machines=2, hours=4.0, spent=6.0, exact=True)


def test_a_claim_that_never_had_a_machine_is_none() -> None:
    assert by_market(AWS, [spot(instance=None, meter=Meter())], NOW) == ()


def test_a_claim_is_read_as_it_is_seen_now() -> None:
    old, seen = an_incarnation(instance=None), an_incarnation()
    observed = training(machines=(a_machine(),), incarnations={(NODE, 1): seen})
    assert machines(observed, Past(claims={NODE: (old,)})) == (seen,)

"""What EC2 machines cost: the shipped list with its date, EC2's own spot history, and nothing made up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lifecycle.adapters.aws.listed import LISTED, snapshot
from lifecycle.adapters.aws.prices import HISTORY, AwsPrices
from lifecycle.adapters.aws.session import Session
from lifecycle.model.errors import Unreadable
from lifecycle.model.fleet import Market
from lifecycle.model.money import Choice
from tests.doubles.aws import REGION, AwsDouble
from tests.unit.agent.doubles import HandClock

SPOT, ON_DEMAND = Market.SPOT, Market.ON_DEMAND
G5 = Choice(SPOT, "g5.xlarge", "us-east-1a")
CHANGED = datetime(2026, 11, 26, 8, tzinfo=UTC)


def told(price: str, zone: str = "us-east-1a", kind: str = "g5.xlarge", hours: float = 0) -> dict[str, Any]:
    at = CHANGED + timedelta(hours=hours)
    return {"InstanceType": kind, "AvailabilityZone": zone, "SpotPrice": price, "Timestamp": at}


class Canned:
    """A session whose EC2 tells these pages of its history, or raises."""

    region = REGION

    def __init__(self, *pages: Sequence[Mapping[str, Any]], fails: str = "") -> None:
        self._pages, self._fails = pages, fails
        self.asked: list[dict[str, Any]] = []

    def client(self, _: str) -> Canned:
        return self

    def get_paginator(self, name: str) -> Canned:
        assert name == "describe_spot_price_history"
        return self

    def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
        self.asked.append(asked)
        if self._fails:
            raise Unreadable(self._fails, fix="wait")
        yield from ({"SpotPriceHistory": page} for page in self._pages)


def prices(*pages: Sequence[Mapping[str, Any]], fails: str = "") -> AwsPrices:
    return AwsPrices(Canned(*pages, fails=fails), HandClock())  # type: ignore[arg-type]


def dollars(found: AwsPrices, choice: Choice) -> float | None:
    price = found.known([choice]).get(choice)
    return price.dollars if price else None


def test_a_spot_price_is_what_the_history_tells_now() -> None:
    price = prices([told("0.4021")]).known([G5])[G5]
    assert (price.dollars, price.at, price.source) == (0.4021, HandClock().now(), HISTORY)


def test_of_several_changes_the_last_one_counts_whatever_their_order() -> None:
    assert dollars(prices([told("0.5", hours=2)], [told("0.3"), told("0.4", hours=1)]), G5) == 0.5


def test_each_zone_has_its_own_price() -> None:
    assert dollars(prices([told("0.5", zone="us-east-1b"), told("0.3")]), G5) == 0.3


def test_where_the_zone_is_left_to_ec2_it_may_cost_the_most() -> None:
    found = prices([told("0.5", zone="us-east-1b"), told("0.3")])
    assert dollars(found, Choice(SPOT, "g5.xlarge", "")) == 0.5


@pytest.mark.parametrize("page", [[], [told("0.3", zone="us-east-1b")], [told("free")], [{"SpotPrice": "0.3"}]])
def test_what_is_not_told_or_not_understood_is_not_known(page: list[dict[str, Any]]) -> None:
    assert dollars(prices(page), G5) is None


def test_one_question_is_asked_for_all_types() -> None:
    found = prices([])
    found.known([G5, Choice(SPOT, "g6.xlarge", "us-east-1a"), Choice(SPOT, "g6.xlarge", "us-east-1b")])
    (asked,) = found._session.asked  # type: ignore[attr-defined]
    assert (asked["InstanceTypes"], asked["ProductDescriptions"]) == (["g5.xlarge", "g6.xlarge"], ["Linux/UNIX"])


def test_without_spot_nothing_is_asked() -> None:
    found = prices(fails="away")
    assert dollars(found, Choice(ON_DEMAND, "m5.large", "us-east-1a")) == 0.096
    assert found.trouble == ""


def test_a_history_that_cannot_be_read_leaves_the_list_and_says_why() -> None:
    found, listed = prices(fails="EC2 is away"), Choice(ON_DEMAND, "m5.large", "")
    assert set(found.known([G5, listed])) == {listed}
    assert found.trouble == "spot prices were not looked at: EC2 is away"


def test_a_history_that_can_be_read_again_is_no_trouble_any_more() -> None:
    found = prices(fails="EC2 is away")
    found.known([G5])
    found._session._fails = ""  # type: ignore[attr-defined]
    found.known([G5])
    assert found.trouble == ""


def test_a_list_price_carries_the_date_of_the_list() -> None:
    choice = Choice(ON_DEMAND, "g5.xlarge", "us-east-1a")
    price = prices().known([choice])[choice]
    assert (price.dollars, price.source) == (1.006, LISTED)
    assert datetime.fromtimestamp(price.at, UTC) == datetime(2025, 6, 30, tzinfo=UTC)


def test_what_is_not_on_the_list_is_not_known() -> None:
    assert dollars(prices(), Choice(ON_DEMAND, "x9.enormous", "")) is None


def test_the_shipped_list_is_sound() -> None:
    _, listed = snapshot()
    assert REGION in listed
    assert all(0 < price < 150 for region in listed.values() for price in region.values())


def test_ec2_is_asked_as_it_expects(aws: AwsDouble) -> None:
    """moto tells one made-up price of every type and zone."""
    price = AwsPrices(Session(REGION), HandClock()).known([Choice(SPOT, "m5.large", "")])
    assert [found.source for found in price.values()] == [HISTORY]

"""What EC2 machines cost: on demand by the shipped price list, on spot by EC2's own price history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from lifecycle.adapters.aws.listed import listed
from lifecycle.adapters.aws.session import Session, answers
from lifecycle.model.errors import SteadyError
from lifecycle.model.fleet import Market
from lifecycle.model.money import Choice, Price
from lifecycle.ports.clock import Clock

HISTORY = "EC2 spot price"

_LINUX = "Linux/UNIX"


class AwsPrices:
    """Prices in one region, for Linux, without taxes, reservations and savings plans."""

    def __init__(self, session: Session, clock: Clock) -> None:
        self._session, self._clock = session, clock
        self.trouble = ""

    @cached_property
    def _ec2(self) -> Any:
        return self._session.client("ec2")

    def known(self, choices: Collection[Choice]) -> Mapping[Choice, Price]:
        return {**self._listed(choices), **self._on_spot([c for c in choices if c.market is Market.SPOT])}

    def _listed(self, choices: Collection[Choice]) -> dict[Choice, Price]:
        return listed(self._session.region, [c for c in choices if c.market is Market.ON_DEMAND])

    def _on_spot(self, choices: Collection[Choice]) -> dict[Choice, Price]:
        """Nothing when EC2 does not answer: `trouble` says why."""
        self.trouble = ""
        kinds = sorted({choice.instance_type for choice in choices if choice.instance_type})
        if not kinds:
            return {}
        now = self._clock.now()
        try:
            zones = self._history(kinds, now)
        except SteadyError as error:
            self.trouble = f"spot prices were not looked at: {error.what}"
            return {}
        found = {choice: _most(zones.get(choice.instance_type, {}), choice.zone) for choice in choices}
        return {
            choice: Price(dollars=dollars, at=now, source=HISTORY)
            for choice, dollars in found.items()
            if dollars is not None
        }

    def _history(self, kinds: list[str], now: float) -> dict[str, dict[str, float]]:
        """The price that holds now, by type and zone. From `now` on, EC2 tells the last change before it."""
        start = datetime.fromtimestamp(now, UTC)
        newest: dict[tuple[str, str], tuple[datetime, float]] = {}
        with answers("EC2"):
            pages = self._ec2.get_paginator("describe_spot_price_history").paginate(
                InstanceTypes=kinds, ProductDescriptions=[_LINUX], StartTime=start
            )
            for key, changed, dollars in (each for page in pages for each in _told(page)):
                if key not in newest or changed > newest[key][0]:
                    newest[key] = changed, dollars
        zones: dict[str, dict[str, float]] = defaultdict(dict)
        for (kind, zone), (_, dollars) in newest.items():
            zones[kind][zone] = dollars
        return zones


def _told(page: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], datetime, float]]:
    """What cannot be understood is left out: unknown, not free."""
    for each in page.get("SpotPriceHistory", ()):
        try:
            dollars = float(each["SpotPrice"])
            yield (each["InstanceType"], each["AvailabilityZone"]), each["Timestamp"], dollars
        except (KeyError, TypeError, ValueError):
            continue


def _most(zones: Mapping[str, float], zone: str) -> float | None:
    """The zone's price; without a zone, the dearest: it may be made there."""
    return zones.get(zone) if zone else max(zones.values(), default=None)

"""What simulated machines cost: a price per market, which may change."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from lifecycle.adapters.simulated.timeline import Timeline
from lifecycle.model.fleet import Market
from lifecycle.model.money import Choice, Price

DOLLARS = {Market.SPOT: 0.4, Market.ON_DEMAND: 1.2}


class SimulatedPrices:
    """Implements `ports.prices.Prices`. `dollars` per hour, by market; one that is missing is not known."""

    trouble = ""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self.dollars: dict[Market, float] = dict(DOLLARS)

    def known(self, choices: Collection[Choice]) -> Mapping[Choice, Price]:
        now = self._timeline.now()
        priced = ((choice, self.dollars[choice.market]) for choice in choices if choice.market in self.dollars)
        return {choice: Price(dollars=dollars, at=now, source="simulated") for choice, dollars in priced}

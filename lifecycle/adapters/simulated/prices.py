"""What simulated machines cost: spot moves every hour, as the seed says."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from random import Random

from lifecycle.model.fleet import Market
from lifecycle.model.money import Choice, Price
from lifecycle.ports.clock import Clock

SPOT_SHARE = (0.25, 0.5)
"""Of the price on demand: from, to."""


class SimulatedPrices:
    """Implements `ports.prices.Prices`; `on_demand` are dollars per hour by type."""

    trouble = ""

    def __init__(self, on_demand: Mapping[str, float], clock: Clock, seed: int) -> None:
        self._on_demand, self._clock, self._seed = on_demand, clock, seed

    def known(self, choices: Collection[Choice]) -> Mapping[Choice, Price]:
        return {choice: self._price(choice) for choice in choices if choice.instance_type in self._on_demand}

    def _price(self, choice: Choice) -> Price:
        now = self._clock.now()
        dollars = self._on_demand[choice.instance_type]
        if choice.market is Market.SPOT:
            market = Random(f"{self._seed} {choice} {now // 3600}")  # noqa: S311
            dollars *= market.uniform(*SPOT_SHARE)
        return Price(dollars=round(dollars, 4), at=now, source="the simulated market")

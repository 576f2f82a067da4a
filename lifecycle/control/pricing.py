"""Asks for the prices that a tick needs, now and then; what was heard last stays until something newer is."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from lifecycle.model.fleet import FleetSpec
from lifecycle.model.money import Choice, Price, Quote, Quotes
from lifecycle.model.world import Observed
from lifecycle.planning import cost
from lifecycle.ports.clock import Clock
from lifecycle.ports.prices import Prices


class Pricing:
    """One source of prices. `prices` None: nobody knows any."""

    def __init__(self, prices: Prices | None, clock: Clock) -> None:
        self._prices, self._clock = prices, clock

    @property
    def trouble(self) -> str:
        return self._prices.trouble if self._prices else ""

    def known(self, choices: Collection[Choice]) -> Mapping[Choice, Price]:
        """What these cost, asked now; nothing is remembered."""
        return self._prices.known(choices) if self._prices and choices else {}

    def priced(self, observed: Observed, spec: FleetSpec | None) -> tuple[Observed, Quotes | None]:
        """The observation with prices; and what is to be remembered, when they were asked for just now."""
        now, wanted = self._clock.now(), cost.asked(spec, observed)
        if self._prices is None or not cost.stale(observed, wanted, now):
            return observed, None
        found, told = self._prices.known(wanted), observed.prices
        quotes = tuple(
            Quote(
                **choice._asdict(),
                asked_at=now,
                price=found.get(choice) or (told[choice].price if choice in told else None),
            )
            for choice in sorted(wanted)
        )
        prices = {quote.choice: quote for quote in quotes}
        return msgspec.structs.replace(observed, prices=prices), Quotes(quotes=quotes)

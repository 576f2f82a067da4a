"""Prices of machines, and what an action changes in dollars per hour. A price that is not known stays unknown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from lifecycle.model.fleet import FleetSpec, Pool
from lifecycle.model.money import Choice, Price, Quote
from lifecycle.model.states import InstanceState
from lifecycle.model.world import Machine, Observed
from lifecycle.planning.capacity import choices

OF_THIS_COMPUTER = "this computer"

FRESH = 300.0
"""Seconds for which an answer about prices is not asked for again."""


class Prices(NamedTuple):
    """What is known of prices. Machines of this computer cost nothing, unless somebody says what they cost."""

    quotes: Mapping[Choice, Quote]
    provider: str
    now: float

    def of(self, choice: Choice) -> Price | None:
        quote = self.quotes.get(choice)
        if quote is None and self.provider == "local":
            return Price(dollars=0.0, at=self.now, source=OF_THIS_COMPUTER)
        return quote.price if quote else None


class Change(NamedTuple):
    """Dollars per hour more or less; None when a price is not known. `price` is that of the machine it is about."""

    dollars: float | None = 0.0
    price: Price | None = None


NOTHING = Change()


def known(observed: Observed, spec: FleetSpec | None, now: float) -> Prices:
    """What this observation knows of prices; of a fleet that is to end its record says where it is."""
    told = spec or (observed.record.spec if observed.record else None)
    return Prices(observed.prices, told.provider if told else "", now)


def asked(spec: FleetSpec | None, observed: Observed) -> frozenset[Choice]:
    """All whose price this tick may need: what the spec allows, and what is there."""
    there = {made_of(machine) for machine in observed.machines or ()}
    pools = spec.pools.values() if spec else ()
    return frozenset(there | {choice for pool in pools for choice in _allowed(pool)})


def stale(observed: Observed, wanted: frozenset[Choice], now: float) -> bool:
    """Whether the prices have to be asked for: one is missing, or was last asked for too long ago."""
    told = observed.prices
    return any(choice not in told or not 0 <= now - told[choice].asked_at < FRESH for choice in wanted)


def made_of(machine: Machine) -> Choice:
    return Choice(machine.market, machine.instance_type, machine.zone)


def on(machine: Machine) -> bool:
    """Whether it is paid for: one that is stopped costs its disk, which is not counted."""
    return machine.live and machine.state is not InstanceState.STOPPED


def rate(dollars: float | None) -> str:
    """`$1.21/h`; `$?/h` when a price is not known."""
    return "$?/h" if dollars is None else f"${dollars:.2f}/h"


def made(price: Price | None) -> Change:
    """A machine more."""
    return Change(price.dollars if price else None, price)


def gone(machine: Machine | None, prices: Prices) -> Change:
    """A machine less."""
    if machine is None or not on(machine):
        return NOTHING
    price = prices.of(made_of(machine))
    return Change(-price.dollars if price else None, price)


def swapped(machine: Machine | None, price: Price | None, prices: Prices) -> Change:
    """One machine for another."""
    less = gone(machine, prices).dollars
    return Change(None if price is None or less is None else price.dollars + less, price)


def _allowed(pool: Pool) -> Iterator[Choice]:
    markets = (pool.market, *((pool.fallback.to,) if pool.fallback else ()))
    return (choice for market in markets for choice in choices(pool, market))

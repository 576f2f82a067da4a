"""What machines cost. Prices are dollars per hour, sums are dollars, times seconds since the epoch."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from lifecycle.model.fleet import Market


class Choice(NamedTuple):
    """What a machine may be made of; an empty type or zone is left to the provider."""

    market: Market
    instance_type: str
    zone: str

    def __str__(self) -> str:
        kind = f"{self.market} {self.instance_type}".strip()
        return f"{kind} in {self.zone}" if self.zone else kind


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Part of what the tracker keeps; unknown fields are ignored when read, as in every record."""


class Price(Kept, frozen=True, kw_only=True):
    """Dollars per hour, as they were known `at` that time from that source."""

    dollars: float
    at: float
    source: str

    def age(self, now: float) -> float:
        return max(0.0, now - self.at)


class Quote(Kept, frozen=True, kw_only=True):
    """The price of one choice, when last asked for; `price` None: its source does not know it."""

    market: Market
    instance_type: str
    zone: str
    asked_at: float
    price: Price | None = None

    @property
    def choice(self) -> Choice:
        return Choice(self.market, self.instance_type, self.zone)


class Quotes(Kept, frozen=True, kw_only=True):
    """All that a fleet has asked the price of."""

    quotes: tuple[Quote, ...] = ()


class Meter(Kept, frozen=True, kw_only=True):
    """What the machine of one creation claim has cost: `spent`, and `rate` an hour `since` it was switched on."""

    rate: float | None = None
    """None: its price is not known."""
    since: float | None = None
    """None: it is off, or was never seen."""
    spent: float = 0.0
    hours: float = 0.0
    """For which it was on before `since`; an older version counted none."""
    exact: bool = True
    """False: part of the time went by at no known price, or its end is not known; it is at least that."""
    booked: bool = False
    """It is in its pool's ledger, and will cost nothing more."""
    first: bool = False
    """Every earlier incarnation of the node is booked: nobody has to look for them any more."""


class Ledger(Kept, frozen=True, kw_only=True):
    """What a pool's machines of the past have cost, over the fleet's life. One small row; outlives `destroy`."""

    pool: str
    spent: float = 0.0
    exact: bool = True
    entered: tuple[str, ...] = ()
    """The last incarnations that went in: their claims may not say so yet, and they are never entered twice."""


class Use(Kept, frozen=True, kw_only=True):
    """How a trainer uses its machine, as its agent measures it; None is unknown, which is never idle."""

    cpu: float | None = None
    """Cores in use by the trainer's processes."""
    gpu: float | None = None
    """The busiest accelerator's share, 0 to 1; 0 where the machine has none."""
    idle_since: float | None = None
    """Since then it made no step and used next to nothing (the agent's clock)."""

"""What each market has cost, and what the same hours would have cost on demand."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from lifecycle.model.fleet import Market
from lifecycle.model.money import Choice, Meter, Price
from lifecycle.model.past import Past
from lifecycle.model.records import Incarnation
from lifecycle.model.world import Machine, Observed
from lifecycle.planning import cost, metering

Prices = Mapping[Choice, Price]


class MarketShown(msgspec.Struct, frozen=True, kw_only=True):
    """Dollars of all machines that a fleet ever had of one market; at least that, unless `exact`."""

    market: str
    machines: int
    hours: float
    spent: float
    exact: bool


class Savings(msgspec.Struct, frozen=True, kw_only=True):
    """What spot machines have spared against the price on demand of today; None: no such price is known.

    Not `exact` where a price or a machine's hours are not known; those machines are left out. `listed_at`: when the
    oldest of these prices was known.
    """

    dollars: float | None
    exact: bool
    listed_at: float | None


def machines(observed: Observed, past: Past) -> tuple[Incarnation, ...]:
    """Every creation claim, as it is seen now."""
    kept = {(claim.node, claim.number): claim for claims in past.claims.values() for claim in claims}
    return tuple((kept | dict(observed.incarnations)).values())


def by_market(observed: Observed, claims: Iterable[Incarnation], now: float) -> tuple[MarketShown, ...]:
    """A row for each market that had a machine, dearest first."""
    meters: dict[str, list[Meter]] = defaultdict(list)
    for claim, meter in _read(observed, claims, now):
        if claim.instance is not None or meter.spent:
            meters[claim.market].append(meter)
    shown = (_market(market, found) for market, found in meters.items())
    return tuple(sorted(shown, key=lambda market: (-market.spent, market.market)))


def _market(market: str, meters: list[Meter]) -> MarketShown:
    return MarketShown(
        market=market,
        machines=len(meters),
        hours=round(sum(meter.hours for meter in meters), 4),
        spent=round(sum(meter.spent for meter in meters), 4),
        exact=all(meter.exact for meter in meters),
    )


def on_demand(claims: Iterable[Incarnation]) -> frozenset[Choice]:
    """The choices whose price says what spot machines would have cost."""
    return frozenset(_instead(claim) for claim in claims if claim.market is Market.SPOT)


def savings(observed: Observed, claims: Iterable[Incarnation], listed: Prices, now: float) -> Savings:
    """`listed`: prices on demand beside those that were observed."""
    spot = [(claim, meter) for claim, meter in _read(observed, claims, now) if claim.market is Market.SPOT]
    known = cost.known(observed, None, now)
    spared, at, exact = 0.0, list[float](), True
    for claim, meter in spot:
        if not (meter.hours or meter.spent):
            continue
        price = listed.get(_instead(claim)) or known.of(_instead(claim))
        if price is None or not meter.exact or not meter.hours:
            exact = False
            continue
        spared += meter.hours * price.dollars - meter.spent
        at.append(price.at)
    unknown = not at and not exact
    return Savings(dollars=None if unknown else round(spared, 4), exact=exact, listed_at=min(at, default=None))


def _instead(claim: Incarnation) -> Choice:
    return Choice(Market.ON_DEMAND, claim.instance_type, claim.zone)


def _read(observed: Observed, claims: Iterable[Incarnation], now: float) -> Iterator[tuple[Incarnation, Meter]]:
    live: dict[metering.Key, Machine] = {(m.node, m.incarnation): m for m in observed.machines or () if m.live}
    for claim in claims:
        yield claim, metering.read(observed, claim, live.get((claim.node, claim.number)), now)

"""Where a node's next machine is to be made, by what the provider was found to lack.

Types come first, zones second, as SkyPilot and dstack try them: the type decides how fast it trains and what it
costs, the zone neither. A choice that was refused rests for a while; when every choice of the pool's market
rests, the fallback's turn comes once the whole market has been short for `fallback.after`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from lifecycle.model.fleet import Market, Pool
from lifecycle.model.money import Choice
from lifecycle.model.quantities import spoken
from lifecycle.model.records import Incarnation, Placement, Shortage
from lifecycle.model.world import Machine

RETRY_AFTER = 300.0
"""A refused choice is tried again after this."""

OVER_AFTER = 7200.0
"""A shortage that nobody met for this long is over: an old refusal says nothing of now. An hourly cron keeps it."""

NAMED = 3


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """`why` it is not the spec's first preference; `until`: not before then, all else is short too."""

    choice: Choice
    why: str = ""
    until: float | None = None


def choices(pool: Pool, market: Market) -> tuple[Choice, ...]:
    """Every choice of one market, in the spec's order of preference."""
    return tuple(
        Choice(market, kind, zone) for kind in pool.instance_types or ("",) for zone in pool.zones or ("",)
    )


def choose(pool: Pool, shortages: Iterable[Shortage], now: float) -> Chosen:
    """The choice for a new machine of the pool."""
    short = {_of(shortage): shortage for shortage in shortages}
    found = _first(pool, pool.market, short, now)
    if found is not None:
        return found
    due = _fallback_due(pool, short)
    if pool.fallback is not None and due <= now:
        found = _first(pool, pool.fallback.to, short, now)
        if found is not None:
            since = spoken(now - _market_since(pool, short))
            return Chosen(choice=found.choice, why=f"no {pool.market} capacity for {since}: {found.choice.market}")
    return _rest(pool, short, due, now)


def made_from(placement: Placement | Incarnation) -> Choice:
    """What a placement, or a creation claim, names."""
    return Choice(placement.market, placement.instance_type, placement.zone)


def allowed(pool: Pool, choice: Choice) -> bool:
    """Whether the spec allows the choice at all."""
    markets = {pool.market, pool.fallback.to} if pool.fallback else {pool.market}
    return choice.market in markets and choice in choices(pool, choice.market)


def resting(choice: Choice, shortages: Iterable[Shortage], now: float) -> bool:
    """Whether the choice was refused so lately that it is not tried again yet."""
    return any(_of(shortage) == choice and _rests(shortage, now) for shortage in shortages)


def refused(placement: Placement, said: str, shortages: Iterable[Shortage], now: float) -> Shortage:
    """The shortage that a refusal makes known. An unbroken one keeps its beginning."""
    choice = made_from(placement)
    since = min((each.since for each in shortages if _of(each) == choice), default=now)
    return Shortage(**choice._asdict(), since=since, at=now, said=said)


def over(shortages: Collection[Shortage], machines: Iterable[Machine], now: float) -> tuple[Shortage, ...]:
    """The shortages that are over: a machine was made of that choice since, or nobody met it for long."""
    if not shortages:
        return ()
    launched: dict[Choice, float] = {}
    for machine in machines:
        for choice in _fills(machine):
            launched[choice] = max(launched.get(choice, 0.0), machine.launched_at)
    return tuple(s for s in shortages if launched.get(_of(s), 0.0) > s.at or now - s.at > OVER_AFTER)


def learned(claim: Incarnation, *, failed: bool, no_capacity: bool, uncertain: bool, now: float) -> Incarnation:
    """The creation claim as the outcome of its machine's change leaves it.

    Of a machine that is known to exist a failed change is tried again later; a claim that the provider refused
    for want of capacity is closed, so that the next choice gets a number of its own.
    """
    replace = msgspec.structs.replace
    if claim.instance:
        return replace(claim, tried_at=now if failed else None)
    if uncertain:
        return claim
    return replace(claim, tried_at=None, ended_at=now if no_capacity else claim.ended_at)


_Short = Mapping[Choice, Shortage]


def _of(shortage: Shortage) -> Choice:
    return Choice(shortage.market, shortage.instance_type, shortage.zone)


def _rests(shortage: Shortage, now: float) -> bool:
    return now < shortage.at + RETRY_AFTER


def _first(pool: Pool, market: Market, short: _Short, now: float) -> Chosen | None:
    """The first choice of the market that does not rest."""
    skipped: list[Choice] = []
    for choice in choices(pool, market):
        if choice not in short or not _rests(short[choice], now):
            return Chosen(choice=choice, why=f"no capacity for {_named(skipped, short, now)}" if skipped else "")
        skipped.append(choice)
    return None


def _named(skipped: list[Choice], short: _Short, now: float) -> str:
    named = [f"{choice} since {spoken(now - short[choice].since)}" for choice in skipped[:NAMED]]
    more = f" and {len(skipped) - NAMED} more" if len(skipped) > NAMED else ""
    return ", ".join(named) + more


def _market_since(pool: Pool, short: _Short) -> float:
    """When the last choice of the pool's market became short: since then nothing of it was to be had."""
    return max(short[choice].since for choice in choices(pool, pool.market))


def _fallback_due(pool: Pool, short: _Short) -> float:
    return _market_since(pool, short) + pool.fallback.after if pool.fallback else float("inf")


def _rest(pool: Pool, short: _Short, due: float, now: float) -> Chosen:
    """All of them rest: the one to be tried next, and when."""
    after = choices(pool, pool.fallback.to) if pool.fallback and due <= now else ()
    every = [*choices(pool, pool.market), *after]
    soonest = min(every, key=lambda choice: short[choice].at)
    until = min(short[soonest].at + RETRY_AFTER, due if due > now else float("inf"))
    return Chosen(choice=soonest, why=f"none for {_named(every, short, now)}", until=until)


def _fills(machine: Machine) -> Iterable[Choice]:
    """The choices that a machine can have been made from: type and zone may have been left open."""
    kinds, zones = {machine.instance_type, ""}, {machine.zone, ""}
    return (Choice(machine.market, kind, zone) for kind in kinds for zone in zones)

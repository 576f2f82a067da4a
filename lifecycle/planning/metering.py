"""Meters of machines and ledgers of pools: what a fleet has cost over its life, from what is seen and nothing else.

A meter runs while its machine is on, and is booked once, when the machine has ended: into the one ledger of its
pool, which is written before the claims say so. `entered` names the last that went in: a controller that is killed
in between enters none twice. A claim falls out of sight when its node has another one; that one leads back to it
until it is booked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from lifecycle.model.ids import NodeName
from lifecycle.model.money import Ledger, Meter, Price
from lifecycle.model.records import Incarnation
from lifecycle.model.states import InstanceState
from lifecycle.model.world import Machine, Observed
from lifecycle.planning import cost

HOUR = 3600.0

MOVED = 0.05
"""By so much a spot price has to move before the meter counts by the new one."""

TRUSTED = 3600.0
"""A machine nobody has heard of for this long is not counted any further: our own clock may have jumped."""

Key = tuple[str, int]
_replace = msgspec.structs.replace


def settled(
    observed: Observed, machines: Mapping[Key, Machine], claims: Mapping[Key, Incarnation], now: float
) -> tuple[tuple[Ledger, ...], dict[Key, Incarnation]]:
    """The ledgers that change, and every claim with its meter as it stands now."""
    prices = cost.known(observed, None, now)
    run = {key: _run(observed, claim, machines.get(key), prices, now) for key, claim in claims.items()}
    due = {key: _closed(observed, claim) for key, claim in run.items() if _over(claim, key in machines, run)}
    ledgers = tuple(_entered(observed, due.values()))
    after = {**run, **{key: _marked(claim, booked=True) for key, claim in due.items()}}
    for key in sorted(key for key, claim in after.items() if not claim.meter.first):
        after[key] = _led_back(after[key], after)
    return ledgers, after


def unread(claims: Mapping[Key, Incarnation]) -> set[Key]:
    """The claims before those that may not be booked yet."""
    open_ended = (key for key, claim in claims.items() if not claim.meter.first)
    return {(node, number - 1) for node, number in open_ended if number > 1} - claims.keys()


def spent(observed: Observed, claim: Incarnation, machine: Machine | None, now: float) -> tuple[float, bool]:
    """Dollars on the meter by now, and whether that is exact."""
    meter = claim.meter
    if meter.since is None:
        return meter.spent, meter.exact
    return _sum(meter, meter.since, _counted_to(observed, claim, machine, now))


def read(observed: Observed, claim: Incarnation, machine: Machine | None, now: float) -> Meter:
    """The meter as it stands by now."""
    if claim.meter.since is None:
        return claim.meter
    return _stopped(claim.meter, _counted_to(observed, claim, machine, now))


def name(claim: Incarnation) -> str:
    return f"{claim.node}#{claim.number}"


def pool_of(claim: Incarnation) -> str:
    return NodeName.parse(claim.node).pool


# ---- running -------------------------------------------------------------------------------------


def _run(
    observed: Observed, claim: Incarnation, machine: Machine | None, prices: cost.Prices, now: float
) -> Incarnation:
    """The claim with its meter as this sight of its machine leaves it."""
    meter = claim.meter
    if meter.booked:
        return claim
    if machine is None:
        ended = meter.since is not None and claim.ended_at is not None
        return _with(claim, _stopped(meter, claim.ended_at or now)) if ended else claim
    price = prices.of(cost.made_of(machine))
    if price is not None and meter.rate is None:
        meter = _replace(meter, rate=price.dollars)
    if machine.state is InstanceState.PENDING:
        return _with(claim, meter)
    if cost.on(machine):
        counted = _counted_to(observed, claim, machine, now)
        return _with(claim, _moved(_running(meter, machine.launched_at), price, counted))
    if meter.since is None and not (meter.spent or meter.hours):
        meter = _replace(meter, since=machine.launched_at)  # it came and went between two looks
    return _with(claim, _stopped(meter, claim.ended_at or machine.ended_at or now))


def _with(claim: Incarnation, meter: Meter) -> Incarnation:
    return claim if meter is claim.meter else _replace(claim, meter=meter)


def _moved(meter: Meter, price: Price | None, now: float) -> Meter:
    """A price that has moved counts from now on."""
    if price is None or meter.rate is None or meter.since is None:
        return meter
    if abs(price.dollars - meter.rate) <= MOVED * meter.rate:
        return meter
    return _replace(_stopped(meter, now), since=max(meter.since, now), rate=price.dollars)


def _running(meter: Meter, launched_at: float) -> Meter:
    """On since its last start. A stop and a start that nobody saw: it counts as on in between."""
    if meter.since is None:
        return _replace(meter, since=launched_at)
    if launched_at <= meter.since:
        return meter
    return _replace(_stopped(meter, launched_at), since=launched_at, exact=False)


def _stopped(meter: Meter, at: float) -> Meter:
    if meter.since is None:
        return meter
    spent, exact = _sum(meter, meter.since, at)
    hours = meter.hours + _hours(meter.since, at)
    return _replace(meter, since=None, spent=spent, hours=hours, exact=exact)


def _sum(meter: Meter, since: float, at: float) -> tuple[float, bool]:
    hours = _hours(since, at)
    unknown = meter.rate is None and hours > 0
    return meter.spent + hours * (meter.rate or 0.0), meter.exact and not unknown


def _hours(since: float, at: float) -> float:
    return max(0.0, at - since) / HOUR


def _counted_to(observed: Observed, claim: Incarnation, machine: Machine | None, now: float) -> float:
    """To now while it is heard of; of one that is not listed, to its last word."""
    report = observed.heard.get(claim.instance or "")
    heard = report.at if report else 0.0
    if machine is None:
        return heard or claim.claimed_at
    return min(now, max(heard, machine.launched_at) + TRUSTED)


# ---- booking -------------------------------------------------------------------------------------


def _over(claim: Incarnation, listed: bool, claims: Mapping[Key, Incarnation]) -> bool:
    """Its machine has ended, or is not listed any more and the node has had another one since."""
    if claim.meter.booked:
        return False
    if claim.ended_at is not None:
        return claim.meter.since is None
    following = claims.get((claim.node, claim.number + 1))
    return not listed and following is not None and following.instance is not None


def _closed(observed: Observed, claim: Incarnation) -> Incarnation:
    """One that was lost sight of is counted to its last word; it may have cost more."""
    if claim.meter.since is None:
        return claim
    meter = _stopped(claim.meter, _counted_to(observed, claim, None, 0.0))
    return _replace(claim, meter=_replace(meter, exact=False))


def _entered(observed: Observed, due: Iterable[Incarnation]) -> Iterable[Ledger]:
    pools: dict[str, list[Incarnation]] = defaultdict(list)
    for claim in due:
        pools[pool_of(claim)].append(claim)
    for pool, claims in sorted(pools.items()):
        ledger = observed.ledgers.get(pool) or Ledger(pool=pool)
        new = [claim.meter for claim in claims if name(claim) not in ledger.entered]
        if new:
            yield Ledger(
                pool=pool,
                spent=ledger.spent + sum(meter.spent for meter in new),
                exact=ledger.exact and all(meter.exact for meter in new),
                entered=tuple(name(claim) for claim in claims),
            )


def _marked(claim: Incarnation, **marks: bool) -> Incarnation:
    return _replace(claim, meter=_replace(claim.meter, **marks))


def _led_back(claim: Incarnation, before: Mapping[Key, Incarnation]) -> Incarnation:
    """Once all before it are booked nobody has to look for them again. A claim without a machine is left alone."""
    meter, last = claim.meter, before.get((claim.node, claim.number - 1))
    waits = last is not None and not (last.meter.booked and last.meter.first)
    if meter.first or waits or (claim.instance is None and not meter.booked):
        return claim
    return _marked(claim, first=True)

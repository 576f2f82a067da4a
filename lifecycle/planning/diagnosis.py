"""What facts about this computer and about an AWS account mean for a fleet. `bootstrap.doctor` reads them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from lifecycle.model.diagnosis import Caller, Finding, Quota, Shape, ok, unknown, wrong
from lifecycle.model.fleet import FleetSpec, Market, Pool
from lifecycle.model.foundation import Foundation, stack_of
from lifecycle.planning.moments import utc

OLDEST_PYTHON = (3, 11)
RELEASED = 1767225600.0
"""2026-01-01: no clock that is right shows less."""
SKEW = 60.0
SOON = 15 * 60.0
ROOM = 2**30
"""Bytes that a state directory needs beside its checkpoints."""

_QUOTA = {
    Market.ON_DEMAND: re.compile(r"Running On-Demand (.+) instances"),
    Market.SPOT: re.compile(r"All (.+) Spot Instance Requests"),
}
_FAMILY = re.compile(r"\b[A-Z][A-Za-z]*\d*\b")
_TYPE = re.compile(r"([a-z]+)(\d*)")


def python(version: tuple[int, ...]) -> Finding:
    said, oldest = ".".join(map(str, version)), ".".join(map(str, OLDEST_PYTHON))
    if version[:2] < OLDEST_PYTHON:
        return wrong(f"{said} is too old", f"use Python {oldest} or newer")
    return ok(said)


def clock(now: float, before: float, after: float) -> Finding:
    """`before` and `after` are two looks at the monotonic clock, in this order."""
    if after < before:
        return wrong("the monotonic clock goes backwards", "see to this computer's clock source")
    if now < RELEASED:
        return wrong(f"it says {utc(now)}", "set the clock: `timedatectl set-ntp true`")
    return ok(utc(now))


def space(free: int, wanted: int) -> Finding:
    """Room on the disk of the state directory, in bytes."""
    said = f"{_gib(free)} free"
    if free < wanted:
        return wrong(f"{said}; this takes about {_gib(wanted)}", "free some, or choose another --state")
    return ok(said)


def taken(spec: FleetSpec | None) -> int:
    """The bytes that a local fleet's checkpoints may come to, and ROOM."""
    pools = spec.pools.values() if spec is not None and spec.provider == "local" else ()
    return ROOM + sum(int(pool.checkpoint.size or 0) * (pool.checkpoint.keep + 1) * pool.nodes for pool in pools)


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f}GiB"


# ---- AWS -----------------------------------------------------------------------------------------


def credentials(caller: Caller, now: float) -> Finding:
    if caller.expires is None:
        return ok(caller.arn)
    until = f"{caller.arn}, until {utc(caller.expires)}"
    if caller.expires - now < SOON:
        return wrong(f"{until}: that is soon", "log in again (`aws sso login`)")
    return ok(until)


def skew(ours: float, theirs: float) -> Finding:
    """Both in seconds since the epoch, taken at the same moment."""
    apart = ours - theirs
    if abs(apart) > SKEW:
        ahead = "ahead of" if apart > 0 else "behind"
        return wrong(
            f"this clock is {abs(apart):.0f}s {ahead} AWS's; signatures fail when it is minutes",
            "set the clock: `timedatectl set-ntp true`",
        )
    return ok(f"within {SKEW:.0f}s of AWS's")


def home(caller: Caller, region: str, foundation: Foundation) -> Finding:
    if caller.account != foundation.account:
        return wrong(
            f"these credentials are of account {caller.account}, the foundation is in {foundation.account}",
            "choose the right AWS_PROFILE, or the backend that holds the right foundation",
        )
    if region != foundation.region:
        return wrong(
            f"the foundation says that it is in {foundation.region}, not in {region}",
            f"`pulumi up --stack {stack_of(region)}`",
        )
    return ok(f"{foundation.account}, {foundation.region}")


def architectures(spec: FleetSpec, images: Mapping[str, str], shapes: Mapping[str, Shape]) -> Finding:
    """Whether each pool's image runs on each of its types."""
    unread = sorted({_image(pool) for pool in spec.pools.values()} - set(images))
    if unread:
        return unknown(f"no image {', '.join(unread)} can be seen")
    unfit = [what for name, pool in spec.pools.items() for what in _unfit(name, pool, images[_image(pool)], shapes)]
    if unfit:
        return wrong("; ".join(unfit), "name an image for these types, or types for this image")
    return ok(", ".join(sorted(set(images.values()))))


def _unfit(name: str, pool: Pool, architecture: str, shapes: Mapping[str, Shape]) -> Iterator[str]:
    for kind in pool.instance_types:
        runs = shapes[kind].architectures if kind in shapes else (architecture,)
        if architecture not in runs:
            yield f"{name}: {_image(pool)} is {architecture}, and {kind} runs {' or '.join(runs)}"


def _image(pool: Pool) -> str:
    return pool.image or ""


def quotas(spec: FleetSpec, shapes: Mapping[str, Shape], limits: Sequence[Quota]) -> Finding:
    """The account's limits against all nodes of the spec, each on its pool's first type.

    What else runs in the account counts against the same limits, and is not looked at.
    """
    wanted: Counter[Quota] = Counter()
    unread = []
    for (market, kind), vcpus in sorted(_wanted(spec, shapes).items()):
        limit = next((quota for quota in limits if covers(quota.name, market, kind)), None)
        if limit is None:
            unread.append(f"{kind} {market}")
        else:
            wanted[limit] += vcpus
    told = {quota: f"{quota.name}: {quota.vcpus:g} vCPUs, wanted {vcpus}" for quota, vcpus in wanted.items()}
    if short := [said for quota, said in told.items() if quota.vcpus < wanted[quota]]:
        return wrong("; ".join(short), "ask for more in the Service Quotas console, service EC2; or fewer nodes")
    if unread:
        return unknown(f"no limit is told for {', '.join(unread)}")
    return ok("; ".join(told.values()))


def _wanted(spec: FleetSpec, shapes: Mapping[str, Shape]) -> Counter[tuple[Market, str]]:
    """vCPUs by market and by the family of the type: `g5`. A type of which nothing is known counts as one vCPU."""
    wanted: Counter[tuple[Market, str]] = Counter()
    for pool in spec.pools.values():
        first = pool.instance_types[0]
        vcpus = shapes[first].vcpus if first in shapes else 1
        for market in {pool.market, pool.fallback.to if pool.fallback else pool.market}:
            wanted[market, first.partition(".")[0]] += pool.nodes * vcpus
    return wanted


def covers(quota: str, market: Market, kind: str) -> bool:
    """Whether a limit of this name counts machines of this type.

    Names as the EC2 user guide lists them: `All G and VT Spot Instance Requests`, `All P4, P3 and P2 ...`,
    `Running On-Demand Standard (A, C, ...) instances`.
    """
    found, named = _QUOTA[market].fullmatch(quota), _TYPE.match(kind)
    if not found or not named:
        return False
    families = {family.lower() for family in _FAMILY.findall(found[1])}
    return bool(families & {named[1], named[0]})

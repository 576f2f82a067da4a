"""What the schema cannot say: does the spec make sense as a whole? Offline, and with places.

Each check yields (path, severity, message) for one pool or for the fleet. A pool whose shape is wrong
is left out; everything else is still checked, so that one round of mending is enough.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from typing import Any

from lifecycle.model.fleet import Local, Market, Pool, Schedule
from lifecycle.model.notice import NoticeArithmetic
from lifecycle.specfile.reader import Path
from lifecycle.specfile.shape import nearest, shown

ERROR, WARNING = "error", "warning"
BUILT_IN_PROVIDERS = ("local", "aws")
MAX_NODES = 20000

Finding = tuple[Path, str, str]


def check_fleet(spec: Mapping[str, Any], pools: Mapping[str, Pool], local: Local | None) -> Iterator[Finding]:
    """Findings about the fleet as a whole. `pools` are those of sound shape."""
    yield from _provider(spec)
    if spec.get("provider") == "aws" and "region" not in spec:
        yield ("provider",), ERROR, "'aws' needs a region; add `region: us-east-1` or the like"
    total = sum(pool.nodes for pool in pools.values())
    if total > MAX_NODES:
        yield ("pools",), ERROR, f"{total} nodes in all; a fleet has at most {MAX_NODES}"
    if local is not None:
        yield from _local_notices(spec, pools, local)
    if spec.get("provider") != "aws" and spec.get("secrets"):
        yield ("secrets",), WARNING, "secrets are fetched on AWS only; here the trainer will not see them"


def check_pool(name: str, pool: Pool, spec: Mapping[str, Any], folder: FilePath) -> Iterator[Finding]:
    """Findings about one pool. `folder` is where the spec file lies."""
    for path, severity, message in _pool(pool, spec, folder):
        yield ("pools", name, *path), severity, message


def _provider(spec: Mapping[str, Any]) -> Iterator[Finding]:
    provider = spec.get("provider")
    if not isinstance(provider, str) or provider in BUILT_IN_PROVIDERS:
        return
    from importlib.metadata import entry_points

    others = {point.name for point in entry_points(group="steadyfleet.providers")} - {*BUILT_IN_PROVIDERS}
    known = [*BUILT_IN_PROVIDERS, *sorted(others)]
    if provider not in known:
        listed = ", ".join(known)
        yield ("provider",), ERROR, f"{provider!r} is not a provider ({listed}){nearest(provider, known)}"


def _local_notices(spec: Mapping[str, Any], pools: Mapping[str, Pool], local: Local) -> Iterator[Finding]:
    if spec.get("provider") != "local" and local.notices:
        yield ("local",), WARNING, "these notices come with `provider: local` only"
    for index, notice in enumerate(local.notices):
        path: Path = ("local", "notices", index)
        pool, _, number = notice.node.partition("/")
        if pool in pools and int(number) >= pools[pool].nodes:
            yield (*path, "node"), ERROR, f"pool {pool!r} has {pools[pool].nodes} nodes, counted from 0"
        elif pool not in spec.get("pools", {}):
            yield (
                (*path, "node"),
                ERROR,
                f"no pool is named {pool!r}{nearest(pool, list(spec.get('pools', {})))}",
            )
        raw = spec["local"]["notices"][index]
        if notice.cause == "rebalance" and "lead" in raw:
            yield (*path, "lead"), ERROR, "rebalance is advice and has no deadline; leave `lead` out"


def _pool(pool: Pool, spec: Mapping[str, Any], folder: FilePath) -> Iterator[Finding]:
    yield from _notice_arithmetic(pool)
    yield from _fallback(pool)
    yield from _schedule(pool.schedule)
    yield from _money(pool)
    if spec.get("provider") == "aws":
        yield from _aws_needs(pool, spec.get("region"))
    if spec.get("provider") == "local":
        yield from _workdir(pool, folder)
    if pool.stop.grace < pool.checkpoint.save_time:
        yield (
            ("stop", "grace"),
            WARNING,
            f"{pool.stop.grace} is shorter than checkpoint.save_time {pool.checkpoint.save_time}",
        )
    try:
        json.dumps(pool.train.hyperparameters, allow_nan=False)
    except (TypeError, ValueError):
        yield ("train", "hyperparameters"), ERROR, "must be plain JSON values"


def _notice_arithmetic(pool: Pool) -> Iterator[Finding]:
    if pool.market is not Market.SPOT or not math.isfinite(pool.checkpoint.save_time):
        return  # `save_time: never` is told by the schema
    sums = NoticeArithmetic.of(pool.checkpoint)
    if not sums.fits:
        at = ("checkpoint", "size") if pool.checkpoint.size is not None else ("checkpoint", "save_time")
        yield at, WARNING, sums.sentence()


def _fallback(pool: Pool) -> Iterator[Finding]:
    if pool.fallback is None:
        return
    if pool.market is Market.ON_DEMAND:
        yield ("fallback",), ERROR, "an on_demand pool has nothing to fall back from"
    elif pool.fallback.to is pool.market:
        yield ("fallback", "to"), ERROR, f"{str(pool.market)!r} is the pool's own market; name the other one"


def _schedule(schedule: Schedule | None) -> Iterator[Finding]:
    if schedule is None:
        return
    from datetime import datetime
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    from cronsim import CronSim, CronSimError

    try:
        ZoneInfo(schedule.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield (
            ("schedule", "timezone"),
            ERROR,
            f"{schedule.timezone!r} is not a time zone such as Europe/Berlin",
        )
    for name, expression in (("stop", schedule.stop), ("start", schedule.start)):
        try:
            if len(expression.split()) != 5:
                raise CronSimError("it has not five fields")
            CronSim(expression, datetime(2026, 1, 1))
        except CronSimError as error:
            why = str(error).lower()
            yield ("schedule", name), ERROR, f"{expression!r} is not a cron expression: {why}"
    if schedule.stop == schedule.start:
        yield ("schedule", "start"), ERROR, "stops and starts at the same moment"


def _money(pool: Pool) -> Iterator[Finding]:
    budget = pool.budget
    if budget.per_hour is not None and pool.max_price is not None and pool.max_price > budget.per_hour:
        yield (
            ("max_price",),
            ERROR,
            f"${pool.max_price:g}/h for one node passes the pool's budget.per_hour of ${budget.per_hour:g}",
        )
    if pool.market is Market.ON_DEMAND and pool.max_price is not None:
        yield ("max_price",), WARNING, "limits spot prices; it does nothing in an on_demand pool"


def _aws_needs(pool: Pool, region: Any) -> Iterator[Finding]:
    if pool.image is None:
        yield (), ERROR, "'image' is missing; aws needs a machine image"
    if not pool.instance_types:
        yield (), ERROR, "'instance_types' is missing; aws needs at least one"
    for index, zone in enumerate(pool.zones):
        if isinstance(region, str) and zone[:-1] != region:
            yield ("zones", index), ERROR, f"{zone!r} is not a zone of region {region}"


def _workdir(pool: Pool, folder: FilePath) -> Iterator[Finding]:
    if not (folder / pool.train.workdir).is_dir():
        yield ("train", "workdir"), ERROR, f"{shown(pool.train.workdir)} is not a directory beside the spec"

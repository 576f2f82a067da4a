"""How old the newest checkpoint was at every time, against `max_lost_work`: the work that was at stake."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec

from lifecycle.model.past import Past
from lifecycle.model.records import Attempt, Receipt
from lifecycle.model.world import Observed
from lifecycle.planning.lanes import given

SLICES = 48
"""So many equal parts of the time that is shown."""


class Oldest(msgspec.Struct, frozen=True, kw_only=True):
    """A run and its age in seconds, at a time."""

    seconds: float
    run: str
    at: float


class PoolAges(msgspec.Struct, frozen=True, kw_only=True):
    """The greatest age in each slice (None: nothing trained), and over all; `limit` None: the pool declares none.

    `over`: the share of the time trained in which the age was beyond the limit.
    """

    pool: str
    limit: float | None
    slices: tuple[float | None, ...]
    oldest: Oldest
    over: float | None


Growing = tuple[float, float, str]
"""From a checkpoint, or the start of an attempt, to the next checkpoint or the attempt's end; and the run."""


def ages(observed: Observed, past: Past, begin: float, end: float) -> tuple[PoolAges, ...]:
    """Of each pool that trained between `begin` and `end`. Age counts at the earliest from an attempt's start."""
    pools: dict[str, list[Growing]] = defaultdict(list)
    for run, attempts in given(observed, past):
        pools[observed.runs[run].pool] += _growing(run, attempts, past.receipts.get(run, ()), end)
    return tuple(_pool(observed, pool, found, begin, end) for pool, found in sorted(pools.items()) if found)


def _growing(run: str, attempts: Sequence[Attempt], receipts: Sequence[Receipt], now: float) -> Iterator[Growing]:
    saved: dict[int, list[float]] = defaultdict(list)
    for receipt in receipts:
        saved[receipt.epoch].append(receipt.at)
    for attempt in attempts:
        ended = now if attempt.open else attempt.ended_at
        if attempt.started_at is None or ended is None or ended <= attempt.started_at:
            continue
        within = sorted(at for at in saved[attempt.number] if attempt.started_at < at < ended)
        points = [attempt.started_at, *within, ended]
        yield from ((a, b, run) for a, b in pairwise(points))


def _pool(observed: Observed, pool: str, found: Sequence[Growing], begin: float, end: float) -> PoolAges:
    declared = observed.record.spec.pools.get(pool) if observed.record else None
    asked = declared.checkpoint.max_lost_work if declared else None
    limit = float(asked) if asked and math.isfinite(asked) else None
    longest = max(found, key=lambda each: each[1] - each[0])
    trained = sum(b - a for a, b, _ in found)
    late = None if limit is None else sum(max(0.0, b - a - limit) for a, b, _ in found)
    return PoolAges(
        pool=pool,
        limit=limit,
        slices=_slices(found, begin, end),
        oldest=Oldest(seconds=longest[1] - longest[0], run=longest[2], at=longest[1]),
        over=None if late is None else late / trained,
    )


def _slices(found: Sequence[Growing], begin: float, end: float) -> tuple[float | None, ...]:
    width = (end - begin) / SLICES or 1.0
    greatest: list[float | None] = [None] * SLICES
    for a, b, _ in found:
        first, last = _slice(a, begin, width), _slice(b, begin, width)
        for number in range(first, last + 1):
            age = min(b, begin + (number + 1) * width) - a
            greatest[number] = max(greatest[number] or 0.0, age)
    return tuple(greatest)


def _slice(at: float, begin: float, width: float) -> int:
    return min(SLICES - 1, max(0, int((at - begin) // width)))

"""When a pool's schedule stops it, and when that changes next. Cron as Debian's reads it, daylight saving included.

A time that a clock change skips comes when the clock goes on; one that comes twice counts the first time.
"""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from cronsim import CronSim

from lifecycle.model.errors import SteadyError
from lifecycle.model.fleet import Pool, Schedule
from lifecycle.model.holds import Hold, HoldKind

CLOCK_CHANGE = 3 * 3600.0
"""Seconds: no zone's clock is changed by more at once."""

_LOOK_AHEAD = 500
"""Times of one cron that are looked at: those inside a clock change, or stops that are starts as well."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """`since`: stopped since then; None: it runs. `until`: when that changes; None: never."""

    since: float | None
    until: float | None


def window(schedule: Schedule, now: float) -> Window:
    """What the schedule says of this moment. Where it stops and starts at once, it runs."""
    stopped, started = _last(schedule.stop, schedule, now), _last(schedule.start, schedule, now)
    if stopped is not None and (started is None or stopped > started):
        return Window(since=stopped, until=_next(schedule.start, schedule, now))
    return Window(since=None, until=_next_stop(schedule, now))


def hold(fleet: str, name: str, pool: Pool, now: float) -> Hold | None:
    """The hold that the schedule of this pool makes now. Its node is the whole pool, `fleet/pool`."""
    if pool.schedule is None:
        return None
    found = window(pool.schedule, now)
    if found.since is None:
        return None
    return Hold(
        id=f"{HoldKind.SCHEDULE}-{found.since:.0f}",
        fleet=fleet,
        kind=HoldKind.SCHEDULE,
        node=f"{fleet}/{name}",
        reason=f"stop: {pool.schedule.stop} ({pool.schedule.timezone})",
        by="the spec",
        at=found.since,
        until=found.until,
    )


def _next_stop(schedule: Schedule, now: float) -> float | None:
    """The next stop that is not a start as well."""
    at: float | None = now
    for _ in range(_LOOK_AHEAD):
        at = None if at is None else _next(schedule.stop, schedule, at)
        if at is None or _next(schedule.start, schedule, at - 1.0) != at:
            return at
    return None


def _next(cron: str, schedule: Schedule, now: float) -> float | None:
    """The first time after `now`. From inside a doubled hour cron tells times that are over."""
    told = islice(CronSim(cron, _local(schedule, now)), _LOOK_AHEAD)
    return next((at.timestamp() for at in told if at.timestamp() > now), None)


def _last(cron: str, schedule: Schedule, now: float) -> float | None:
    """The last time up to `now`. Looked for from later on: inside a doubled hour cron skips its first half."""
    told = islice(CronSim(cron, _local(schedule, now + CLOCK_CHANGE), reverse=True), _LOOK_AHEAD)
    return next((at.timestamp() for at in told if at.timestamp() <= now), None)


def _local(schedule: Schedule, now: float) -> datetime:
    try:
        return datetime.fromtimestamp(now, ZoneInfo(schedule.timezone))
    except ZoneInfoNotFoundError:
        raise SteadyError(
            f"this computer does not know the time zone {schedule.timezone}", fix="pip install tzdata"
        ) from None

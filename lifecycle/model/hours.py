"""Where a run's time went: every second is training, or lost to exactly one cause."""

from __future__ import annotations

import msgspec

from lifecycle.model.states import Cause


class Hours(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Seconds booked so far. They add up to `until` less the time at which the first attempt was given out."""

    training: float = 0.0
    lost: dict[str, float] = {}
    began: float | None = None
    until: float | None = None
    """Everything before is booked; None: nothing has begun, or an older version kept no time."""
    losing_to: Cause | None = None
    """Whom the time since is lost to; None: it trains, or has completed."""

    @property
    def wall(self) -> float:
        """Seconds from the first attempt to the last booking."""
        return (self.until or 0.0) - (self.began or 0.0)


def given_out(hours: Hours, at: float) -> Hours:
    """The run's clock starts with its first attempt; until it trains, that is the controller's time."""
    if hours.until is not None:
        return hours
    return msgspec.structs.replace(hours, began=at, until=at, losing_to=Cause.CONTROLLER)


def started(hours: Hours, at: float) -> Hours:
    """It trains from now on."""
    return _booked(hours, at, None)


def ended(hours: Hours, at: float, cause: Cause | None) -> Hours:
    """It does not train any more, and what follows is lost to `cause` (None: it has completed)."""
    return _booked(hours, at, cause)


def trained(hours: Hours, now: float | None) -> Hours:
    """As it stands at `now`, when an attempt trains; else as it is booked."""
    return hours if now is None or hours.losing_to is not None else _booked(hours, now, None)


def _booked(hours: Hours, at: float, then: Cause | None) -> Hours:
    """Books the time up to `at`. Clocks differ between machines: time that was booked is never booked again."""
    if hours.until is None:
        return msgspec.structs.replace(hours, began=at, until=at, losing_to=then)
    seconds, lost, training = max(0.0, at - hours.until), dict(hours.lost), hours.training
    if hours.losing_to is None:
        training += seconds
    elif seconds:
        lost[hours.losing_to] = lost.get(hours.losing_to, 0.0) + seconds
    until = hours.until + seconds
    return msgspec.structs.replace(hours, training=training, lost=lost, until=until, losing_to=then)

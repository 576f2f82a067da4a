"""Figures and moments as the page writes them. All times are UTC."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from lifecycle.model.quantities import spoken
from lifecycle.planning.moments import LAST

UNKNOWN = "unknown"


def moment(at: float | None) -> str:
    """`27 Nov 03:10`"""
    return UNKNOWN if at is None else f"{_utc(at):%-d %b %H:%M}"


def exactly(at: float) -> str:
    """`2026-11-27 03:10:09 UTC`"""
    return f"{_utc(at):%Y-%m-%d %H:%M:%S} UTC"


def date(at: float) -> str:
    return f"{_utc(at):%Y-%m-%d}"


def dollars(amount: float, *, exact: bool = True) -> str:
    """`~$1,203.40`: with `~` it is at least that."""
    sign = "-" if amount < 0 else ""
    return f"{'' if exact else '~'}{sign}${abs(amount):,.2f}"


def count(number: float | None) -> str:
    return UNKNOWN if number is None else f"{number:,.0f}"


def share(part: float | None) -> str:
    return UNKNOWN if part is None else f"{part:.1%}"


def span(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else spoken(seconds)


def size(amount: int) -> str:
    """`12.0 GiB`"""
    value, units = float(amount), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return f"{value:.0f} B" if units[0] == "B" else f"{value:.1f} {units[0]}"


def by_cause(found: Mapping[str, float]) -> str:
    """`spot 30, hardware 4`, the most first."""
    order = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{cause} {count(number)}" for cause, number in order) or "none"


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(min(max(at, 0.0), LAST), UTC)

"""The time that the page shows, as places from left to right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lifecycle.report import words
from lifecycle.report.markup import Html, element, joined

UNITS = 2000
"""The width of every drawing of time, in its own units."""

_HOUR, _DAY = 3600.0, 86400.0
_STEPS = (60.0, 300.0, 900.0, 1800.0, _HOUR, 2 * _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY)
TICKS = 6


class Axis(NamedTuple):
    begin: float
    end: float

    def x(self, at: float) -> int:
        """Its place in units, within the drawing."""
        return round(UNITS * self._part(at))

    def percent(self, at: float) -> str:
        return f"{100 * self._part(at):.1f}%"

    def ticks(self) -> Iterator[float]:
        """Round times, at most `TICKS` and one."""
        wanted = (self.end - self.begin) / TICKS
        step = next((step for step in _STEPS if step >= wanted), _DAY * -(-wanted // _DAY))
        at = -(-self.begin // step) * step
        while at <= self.end:
            yield at
            at += step

    def _part(self, at: float) -> float:
        return min(1.0, max(0.0, (at - self.begin) / (self.end - self.begin)))


def labels(axis: Axis) -> Html:
    """The ticks in words: the day at midnight, else the hour."""
    drawn = (_label(axis, at) for at in axis.ticks())
    return element("svg", *drawn, class_="axis", aria_hidden="true", width="100%", height="18")


def _label(axis: Axis, at: float) -> Html:
    day, _, hour = words.moment(at).rpartition(" ")
    place = axis.x(at)
    anchor = "start" if place < UNITS * 0.04 else "end" if place > UNITS * 0.96 else "middle"
    return element("text", day if hour == "00:00" else hour, x=axis.percent(at), y=13, text_anchor=anchor)


def grid(axis: Axis, height: int) -> Html:
    """The ticks as lines that every drawing of this height uses."""
    lines = "".join(f"M{axis.x(at)} 0v{height}" for at in axis.ticks())
    return joined(element("path", d=lines, id="grid", class_="grid"))

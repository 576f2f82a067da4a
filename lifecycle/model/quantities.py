"""Durations and sizes as people write them: `90s 10m 2h 1d`, `12GiB 500MB`.

The grammar also stands in `specs/fleet.schema.json` as patterns; a test holds the two together.
"""

from __future__ import annotations

import math
import re

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {
    "B": 1,
    **{f"{letter}B": 1000**power for power, letter in enumerate("KMGT", start=1)},
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", start=1)},
}
_DURATION = re.compile(r"(0|[1-9][0-9]{0,8})([smhd])")
_SIZE = re.compile(r"(0|[1-9][0-9]{0,8})(B|[KMGT]i?B)")


class Duration(float):
    """A span of time in seconds. `never` is infinite. Written back in the unit that keeps it whole."""

    @classmethod
    def parse(cls, text: str) -> Duration:
        """`90s` -> 90.0. Raises ValueError when `text` is not a duration."""
        if text == "never":
            return cls(math.inf)
        match = _DURATION.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a duration such as 90s, 10m, 2h or 1d")
        return cls(int(match[1]) * _SECONDS[match[2]])

    def __str__(self) -> str:
        if math.isinf(self):
            return "never"
        whole = round(self)
        for unit in ("d", "h", "m"):
            if whole and whole % _SECONDS[unit] == 0:
                return f"{whole // _SECONDS[unit]}{unit}"
        return f"{whole}s"


class Size(int):
    """A number of bytes. Written back in the largest unit that keeps it whole."""

    @classmethod
    def parse(cls, text: str) -> Size:
        """`12GiB` -> 12884901888. Raises ValueError when `text` is not a size."""
        match = _SIZE.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a size such as 12GiB or 500MB")
        return cls(int(match[1]) * _BYTES[match[2]])

    def __str__(self) -> str:
        for unit, factor in sorted(_BYTES.items(), key=lambda item: -item[1]):
            if self and self % factor == 0:
                return f"{self // factor}{unit}"
        return "0B"


def spoken(seconds: float) -> str:
    """A span for people: `8s`, `4m`, `3h 20m`, `2d 4h`."""
    whole = max(0, round(seconds)) if math.isfinite(seconds) else None
    if whole is None:
        return "never"
    if whole < 60:
        return f"{whole}s"
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days}d {hours}h" if hours else f"{days}d"
    if hours:
        return f"{hours}h {minutes}m" if minutes else f"{hours}h"
    return f"{minutes}m"

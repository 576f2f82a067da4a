"""Moments and spans as people type them, and the reasons that go with them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from lifecycle.model.errors import WrongUsage

AS_WRITTEN = "write 2026-11-27T08:00:00Z, '2026-11-27 08:00', '2026-11-27 08:00 Europe/Berlin' or 12h"


def moment(text: str, now: float) -> float:
    """RFC 3339, or a local time, with the name of its zone or in this computer's; or a span from `now` on.

    Raises WrongUsage for anything else, and for what is past.
    """
    found = now + _span(text) if text[-1:] in "smhd" and "-" not in text else _date(text)
    if found <= now:
        raise WrongUsage(f"{text!r} is past", fix="name a moment to come")
    return found


def _span(text: str) -> float:
    from lifecycle.cli.plans import seconds

    return seconds(text)


def _date(text: str) -> float:
    words = text.split()
    zone = None
    try:
        if len(words) == 3:
            zone = ZoneInfo(words.pop())
        read = datetime.fromisoformat(" ".join(words))
        if zone is not None and read.tzinfo is not None:
            raise ValueError
        return (read if zone is None else read.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError, OSError, ZoneInfoNotFoundError):
        raise WrongUsage(f"{text!r} is no moment", fix=AS_WRITTEN) from None


def reason(_: click.Context, __: click.Parameter, value: str) -> str:
    """A reason says something. Raises WrongUsage."""
    if not value.strip():
        raise WrongUsage("the reason is empty", fix="say why: it is recorded and shown")
    return value.strip()

"""Where what is seen goes: a screen that is drawn anew, lines that are appended, or records for programs."""

from __future__ import annotations

import os
import sys
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from lifecycle.cli.context import Context
from lifecycle.cli.story import line
from lifecycle.model.journal import Entry
from lifecycle.planning.watching import Sight, age_in_words, changes, same

if TYPE_CHECKING:
    from lifecycle.planning.status import FleetStatus

LAST_LINES = 6
RECORD_EVERY = 2.0
"""Seconds between two status records of a fleet that has not changed: who reads them knows that we live."""


class View(Protocol):
    """Shows what each look found. Entered before the first, left after the last, whatever happens."""

    def __enter__(self) -> View: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, sights: Sequence[Sight], news: Sequence[Entry], now: float) -> None: ...


def can_redraw(file: Any) -> bool:
    """Whether this is a terminal whose cursor moves."""
    return bool(file.isatty()) and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")


class Screen:
    """The picture, drawn anew in place. With `passing` it is gone at the end, else the last one stays."""

    def __init__(self, context: Context, *, talk: bool, passing: bool) -> None:
        from rich.console import Console
        from rich.live import Live

        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        console = Console(stderr=talk, no_color=not context.color)
        self._live = Live(console=console, auto_refresh=False, transient=passing)

    def __enter__(self) -> Screen:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, sights: Sequence[Sight], news: Sequence[Entry], now: float) -> None:
        from lifecycle.cli.picture import Picture

        self._lines.extend(line(entry) for entry in news)
        self._live.update(Picture(sights, list(self._lines), now), refresh=True)


class Appended:
    """What differs from the look before, a line each with the time, on stdout."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._before: dict[str, Sight] = {}

    def __enter__(self) -> Appended:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to put back."""

    def show(self, sights: Sequence[Sight], news: Sequence[Entry], now: float) -> None:  # noqa: ARG002
        clock = time.strftime("%H:%M:%S", time.localtime(now))
        for sight in sights:
            for told in _since(self._before.get(sight.fleet), sight, now):
                self._context.show(f"{clock} {told}")
            self._before[sight.fleet] = sight


def _since(before: Sight | None, sight: Sight, now: float) -> list[str]:
    was = before.trouble if before else ""
    if sight.trouble:
        return [] if sight.trouble == was else [f"{sight.fleet}: {age_in_words(sight, now)}"]
    again = [f"{sight.fleet}: can be read again"] if was else []
    seen = changes(before.status if before else None, sight.status) if sight.status else ()
    return [*again, *seen]


class Told:
    """The news as they come, a line each, on stderr: what `steady run` says without a terminal."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._trouble = ""

    def __enter__(self) -> Told:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to put back."""

    def show(self, sights: Sequence[Sight], news: Sequence[Entry], now: float) -> None:
        for sight in sights:
            if sight.trouble and sight.trouble != self._trouble:
                self._context.say(f"{sight.fleet}: {age_in_words(sight, now)}")
            self._trouble = sight.trouble
        for entry in news:
            self._context.say(line(entry))


class Records:
    """Lines of JSON on stdout (`specs/stream.schema.json`); the first says of what, and in which version."""

    def __init__(self, context: Context, of: str, now: float) -> None:
        self._context = context
        self._shown: dict[str, tuple[float, FleetStatus]] = {}
        self._trouble: dict[str, str] = {}
        context.record({"version": 1, "type": "start", "at": now, "of": of})

    def __enter__(self) -> Records:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to put back."""

    def show(self, sights: Sequence[Sight], news: Sequence[Entry], now: float) -> None:
        for entry in news:
            self.tell("news", entry.at, entry=entry)
        for sight in sights:
            if sight.trouble:
                self._missed(sight, now)
            elif sight.status is not None:
                self._seen(sight.fleet, sight.status, now)

    def tell(self, kind: str, at: float, **fields: Any) -> None:
        """One record."""
        self._context.record({"type": kind, "at": at, **fields})

    def _seen(self, fleet: str, status: FleetStatus, now: float) -> None:
        at, before = self._shown.get(fleet, (0.0, None))
        missed = self._trouble.pop(fleet, "")
        if missed or now - at >= RECORD_EVERY or not same(before, status):
            self._shown[fleet] = now, status
            self.tell("status", now, status=status)

    def _missed(self, sight: Sight, now: float) -> None:
        if self._trouble.get(sight.fleet) != sight.trouble:
            self._trouble[sight.fleet] = sight.trouble
            self.tell("unreadable", now, fleet=sight.fleet, error=sight.trouble, known_at=sight.at or None)


def watching_screen(context: Context, *, talk: bool) -> bool:
    """Whether a person sees what is drawn there."""
    return context.output == "text" and can_redraw(sys.stderr if talk else sys.stdout)

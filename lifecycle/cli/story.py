"""The journal's news as plain lines: what happened since it was last told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lifecycle.cli.context import Context
from lifecycle.model.journal import Entry, EntryKind

if TYPE_CHECKING:
    from lifecycle.bootstrap.controller import Control


class Story:
    """Tells each entry of a fleet's journal once, from now on, or from `since`."""

    def __init__(self, context: Context, control: Control, *, since: float | None = None) -> None:
        self._context, self._control = context, control
        self._place: dict[str, str] = {}
        self._began = time.time() if since is None else since

    def tell(self, fleet: str) -> None:
        for entry in self.news(fleet):
            self._context.say(line(entry))

    def news(self, fleet: str) -> Iterator[Entry]:
        """The entries since the last call that people want to see."""
        found = self._control.tracker.news(fleet, after=self._place.get(fleet, ""))
        for place, entry in found:
            self._place[fleet] = place
            if entry.at >= self._began and entry.kind is not EntryKind.INTENT:
                yield entry


def line(entry: Entry) -> str:
    """`10:02:11 demo/trainers/0 asked to save-and-exit (spot: spot notice): ...`"""
    clock = time.strftime("%H:%M:%S", time.localtime(entry.at))
    why = ": ".join(part for part in (entry.cause, entry.evidence) if part)
    result = f" → {entry.result}" if entry.result and entry.result != "done" else ""
    return f"{clock} {entry.node or ''} {entry.what}{f' ({why})' if why else ''}{result}"

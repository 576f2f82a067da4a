"""`steady status --watch`: looks again and again, changes nothing. Ctrl-C leaves at once, with exit code 130."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lifecycle.cli.context import Context
from lifecycle.cli.story import Story
from lifecycle.cli.views import Appended, Records, Screen, View, watching_screen
from lifecycle.model.errors import SteadyError
from lifecycle.planning.watching import Sight, after_fault, after_look

if TYPE_CHECKING:
    from lifecycle.bootstrap.controller import Control
    from lifecycle.model.journal import Entry

EVERY = 2.0
"""Seconds between two looks, at least; each reads the tracker once."""


class Lookout:
    """The fleets of one place: those named, or all that the tracker knows at each look."""

    def __init__(self, context: Context, control: Control, fleets: Sequence[str] = ()) -> None:
        self._control, self._named = control, tuple(fleets)
        self._story = Story(context, control, since=0.0)
        self._sights: dict[str, Sight] = {}
        self.every = max(EVERY, control.pace.waiting)

    def look(self) -> tuple[list[Sight], list[Entry]]:
        """What is known of each fleet now, and the news. What cannot be read leaves what was known."""
        news: list[Entry] = []
        for fleet in self._fleets():
            sight = self._sights.get(fleet, Sight(fleet=fleet))
            try:
                observed, plan = self._control.controller.look(fleet)
                self._sights[fleet] = after_look(sight, observed, plan, self._control.clock.now())
                news += self._story.news(fleet)
            except SteadyError as error:
                self._sights[fleet] = after_fault(sight, error.what)
        return list(self._sights.values()), news

    def _fleets(self) -> tuple[str, ...]:
        try:
            return self._named or tuple(self._control.tracker.fleets())
        except SteadyError:
            return tuple(self._sights)


def watch(context: Context, lookouts: Sequence[Lookout]) -> int:
    """Shows what the lookouts see until Ctrl-C."""
    try:
        with _view(context) as view:
            while True:
                seen = [lookout.look() for lookout in lookouts]
                sights = [sight for found, _ in seen for sight in found]
                view.show(sights, [entry for _, news in seen for entry in news], time.time())
                time.sleep(max(lookout.every for lookout in lookouts))
    except KeyboardInterrupt:
        return 130


def _view(context: Context) -> View:
    if context.streams:
        return Records(context, "status", time.time())
    return Screen(context, talk=False, passing=False) if watching_screen(context, talk=False) else Appended(context)

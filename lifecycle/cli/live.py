"""`steady run`: a live table on a terminal, plain lines elsewhere, until every run has ended."""

from __future__ import annotations

import signal
from collections import deque
from typing import TYPE_CHECKING, Any

from lifecycle.cli.context import Context
from lifecycle.cli.plans import raise_failed
from lifecycle.cli.story import Story, line
from lifecycle.cli.tables import runs_table, status_table
from lifecycle.control.loop import Ticked, desired
from lifecycle.planning.ending import Ending, ending, stuck
from lifecycle.planning.explain import raise_refusals
from lifecycle.planning.status import fleet_status

if TYPE_CHECKING:
    from lifecycle.bootstrap.controller import Control

FOREVER = 10 * 365 * 86400.0
LAST_LINES = 6


def watch_to_the_end(context: Context, control: Control, fleet: str) -> int:
    """Ticks until every run has ended. The first Ctrl-C saves and stops all; the second leaves at once."""
    breaker = _Breaker(context, control, fleet)
    view = _LiveView(context, control) if context.interactive else _PlainView(context, control)
    with breaker, view:
        ticked = control.controller.until(
            fleet,
            lambda ticked: breaker.paused(ticked) or _over(ticked),
            timeout=FOREVER,
            seen=view.seen,
            upkeep=True,
            share=True,
            longest_pause=control.pace.waiting,
        )
    return _report(context, ticked, paused=breaker.pressed)


def _over(ticked: Ticked) -> bool:
    found = _ending(ticked)
    return ticked.plan.settled and (found.over or stuck(ticked.plan, found, ticked.observed))


def _ending(ticked: Ticked) -> Ending:
    return ending(desired(ticked.observed.record), ticked.observed, ticked.record.at)


def _report(context: Context, ticked: Ticked, *, paused: bool) -> int:
    """The closing table, and an exit code that a script can act on."""
    found = _ending(ticked)
    if context.json:
        from lifecycle.planning.explain import document

        context.document(document(ticked.plan))
    else:
        context.show(runs_table(found, color=context.color))
        context.show(found.sentence)
    if paused:
        raise_refusals(ticked.plan)
        context.say("saved and stopped; `steady run` or `steady apply` goes on from here")
        return 130
    raise_refusals(ticked.plan)
    raise_failed(found)
    return 0


class _Breaker:
    """Ctrl-C, once and twice."""

    def __init__(self, context: Context, control: Control, fleet: str) -> None:
        self._context, self._control, self._fleet = context, control, fleet
        self.pressed = False
        self._held = False

    def __enter__(self) -> _Breaker:
        self._before = signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _press(self, *_: object) -> None:
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True
        self._context.say(
            "saving and stopping; Ctrl-C again leaves at once, and what still trains goes on unattended"
        )

    def paused(self, ticked: Ticked) -> bool:
        """Writes the hold at the first look after Ctrl-C; true once everything has stopped."""
        if self.pressed and not self._held:
            self._control.operator.pause(self._fleet)
            self._held = True
            return False
        return self._held and ticked.plan.settled


class _PlainView:
    """Every piece of news as a line on stderr."""

    def __init__(self, context: Context, control: Control) -> None:
        self._story = Story(context, control)

    def __enter__(self) -> _PlainView:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to put back."""

    def seen(self, ticked: Ticked) -> None:
        self._story.tell(ticked.observed.fleet)


class _LiveView:
    """One table that is redrawn, with the last lines of news below."""

    def __init__(self, context: Context, control: Control) -> None:
        from rich.console import Console
        from rich.live import Live

        self._story = Story(context, control)
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        console = Console(stderr=True, no_color=not context.color)
        self._live = Live(console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> _LiveView:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def seen(self, ticked: Ticked) -> None:
        from rich.console import Group
        from rich.text import Text

        self._lines.extend(line(entry) for entry in self._story.news(ticked.observed.fleet))
        status = fleet_status(ticked.observed, ticked.plan, ticked.record.at)
        body: list[Any] = [Text(f"{status.fleet}: {status.sentence}"), status_table(status)]
        self._live.update(Group(*body, *(Text(text, style="dim") for text in self._lines)))

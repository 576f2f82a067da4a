"""`steady run`: a live table on a terminal, plain lines elsewhere, until every run has ended."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

from lifecycle.cli.context import Context
from lifecycle.cli.plans import raise_failed
from lifecycle.cli.story import Story
from lifecycle.cli.tables import runs_table
from lifecycle.cli.views import Records, Screen, Told, View, watching_screen
from lifecycle.control.loop import Ticked, desired
from lifecycle.planning.ending import Ending, ending, stuck
from lifecycle.planning.explain import raise_refusals
from lifecycle.planning.watching import Sight, after_fault, after_look

if TYPE_CHECKING:
    from lifecycle.bootstrap.controller import Control
    from lifecycle.model.errors import SteadyError
    from lifecycle.model.journal import Entry

FOREVER = 10 * 365 * 86400.0


def watch_to_the_end(context: Context, control: Control, fleet: str) -> int:
    """Ticks until every run has ended. The first Ctrl-C saves and stops all; the second leaves at once."""
    breaker = _Breaker(context, control, fleet)
    with breaker, _view(context, control) as view:
        watched = _Watched(context, control, fleet, view)
        ticked = control.controller.until(
            fleet,
            lambda ticked: breaker.paused(ticked) or _over(ticked),
            timeout=FOREVER,
            seen=watched.seen,
            missed=watched.missed,
            upkeep=True,
            share=True,
            longest_pause=control.pace.waiting,
        )
        if isinstance(view, Records):
            view.tell("result", ticked.record.at, **_result(fleet, _ending(ticked)))
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
    elif not context.streams:
        context.show(runs_table(found, color=context.color))
        context.show(found.sentence)
    if paused:
        raise_refusals(ticked.plan)
        context.say("saved and stopped; `steady run` or `steady apply` goes on from here")
        return 130
    raise_refusals(ticked.plan)
    raise_failed(found)
    return 0


def _result(fleet: str, found: Ending) -> dict[str, Any]:
    """The last record of the stream."""
    runs = [
        {
            "run": run.run,
            "state": run.state,
            "attempts": run.attempt.number if run.attempt else 0,
            "step": run.attempt.to_step if run.attempt else None,
            "lost_steps": run.lost,
            "lost_steps_exact": run.lost_exact,
            "spared_steps": run.spared,
            "result": run.result,
        }
        for run in found.runs
    ]
    return {"fleet": fleet, "runs": runs, "sentence": found.sentence}


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


class _Watched:
    """What each tick of the fleet saw, and where it goes."""

    def __init__(self, context: Context, control: Control, fleet: str, view: View) -> None:
        self._story, self._clock, self._view = Story(context, control), control.clock, view
        self._sight = Sight(fleet=fleet)

    def seen(self, ticked: Ticked) -> None:
        self._sight = after_look(self._sight, ticked.observed, ticked.plan, ticked.record.at)
        self._show(list(self._story.news(self._sight.fleet)))

    def missed(self, error: SteadyError) -> None:
        self._sight = after_fault(self._sight, error.what)
        self._show([])

    def _show(self, news: list[Entry]) -> None:
        self._view.show([self._sight], news, self._clock.now())


def _view(context: Context, control: Control) -> View:
    if context.streams:
        return Records(context, "run", control.clock.now())
    drawn = context.interactive and watching_screen(context, talk=True)
    return Screen(context, talk=True, passing=True) if drawn else Told(context)

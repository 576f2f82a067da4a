"""Tells people what stands, after a tick and outside its lease: no target that is slow or dead holds a tick up.

What is to be sent is claimed in the tracker first, by a conditional write; how that went is written once it is
known. A controller that is killed in between leaves a claim that runs out: the message may then come twice.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from lifecycle.model.errors import Conflict, SteadyError
from lifecycle.model.plan import Plan
from lifecycle.model.tidings import Told
from lifecycle.model.world import Observed
from lifecycle.planning import telling, tidings
from lifecycle.planning.telling import Batch
from lifecycle.ports.clock import Clock
from lifecycle.ports.notifier import Notifier
from lifecycle.tracker.controller import ControllerTracker

TRIES = 3
"""Of a conditional write that others came before; then the next tick tells."""


class _Sent(NamedTuple):
    """How one message went; `keys` empty: it did not."""

    target: str
    keys: tuple[str, ...]
    trouble: str = ""


class Teller:
    """Tells of the fleets that one tracker keeps."""

    def __init__(self, tracker: ControllerTracker, notifiers: Sequence[Notifier], clock: Clock) -> None:
        self._tracker, self._notifiers, self._clock = tracker, notifiers, clock
        self._outcomes: dict[str, queue.SimpleQueue[_Sent]] = {}
        self._at_work: dict[str, threading.Thread] = {}
        self._silent: set[str] = set()

    def tell(self, observed: Observed, plan: Plan, *, patience: float) -> Iterator[str]:
        """Sends what is due, waits for `patience` seconds at most, and says once of each target that it is dead.

        Raises SteadyError when the tracker cannot be read or written: then nothing more is sent.
        """
        if observed.fleet in self._at_work and self._at_work[observed.fleet].is_alive():
            yield from self._heard(observed.fleet)
            return
        yield from self._heard(observed.fleet)
        batches = self._claimed(observed, plan)
        if batches:
            self._at_work[observed.fleet] = self._sending(observed.fleet, batches)
            self._at_work[observed.fleet].join(patience)
            yield from self._heard(observed.fleet)

    def _claimed(self, observed: Observed, plan: Plan) -> dict[str, list[Batch]]:
        """What is ours to send, by target: it is written down that we do."""
        now, fleet = self._clock.now(), observed.fleet
        found, well = tidings.standing(observed, plan, now), tidings.converged(observed, plan)
        batches: dict[str, list[Batch]] = {}

        def claim(told: Told) -> Told:
            told = telling.noted(told, found, now)
            batches.clear()
            for each in self._notifiers:
                due = telling.due(told, each.mark, found, fleet=fleet, converged=well, now=now)
                if due:
                    batches[each.mark], told = due, telling.claimed(told, each.mark, now)
            return told

        return batches if self._changed(fleet, claim) else {}

    def _changed(self, fleet: str, change: Callable[[Told], Told]) -> bool:
        """Whether the change is in the tracker, or there was none to make."""
        for _ in range(TRIES):
            before, version = self._tracker.told(fleet)
            after = change(before)
            if after == before:
                return True
            try:
                self._tracker.put_told(fleet, after, version)
            except Conflict:
                continue
            return True
        return False

    def _sending(self, fleet: str, batches: dict[str, list[Batch]]) -> threading.Thread:
        outcomes = self._outcomes.setdefault(fleet, queue.SimpleQueue())
        mine = [(each, batches[each.mark]) for each in self._notifiers if each.mark in batches]
        thread = threading.Thread(target=_send, args=(mine, outcomes), name=f"tells {fleet}", daemon=True)
        thread.start()
        return thread

    def _heard(self, fleet: str) -> Iterator[str]:
        """Writes down how it went, as far as that is known."""
        outcomes = self._outcomes.setdefault(fleet, queue.SimpleQueue())
        while not outcomes.empty():
            sent = outcomes.get()
            now = self._clock.now()
            self._changed(fleet, partial(_booked, sent, now))
            if sent.trouble and sent.target not in self._silent:
                yield sent.trouble
            (self._silent.add if sent.trouble else self._silent.discard)(sent.target)


def _booked(sent: _Sent, now: float, told: Told) -> Told:
    if sent.trouble:
        return telling.failed(told, sent.target, now)
    return telling.delivered(told, sent.target, sent.keys)


def _send(mine: Sequence[tuple[Notifier, list[Batch]]], outcomes: queue.SimpleQueue[_Sent]) -> None:
    """One target after another; one that fails is left alone. Runs on a thread of its own."""
    for notifier, batches in mine:
        for message, keys in batches:
            try:
                notifier.send(message)
            except SteadyError as failed:
                outcomes.put(_Sent(notifier.mark, (), failed.what))
                break
            except Exception as bug:  # the thread's end would leave the target claimed
                outcomes.put(_Sent(notifier.mark, (), f"{notifier.name} was not told: {type(bug).__name__}"))
                break
            outcomes.put(_Sent(notifier.mark, keys))

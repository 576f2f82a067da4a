"""Watches the metadata service for notices, every second, on a thread of its own.

A failed look keeps what was known: a notice does not go away because the service hangs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from lifecycle.model.errors import Unreadable
from lifecycle.model.records import Notice
from lifecycle.ports.clock import Clock
from lifecycle.ports.notices import Metadata

EVERY = 1.0
"""Seconds between looks: half of it is the median delay, and the service has no long poll."""


class NoticeWatch:
    """The notices that stand, as last seen; `on_new` is called from its thread when one appears."""

    def __init__(self, metadata: Metadata, clock: Clock, on_new: Callable[[], None]) -> None:
        self._metadata, self._clock, self._on_new = metadata, clock, on_new
        self._stop = threading.Event()
        self._known: dict[str, Notice] = {}
        self.failing_since: float | None = None
        self.failure = ""
        threading.Thread(target=self._watch, name="notices", daemon=True).start()

    def current(self) -> tuple[Notice, ...]:
        return tuple(self._known.values())

    def close(self) -> None:
        self._stop.set()

    def _watch(self) -> None:
        due = self._clock.monotonic()
        while not self._stop.is_set():
            self._look()
            due = max(due + EVERY, self._clock.monotonic())
            self._stop.wait(due - self._clock.monotonic())

    def _failed(self, why: str) -> None:
        self.failing_since = self.failing_since or self._clock.now()
        self.failure = why

    def _look(self) -> None:
        try:
            standing = self._metadata.notices()
        except Unreadable as error:
            self._failed(error.what)
            return
        except Exception as bug:  # a dead thread would see no notice ever again
            self._failed(f"a bug: {type(bug).__name__}: {bug}")
            return
        self.failing_since = None
        known = self._known
        self._known = {notice.id: known.get(notice.id, notice) for notice in standing}
        if self._known.keys() - known.keys():
            self._on_new()

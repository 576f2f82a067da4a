"""Threads for the pieces of one transfer: a few at a time, and all of them stopped as soon as one fails.

The threads are daemons: a process that is told to end does not wait for what is still on the wire.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, Self, TypeVar

T = TypeVar("T")

WIDTH = 8
"""Pieces under way at once, and therefore at most in memory."""

BEAT = 0.2
"""Seconds between two looks at whether the transfer is still wanted."""


class Stopped(BaseException):
    """Raised in a piece whose transfer was given up. No Exception: the SDK would take it for a lost connection."""


class Stop:
    """Asked by the pieces, between two blocks, whether they are still wanted."""

    def __init__(self) -> None:
        self._set = threading.Event()

    def set(self) -> None:
        self._set.set()

    def check(self) -> None:
        """Raises Stopped when the transfer was given up."""
        if self._set.is_set():
            raise Stopped


class Crew(Generic[T]):
    """Runs jobs on `WIDTH` threads while its block lasts; on the way out every thread has ended.

    `alive` is called from the calling thread while it waits, and gives the transfer up by raising.
    """

    def __init__(self, alive: Callable[[], None]) -> None:
        self._alive, self._stop = alive, Stop()
        self._jobs: queue.SimpleQueue[Callable[[Stop], T] | None] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[tuple[T] | BaseException] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name="transfer", daemon=True) for _ in range(WIDTH)]
        self.under_way = 0

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for _thread in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def begin(self, job: Callable[[Stop], T]) -> None:
        self.under_way += 1
        self._jobs.put(job)

    def next(self) -> T:
        """The result of whichever job ends next. Raises what the job raised."""
        while True:
            try:
                ended = self._ended.get(timeout=BEAT)
            except queue.Empty:
                self._alive()
                continue
            self.under_way -= 1
            if isinstance(ended, BaseException):
                raise ended
            return ended[0]

    def _work(self) -> None:
        while self._work_once():
            pass

    def _work_once(self) -> bool:
        """Nothing of a job outlives this call: it may hold a whole piece."""
        job = self._jobs.get()
        if job is None:
            return False
        try:
            self._stop.check()
            self._ended.put((job(self._stop),))
        except BaseException as error:
            self._ended.put(error)
        return True

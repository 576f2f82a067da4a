"""Runs checks one after another: each in bounded time, none able to hide another."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from lifecycle.model.diagnosis import Finding, Verdict, refused, unknown
from lifecycle.model.errors import NotAuthorised, SteadyError, Unreadable
from lifecycle.ports.clock import Clock

EACH, ALTOGETHER = 20.0, 90.0
"""Seconds."""


@dataclass(frozen=True)
class Check:
    """A name, and what answers it. Without the checks that it `needs` nothing can be read."""

    name: str
    look: Callable[[], Finding]
    needs: tuple[str, ...] = ()


def examine(
    checks: Sequence[Check], clock: Clock, *, each: float = EACH, altogether: float = ALTOGETHER
) -> Iterator[tuple[str, Finding]]:
    """Every check with what it found, in order. What takes longer than `each` seconds is unknown."""
    until, well = clock.monotonic() + altogether, set()
    for check in checks:
        left = min(each, until - clock.monotonic())
        lacking = [name for name in check.needs if name not in well]
        if lacking:
            found = unknown(f"not looked at: it needs {' and '.join(lacking)}")
        elif left <= 0:
            found = unknown(f"not looked at: {altogether:.0f}s are over")
        else:
            found = _within(left, check.look)
        if found.verdict is Verdict.OK:
            well.add(check.name)
        yield check.name, found


def _within(seconds: float, look: Callable[[], Finding]) -> Finding:
    """A look that hangs is left behind; its thread does not keep the program."""
    answer: queue.SimpleQueue[Finding] = queue.SimpleQueue()
    threading.Thread(target=lambda: answer.put(_judged(look)), daemon=True).start()
    try:
        return answer.get(timeout=seconds)
    except queue.Empty:
        return unknown(f"no answer in {seconds:.0f}s")


def _judged(look: Callable[[], Finding]) -> Finding:
    """What cannot or may not be read is unknown; what a person has to mend is wrong."""
    try:
        return look()
    except (NotAuthorised, Unreadable) as error:
        return unknown(error.what, error.fix)
    except SteadyError as error:
        return refused(error)
    except ModuleNotFoundError as error:
        return unknown(f"it needs a package that is not installed: {error.name}")
    except Exception as error:  # one check must not take the others with it
        return unknown(f"it could not be looked at: {type(error).__name__}: {error}")

"""Checks are run so that none hides another, and none takes for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from lifecycle.control.examination import Check, examine
from lifecycle.model.diagnosis import Finding, ok
from lifecycle.model.errors import NotAuthorised, SteadyError, Unreadable
from lifecycle.system.clock import SystemClock


def raising(error: Exception) -> Check:
    def look() -> Finding:
        raise error

    return Check("a", look)


def after(*checks: Check, each: float = 5.0, altogether: float = 60.0) -> dict[str, Finding]:
    """What these find, with a sound check at the end."""
    last = Check("last", lambda: ok("looked at"))
    return dict(examine([*checks, last], SystemClock(), each=each, altogether=altogether))


@pytest.fixture
def never() -> Iterator[threading.Event]:
    """Something to wait for that comes when the test is over."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize(
    ("error", "verdict", "message"),
    [
        (SteadyError("no foundation", fix="lay it"), "wrong", "no foundation"),
        (Unreadable("no answer", fix="wait"), "unknown", "no answer"),
        (NotAuthorised("not allowed", fix="ask"), "unknown", "not allowed"),
        (ModuleNotFoundError("x", name="boto3"), "unknown", "it needs a package that is not installed: boto3"),
        (KeyError("Arn"), "unknown", "it could not be looked at: KeyError: 'Arn'"),
    ],
)
def test_a_check_that_fails_is_wrong_or_unknown_and_hides_no_other(
    error: Exception, verdict: str, message: str
) -> None:
    found = after(raising(error))
    assert (found["a"].verdict, found["a"].message) == (verdict, message)
    assert found["last"].verdict == "ok"


def test_a_check_that_hangs_is_unknown_and_the_next_is_looked_at(never: threading.Event) -> None:
    found = after(Check("a", lambda: ok(str(never.wait()))), each=0.05)
    assert (found["a"].verdict, found["last"].verdict) == ("unknown", "ok")


def test_what_is_left_when_the_time_is_over_is_unknown(never: threading.Event) -> None:
    found = after(Check("a", lambda: ok(str(never.wait()))), altogether=0.05)
    assert (found["last"].verdict, found["last"].message) == ("unknown", "not looked at: 0s are over")


def test_a_check_without_what_it_needs_is_unknown_and_not_run() -> None:
    needy = Check("b", lambda: pytest.fail("it was run"), needs=("a", "last"))
    found = after(raising(SteadyError("x", fix="y")), needy)
    assert (found["b"].verdict, found["b"].message) == ("unknown", "not looked at: it needs a and last")

"""The watch for notices: a real thread over a metadata service that does as it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from lifecycle.agent import watch
from lifecycle.agent.watch import NoticeWatch
from lifecycle.model.errors import Unreadable
from lifecycle.model.records import Notice
from lifecycle.model.states import Cause
from lifecycle.ports.notices import MachineIdentity
from tests.builders import NOW, a_notice, but
from tests.unit.agent.doubles import HandClock

PATIENCE = 20.0
SPOT, ADVICE = a_notice(Cause.SPOT), a_notice(Cause.REBALANCE, lead=None)


class ScriptedMetadata:
    """Answers each look with what stands, or raises what it was told to."""

    def __init__(self) -> None:
        self.standing: tuple[Notice, ...] = ()
        self.fault: Exception | None = None
        self.looks = 0

    def identity(self) -> MachineIdentity:
        return MachineIdentity(instance="m1", tags={})

    def notices(self) -> Sequence[Notice]:
        self.looks += 1
        if self.fault is not None:
            raise self.fault
        return self.standing


class HalfClock(HandClock):
    """The wall clock obeys the test; waiting takes real time."""

    def monotonic(self) -> float:
        return time.monotonic()


class Post:
    """A watch under way."""

    def __init__(self) -> None:
        self.metadata, self.clock, self.rings = ScriptedMetadata(), HalfClock(), threading.Semaphore(0)
        before = set(threading.enumerate())
        self.watch = NoticeWatch(self.metadata, self.clock, self.rings.release)
        (self.thread,) = set(threading.enumerate()) - before

    def until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"did not happen: {what}"
            threading.Event().wait(0.002)

    def another_look(self) -> None:
        """Two, so that one began after now."""
        seen = self.metadata.looks
        self.until(lambda: self.metadata.looks >= seen + 2, "another look")

    def stands(self, *notices: Notice) -> None:
        self.metadata.standing = notices
        self.until(lambda: self.watch.current() == notices, f"{notices} being seen")


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    monkeypatch.setattr(watch, "EVERY", 0.005)
    post = Post()
    yield post
    post.watch.close()
    post.thread.join(PATIENCE)
    assert not post.thread.is_alive()


def test_at_first_no_notice_stands(post: Post) -> None:
    assert post.watch.current() == ()


def test_a_notice_that_appears_is_seen(post: Post) -> None:
    post.stands(SPOT)
    assert post.watch.current() == (SPOT,)


def test_a_notice_that_appears_rings(post: Post) -> None:
    post.stands(SPOT)
    assert post.rings.acquire(timeout=PATIENCE)


def test_a_notice_rings_once(post: Post) -> None:
    post.stands(SPOT)
    post.rings.acquire(timeout=PATIENCE)
    post.another_look()
    assert not post.rings.acquire(blocking=False)


def test_every_new_notice_rings(post: Post) -> None:
    post.stands(ADVICE)
    post.rings.acquire(timeout=PATIENCE)
    post.stands(ADVICE, SPOT)
    assert post.rings.acquire(timeout=PATIENCE)


def test_a_notice_keeps_when_it_was_first_seen(post: Post) -> None:
    post.stands(SPOT)
    post.metadata.standing = (but(SPOT, seen_at=NOW + 99),)
    post.another_look()
    assert post.watch.current() == (SPOT,)


def test_a_notice_that_is_taken_back_is_forgotten(post: Post) -> None:
    post.stands(SPOT)
    post.stands()
    assert post.watch.current() == ()


def test_a_failed_look_keeps_what_was_known(post: Post) -> None:
    post.stands(SPOT)
    post.metadata.fault = Unreadable("no answer", fix="wait")
    post.another_look()
    assert post.watch.current() == (SPOT,)


def test_a_failure_is_told_since_when(post: Post) -> None:
    post.metadata.fault = Unreadable("no answer", fix="wait")
    post.until(lambda: post.watch.failing_since is not None, "the failure")
    post.clock.pass_by(50)
    post.another_look()
    assert (post.watch.failing_since, post.watch.failure) == (NOW, "no answer")


def test_an_answer_ends_the_failure(post: Post) -> None:
    post.metadata.fault = Unreadable("no answer", fix="wait")
    post.until(lambda: post.watch.failing_since is not None, "the failure")
    post.metadata.fault = None
    post.until(lambda: post.watch.failing_since is None, "the end of the failure")


def test_a_bug_does_not_end_the_watch(post: Post) -> None:
    post.metadata.fault = ZeroDivisionError("oh")
    post.until(lambda: post.watch.failing_since is not None, "the failure")
    assert post.watch.failure == "a bug: ZeroDivisionError: oh"
    post.metadata.fault = None
    post.stands(SPOT)


def test_a_closed_watch_looks_no_more(post: Post) -> None:
    post.watch.close()
    post.thread.join(PATIENCE)
    assert not post.thread.is_alive()

"""Where what is seen goes, and what a look costs."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from lifecycle.bootstrap.controller import Control
from lifecycle.cli.context import Context
from lifecycle.cli.views import Appended, Records, Told, can_redraw
from lifecycle.cli.watching import Lookout
from lifecycle.model.journal import Entry, EntryKind
from lifecycle.tracker.controller import ControllerTracker
from tests.builders import NOW, a_machine, training
from tests.unit.cli.seeing import a_fleet, a_node, a_sight, saved
from tests.unit.control.doubles import Room

STARTED = Entry(at=NOW, kind=EntryKind.OBSERVED, what="trainer started", node="demo/trainers/0")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("term", "drawn"), [("xterm", True), ("dumb", False), ("", False)])
def test_what_cannot_move_its_cursor_is_not_drawn_on(
    monkeypatch: pytest.MonkeyPatch, term: str, *, drawn: bool
) -> None:
    monkeypatch.setenv("TERM", term) if term else monkeypatch.delenv("TERM", raising=False)
    assert (can_redraw(Terminal()), can_redraw(io.StringIO())) == (drawn, False)


def test_without_a_terminal_run_tells_its_news_as_talk(capsys: pytest.CaptureFixture[str]) -> None:
    Told(Context()).show([a_sight()], [STARTED], NOW)
    said = capsys.readouterr()
    assert (said.out, said.err.endswith("demo/trainers/0 trainer started\n")) == ("", True)


def test_trouble_is_told_once_and_again_when_it_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    told, trouble = Told(Context()), a_sight(trouble="locked")
    for sight in (trouble, trouble, a_sight(), trouble):
        told.show([sight], [], NOW + 12)
    line = "demo: as it was 12s ago, nothing newer is known: locked\n"
    assert capsys.readouterr().err == 2 * line


def test_a_log_tells_trouble_its_end_and_what_changed_meanwhile(capsys: pytest.CaptureFixture[str]) -> None:
    log = Appended(Context())
    later = a_sight(a_fleet(a_node(checkpoint=saved(1, step=1400))))
    for sight in (a_sight(), a_sight(trouble="locked"), a_sight(trouble="locked"), later, later):
        log.show([sight], [], NOW + 12)
    told = [line.partition(" ")[2] for line in capsys.readouterr().out.splitlines()]
    assert told == [
        "demo/trainers/0 running, training: attempt 1, step 1400 of 2000; saved at 1380",
        "demo: as it is",
        "demo: as it was 12s ago, nothing newer is known: locked",
        "demo: can be read again",
        "demo/trainers/0 running, training: attempt 1, step 1400 of 2000; saved at 1400",
    ]


def test_a_status_is_a_record_at_once_when_it_changed_and_else_in_its_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    records = Records(Context(), "status", NOW)
    changed = a_sight(a_fleet(a_node(checkpoint=saved(1, step=1400))))
    for sight, at in ((a_sight(), 0.0), (a_sight(), 1.0), (changed, 1.1), (changed, 3.0), (changed, 3.1)):
        records.show([sight], [], NOW + at)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["type"], round(line["at"] - NOW, 1)) for line in lines] == [
        ("start", 0.0),
        ("status", 0.0),
        ("status", 1.1),
        ("status", 3.1),
    ]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often the tracker was read whole, by fleet."""
    counts: Counter[str] = Counter()
    real = ControllerTracker.observe

    def counted(tracker: ControllerTracker, fleet: str, *more: Any) -> Any:
        counts[fleet] += 1
        return real(tracker, fleet, *more)

    monkeypatch.setattr(ControllerTracker, "observe", counted)
    return counts


@pytest.fixture
def control() -> Iterator[Control]:
    """Of a fleet that trains."""
    room = Room()
    room.is_as(training(machines=(a_machine(),)))
    yield Control(
        where="here", tracker=room.tracker, operator=room.operator(), controller=room.controller(), clock=room.clock
    )
    room.close()


def test_a_look_reads_the_tracker_once(control: Control, read: Counter[str]) -> None:
    lookout = Lookout(Context(), control)
    (sight,), _ = lookout.look()
    assert sight.status is not None
    assert (sight.status.sentence, dict(read)) == ("1 training", {"f": 1})


def test_news_are_told_once(control: Control) -> None:
    control.tracker.journal("f", STARTED)
    lookout = Lookout(Context(), control)
    assert ([entry.what for entry in lookout.look()[1]], lookout.look()[1]) == (["trainer started"], [])

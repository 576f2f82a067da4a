"""Moments as people type them, and reasons that say something."""

from __future__ import annotations

from datetime import UTC, datetime

import click
import pytest

from lifecycle.cli.moments import moment, reason
from lifecycle.model.errors import WrongUsage
from lifecycle.planning.moments import utc
from tests.builders import NOW

EIGHT = datetime(2027, 11, 27, 8, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2027-11-27T08:00:00Z", EIGHT),
        ("2027-11-27T10:00:00+02:00", EIGHT),
        ("2027-11-27 08:00 UTC", EIGHT),
        ("2027-11-27 09:00 Europe/Berlin", EIGHT),
        ("2027-11-27 08:00", datetime(2027, 11, 27, 8, 0).timestamp()),
        ("12h", NOW + 12 * 3600),
        ("90s", NOW + 90),
    ],
)
def test_a_moment_as_people_type_it(text: str, meant: float) -> None:
    assert moment(text, NOW) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "monday",
        "08:00",
        "2027-11-27 25:00",
        "2027-11-27 08:00 Mars/Base",
        "2027-11-27 08:00 ../etc",
        "2027-11-27 08:00Z UTC",
        "2h30m",
        "never",
    ],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match=r"is no moment|is not a duration"):
        moment(text, NOW)


@pytest.mark.parametrize("text", ["2026-11-27 08:00 UTC", "2020-01-01T00:00:00Z", "2027-01-15T08:00:00Z", "0s"])
def test_what_is_past_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match="is past"):
        moment(text, NOW)


@pytest.mark.parametrize(
    ("at", "words"), [(NOW, "2027-01-15 08:00 UTC"), (NOW + 999_999_999 * 86400.0, "9999-12-31 23:59 UTC")]
)
def test_a_moment_is_told_in_utc(at: float, words: str) -> None:
    assert utc(at) == words


OPTION = click.Option(["--reason"])


@pytest.mark.parametrize("text", ["", " ", "\t\n"])
def test_an_empty_reason_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match="the reason is empty"):
        reason(click.Context(click.Command("stop")), OPTION, text)


def test_a_reason_is_kept_as_it_was_said() -> None:
    assert reason(click.Context(click.Command("stop")), OPTION, " incident 42 ") == "incident 42"

"""The errors page: a heading for every guard and kind of error, and none that nothing leads to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lifecycle.cli.entry import EPILOG
from lifecycle.cli.told import in_lines, located
from lifecycle.model import errors
from lifecycle.model.errors import GuardRefused, SteadyError, Unreadable
from lifecycle.model.more import ANCHORS, PAGE, anchor

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / PAGE).read_text()
LITERAL = re.compile(r"""\b(?:about|guard|GUARD)(?:: str)? ?= ?f?"([^"]+)\"""")
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SteadyError)]


def slug(heading: str) -> str:
    """As GitHub makes an anchor of a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


HEADINGS = [slug(heading) for heading in re.findall(r"^## (.+)$", TEXT, re.MULTILINE)]


def named_in_the_code() -> Iterator[str]:
    """Whatever a guard or an error is called where it is made."""
    for folder in ("lifecycle", "stacks"):
        for path in (ROOT / folder).rglob("*.py"):
            yield from LITERAL.findall(path.read_text())


def test_every_guard_and_kind_of_error_in_the_code_has_a_heading() -> None:
    names = {*named_in_the_code(), *(kind.about for kind in KINDS if kind.about)}
    assert {"suspended", "hook {drained.hook}", "budget.total", "credentials"} <= names
    assert sorted(name for name in names if anchor(name) not in HEADINGS) == []


def test_every_heading_is_led_to() -> None:
    led = {*ANCHORS.values(), *re.findall(r"errors\.md#([\w-]+)", EPILOG)}
    assert sorted(set(HEADINGS) - led) == []
    assert len(HEADINGS) == len(set(HEADINGS))


def test_every_anchor_is_used_by_something() -> None:
    names = {*named_in_the_code(), *(kind.about for kind in KINDS)}
    assert set(ANCHORS.values()) - {anchor(name) for name in names} == set()


def test_the_links_on_the_page_lead_somewhere() -> None:
    for target, heading in re.findall(r"\]\(([\w./-]+)#?([\w-]*)\)", TEXT):
        there = (ROOT / "specs" / target).read_text()
        assert not heading or heading in [slug(found) for found in re.findall(r"^## (.+)$", there, re.MULTILINE)]


def test_an_error_is_told_with_where_more_is_said() -> None:
    refused = GuardRefused("f/t/0: stop refused", fix="wait", about="hook pre_stop")
    assert in_lines(refused, "here: ") == (
        "error: here: f/t/0: stop refused\nfix: wait\nmore: specs/errors.md#a-hook-failed"
    )
    assert refused.sentence == "f/t/0: stop refused; wait; more: specs/errors.md#a-hook-failed"


def test_an_error_of_which_the_page_says_nothing_has_two_lines() -> None:
    assert in_lines(SteadyError("no", fix="yes")) == "error: no\nfix: yes"
    assert SteadyError("no", fix="yes").sentence == "no; yes"


def test_what_an_error_is_about_goes_before_its_kind() -> None:
    assert Unreadable("a", fix="b").more.endswith("#it-cannot-be-read-now")
    assert Unreadable("a", fix="b", about="foundation").more.endswith("#the-foundation")


def test_an_installed_page_is_named_by_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lifecycle.cli.told.__file__", str(tmp_path / "lifecycle" / "cli" / "told.py"))
    assert located("specs/errors.md#resize") == "specs/errors.md#resize"
    page = tmp_path / "lifecycle" / "specs" / "errors.md"
    page.parent.mkdir(parents=True)
    page.touch()
    assert located("specs/errors.md#resize") == f"{page}#resize"

"""The pages for people name verbs, fields and variables that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lifecycle.cli.entry import steady
from lifecycle.specfile.shape import schema
from tests.generated import _fields

ROOT = Path(__file__).parents[2]
PAGES = {name: (ROOT / "specs" / name).read_text() for name in ("errors.md", "coming-from.md")}
OURS = re.compile(r"`([a-z_]+(?:\.[a-z_]+)+)(?<!\.pt)(?::[^`]*)?`")


@pytest.mark.parametrize("page", PAGES)
def test_every_verb_is_one_of_the_programs(page: str) -> None:
    named = set(re.findall(r"(?:`|^ +)steady ([a-z][a-z-]*)", PAGES[page], re.MULTILINE))
    assert named
    assert sorted(named - set(steady.commands)) == []


def test_every_variable_is_one_that_the_code_sets_or_reads() -> None:
    code = "".join(path.read_text() for path in (ROOT / "lifecycle").rglob("*.py"))
    for page in PAGES.values():
        assert [name for name in set(re.findall(r"STEADY_[A-Z_]+", page)) if name not in code] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_field_of_ours_is_in_the_schema(page: str) -> None:
    """By its last two names, as people say it: `budget.total` of a pool."""
    known = {tuple(path.split(".")[-2:]) for path, *_ in _fields(schema(), "")}
    theirs = ("resources.", "job_recovery.")
    named = {name for name in OURS.findall(PAGES[page]) if not name.startswith(theirs)}
    assert named
    assert sorted(name for name in named if tuple(name.split(".")[-2:]) not in known) == []

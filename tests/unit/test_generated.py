"""What the READMEs take from the code is up to date, and every part that is offered is used."""

from __future__ import annotations

import pytest

from tests.generated import FILES, PARTS, ROOT, renewed


@pytest.mark.parametrize("name", FILES)
def test_generated_parts_are_fresh(name: str) -> None:
    text = (ROOT / name).read_text()
    assert renewed(text) == text, "run `make docs`"


def test_every_part_stands_somewhere() -> None:
    everything = "".join((ROOT / name).read_text() for name in FILES)
    assert [part for part in PARTS if f"<!-- generated: {part} -->" not in everything] == []

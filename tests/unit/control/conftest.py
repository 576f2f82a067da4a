"""A room per test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.control.doubles import Room


@pytest.fixture
def room() -> Iterator[Room]:
    built = Room()
    yield built
    built.close()

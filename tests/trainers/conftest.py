"""A fleet for each cell, and the table at the end."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.stage import Stage
from tests.trainers.cells import Cell
from tests.trainers.measured import Stop, table

MEASURED = pytest.StashKey[dict[Cell, list[Stop]]]()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    built = Stage(tmp_path)
    yield built
    built.close()


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> dict[Cell, list[Stop]]:
    return request.config.stash.setdefault(MEASURED, defaultdict(list))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    found = config.stash.get(MEASURED, None)
    if found:
        today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
        terminalreporter.write_line(f"\n{table(found, today)}")

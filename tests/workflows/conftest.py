"""The linter of workflow files; without Go its test is skipped aloud, or fails where that is required."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.actionlint import find
from tests.tools.built import needed

HOW = "no actionlint: `python -m tests.tools.actionlint` builds it (needs Go)"


@pytest.fixture(scope="session")
def actionlint() -> Path:
    return needed(find(), HOW)

"""The linter of workflow files; without Go its test is skipped aloud, or fails where that is required."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.tools.actionlint import find

HOW = "no actionlint: `python -m tests.tools.actionlint` builds it (needs Go)"


@pytest.fixture(scope="session")
def actionlint() -> Path:
    found = find()
    if found is None and os.environ.get("STEADY_REQUIRE_ENGINE"):
        pytest.fail(HOW)
    if found is None:
        pytest.skip(HOW)
    return found

"""A stage per test; a test that leaves a process behind has failed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.aws import AwsDouble
from tests.e2e.cloud_stage import CloudStage
from tests.e2e.stage import Stage
from tests.e2e.terminal import Terminals


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    built = Stage(tmp_path)
    yield built
    built.close()


@pytest.fixture
def terminals(stage: Stage) -> Iterator[Terminals]:
    opened = Terminals(stage)
    yield opened
    opened.close()


@pytest.fixture
def cloud(tmp_path: Path, aws: AwsDouble) -> Iterator[CloudStage]:
    built = CloudStage(tmp_path, aws)
    yield built
    built.close()

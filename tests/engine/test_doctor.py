"""`steady doctor` where the real Pulumi CLI tells the foundation."""

from __future__ import annotations

import pytest

from tests.doubles.account import limited, simulated
from tests.engine.region import AwsStage
from tests.stacks.roles import EVERYTHING

pytestmark = pytest.mark.engine


def test_a_founded_region_is_well(stage: AwsStage) -> None:
    simulated(stage.region.aws, EVERYTHING)
    limited(stage.region.aws, {"All G and VT Spot Instance Requests": 64})
    done = stage.declare().steady("doctor", str(stage.spec))
    assert "22 ok, 0 wrong, 0 unknown" in done.stdout, done.stdout


def test_a_backend_without_a_foundation_is_wrong(stage: AwsStage) -> None:
    stage.declare()
    empty = stage.folder / "empty"
    empty.mkdir()
    done = stage.steady("doctor", str(stage.spec), code=1, PULUMI_BACKEND_URL=f"file://{empty}")
    assert "no foundation in us-east-1" in done.stdout

"""The stage of the AWS stories itself: a founded region whose machines know where their tracker and bucket are."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifecycle.model import tags
from lifecycle.model.ids import NodeName
from tests.doubles.aws import AwsDouble
from tests.doubles.kinds.kind import pairs
from tests.doubles.provider import ProviderDouble
from tests.e2e.stage import wait_until
from tests.engine.region import IMAGE, AwsStage, Region

pytestmark = pytest.mark.engine


def test_a_fleets_machine_is_seen_and_knows_its_foundation(
    tmp_path: Path, cli: Path, provider: ProviderDouble, aws: AwsDouble
) -> None:
    region = Region(tmp_path, cli, provider, aws)
    stage = AwsStage(region, "f")
    ours = tags.identity(region.foundation.owner, NodeName.parse("f/t/0"), 1)
    given = [{"ResourceType": "instance", "Tags": pairs(ours)}]
    name = region.console.launch(IMAGE, TagSpecifications=given)
    wait_until(lambda: region.console.state(name) == "running", "it has booted")
    environ = Path(f"/proc/{region.host.machine(name).pids[0]}/environ").read_text().split("\0")
    assert f"STEADY_TABLE={region.foundation.table}" in environ
    assert (stage.live(), stage.step()) == ({"f/t/0": name}, 0)
    stage.close()
    wait_until(lambda: region.console.state(name) == "terminated", "its stage is over")
    region.close()

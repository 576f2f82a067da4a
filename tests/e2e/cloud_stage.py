"""A fleet on the AWS double for one test: real commands, no Pulumi and no agents."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lifecycle.adapters.aws.session import Session
from lifecycle.bootstrap.aws import Site
from lifecycle.system.files import write_record
from tests.doubles import ground
from tests.doubles.aws import REGION, AwsDouble
from tests.e2e.stage import Stage

ROOT = Path(__file__).parents[2]


class CloudStage(Stage):
    """The fleet `f` with the pool `t` in us-east-1, and what a person sees in the console."""

    def __init__(self, folder: Path, aws: AwsDouble) -> None:
        folder.mkdir(exist_ok=True)
        super().__init__(folder)
        self.aws, self.foundation, self.image = aws, ground.laid(), ground.image()
        self.founded = folder / "foundation.json"
        write_record(self.founded, self.foundation)
        self.shared = folder / "shared"
        self.site = Site(self.foundation)
        aws.calls.clear()

    @property
    def env(self) -> dict[str, str]:
        given = {"FOUNDATION": str(self.founded), "IMAGE": self.image, "SHARED": str(self.shared)}
        return {**super().env, **given, "PYTHONPATH": str(ROOT)}

    def write(self, fleet: Mapping[str, Any] | None = None, **pool: Any) -> CloudStage:
        """A sound spec, but for what the test changes in it."""
        given = {
            "nodes": 1,
            "instance_types": ["m5.large"],
            "zones": ["us-east-1a"],
            "image": self.image,
            "train": {"command": ["python", "train.py"], "workdir": "/opt/train"},
            **pool,
        }
        spec = {"version": 1, "fleet": "f", "provider": "aws", "region": REGION, "pools": {"t": given}}
        self.spec.write_text(yaml.safe_dump({**spec, **(fleet or {})}, sort_keys=False))
        return self

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(ROOT / "tests/e2e/on_aws.py"), "--state", str(self.state), *arguments]

    def applied(self) -> CloudStage:
        """The spec stands as spec of record and its machines are made; without agents nothing trains."""
        self.steady("apply", str(self.spec), "--yes", "--timeout", "0", code=9)
        return self

    def instances(self) -> list[dict[str, Any]]:
        """The live instances that carry tags, as the console shows them."""
        pages = Session(REGION).client("ec2").describe_instances()["Reservations"]
        found = [instance for page in pages for instance in page["Instances"] if instance.get("Tags")]
        return [instance for instance in found if instance["State"]["Name"] != "terminated"]

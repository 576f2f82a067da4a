"""`steady apply` as people type it, in a shell that is not set up as it should be: refused before anything is made.

Nothing stands in for Pulumi here: the foundation is read by the CLI that is on PATH, or is not.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.builders import but
from tests.doubles.aws import REGION, AwsDouble
from tests.e2e.cloud_stage import ROOT, CloudStage
from tests.e2e.test_bad_input import complaint
from tests.engine.engine import Engine
from tests.engine.test_outputs import founded

pytestmark = pytest.mark.engine

OTHER = "999999999999"


class Laptop(CloudStage):
    """A person's shell: the CLI on PATH, logged in to the engine's backend, and a spec of the fleet `f`."""

    def __init__(self, folder: Path, aws: AwsDouble, engine: Engine) -> None:
        super().__init__(folder, aws)
        self.engine = engine
        self.path = f"{engine.cli.parent}:{engine.env['PATH']}"

    @property
    def env(self) -> dict[str, str]:
        return {**super().env, **self.engine.env, "PATH": self.path, "PYTHONPATH": str(ROOT)}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "lifecycle", "--state", str(self.state), *arguments]

    def stands(self, **changes: str) -> Laptop:
        """The foundation's stack says what there is, but for these."""
        founded(self.engine, msgspec.to_builtins(but(self.foundation, **changes)))
        self.aws.calls.clear()
        return self

    def refused(self, code: int) -> str:
        """What `apply` complains of. Nothing was made, and nothing written."""
        complained = complaint(self.write().steady("apply", str(self.spec), "--yes", code=code))
        assert self.aws.mutations == {}
        assert [call for call in self.aws.calls if "Put" in call or "Write" in call or "Update" in call] == []
        return complained


@pytest.fixture
def laptop(tmp_path: Path, aws: AwsDouble, engine: Engine) -> Iterator[Laptop]:
    built = Laptop(tmp_path / "laptop", aws, engine)
    yield built
    built.close()


def test_a_backend_without_a_foundation(laptop: Laptop) -> None:
    assert laptop.refused(1) == (
        f"error: no foundation in {REGION}\n"
        f"fix: in a checkout: `pulumi stack init foundation-{REGION}`, `pulumi config set aws:region {REGION}`, "
        "`pulumi up` (README, On AWS)"
    )


def test_no_cli_on_path(laptop: Laptop) -> None:
    laptop.path = str(laptop.folder)
    assert laptop.refused(1).startswith(
        "error: no `pulumi` on PATH: machines on AWS are made and ended by it\nfix: "
    )


def test_a_cli_that_is_too_old(laptop: Laptop) -> None:
    old = laptop.folder / "pulumi"
    old.write_text("#!/bin/sh\necho v3.200.0\n")
    old.chmod(0o755)
    laptop.path = f"{laptop.folder}:{laptop.path}"
    assert f"the `pulumi` on PATH ({old}) is 3.200.0: too old\nfix: install Pulumi 3.259.0" in laptop.refused(1)


def test_credentials_of_another_account_than_the_foundations(laptop: Laptop) -> None:
    assert f"the fleet lives in {OTHER}\nfix: choose the right profile" in laptop.stands(account=OTHER).refused(3)


def test_credentials_that_have_expired(laptop: Laptop) -> None:
    laptop.stands()
    with laptop.aws.fault("sts", status=403, code="ExpiredToken"):
        assert "STS: the AWS credentials have expired\nfix: log in again" in laptop.refused(3)


def test_a_fleet_whose_stack_is_of_another_region(laptop: Laptop) -> None:
    laptop.stands().engine.select("f")
    stack = "urn:pulumi:f::steadyfleet::pulumi"
    provider = {"id": "p", "custom": True, "type": "pulumi:providers:aws", "inputs": {"region": "eu-west-1"}}
    resources = [
        {"urn": f"{stack}:pulumi:Stack::steadyfleet-f", "custom": False, "type": "pulumi:pulumi:Stack"},
        {"urn": f"{stack}:providers:aws::default", **provider},
    ]
    state = laptop.folder / "elsewhere.json"
    state.write_text(json.dumps({"version": 3, "deployment": {"resources": resources}}))
    assert laptop.engine.run("stack", "import", "--stack", "f", "--file", str(state)).returncode == 0
    said = (
        f"error: f is there already, in eu-west-1; a fleet does not move to {REGION}\nfix: give this fleet another"
    )
    assert laptop.refused(6).startswith(said)

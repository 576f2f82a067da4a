"""README's way on AWS, typed line by line in its order: every verb, stack name and config key is one that works."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lifecycle.model.foundation import Foundation
from tests.doubles import ec2
from tests.doubles.aws import REGION, AwsDouble
from tests.doubles.provider import ProviderDouble
from tests.e2e.stage import TRAINER, Stage
from tests.engine.region import IMAGE, Region

pytestmark = [pytest.mark.engine, pytest.mark.slow]

README = (Path(__file__).parents[2] / "README.md").read_text()


def typed() -> list[str]:
    """The commands of the section, without what is said beside them."""
    section = README.partition("\n## On AWS\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    lines = (line.partition("  #")[0].strip() for block in blocks for line in block.splitlines())
    return [line for line in lines if line]


FOUNDING, FLEETS = typed()[:3], typed()[3:]


class Unfounded(Region):
    """Its foundation is laid as README says; what machines install is named, not built."""

    def _found(self, bundle: Path) -> Foundation:
        bundle.write_bytes(b"what a real machine would install")
        for line in (*FOUNDING[:2], f"pulumi config set steady:bundle {bundle}", *FOUNDING[2:]):
            self.pulumi(line)
        self.engine.stack = f"foundation-{REGION}"
        return self.told()

    def pulumi(self, line: str) -> None:
        words = shlex.split(line)[1:]
        asked = ["--yes", "--skip-preview"] if words[0] in ("up", "destroy") else []
        asked += [self.engine.client] if words[0] in ("up", "destroy", "preview") else []
        done = self.engine.run(*words, *asked)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"


class Typist(Stage):
    """A person in the checkout, who puts an image and a trainer into what `steady init` wrote."""

    def __init__(self, region: Unfounded) -> None:
        super().__init__(region.engine.project, "llm")
        self.region = region

    @property
    def env(self) -> dict[str, str]:
        own = {name: value for name, value in super().env.items() if not name.startswith("PULUMI_")}
        return {**own, **self.region.env}

    def types(self, line: str) -> None:
        words = shlex.split(line)
        if words[0] == "pulumi":
            self.region.pulumi(line.replace("specs/", f"{self.folder}/specs/"))  # the program lies elsewhere here
            return
        once = line.replace("--every 30s", "--once")
        self.steady(*shlex.split(once)[1:], *(["--yes"] if words[1] in ("apply", "destroy") else []))
        if words[1] == "init":
            self.fill_in(self.folder / words[2])

    def fill_in(self, spec: Path) -> None:
        text = yaml.safe_load(spec.read_text())
        pool = text["pools"]["trainers"]
        pool["image"] = IMAGE
        pool["train"] = {"command": ["python", str(TRAINER), "--steps", "100000"], "workdir": str(TRAINER.parent)}
        spec.write_text(yaml.safe_dump(text, sort_keys=False))


@pytest.fixture
def typist(aws: AwsDouble, cli: Path, provider: ProviderDouble, tmp_path: Path) -> Iterator[Typist]:
    region = Unfounded(tmp_path, cli, provider, aws)
    built = Typist(region)
    yield built
    built.close()
    region.close()


def test_every_command_of_readmes_way_on_aws_works_in_its_order(typist: Typist) -> None:
    for line in FLEETS:
        typist.types(line)
    assert {one.state for one in ec2.instances()} == {"terminated"}
    assert {line.split()[0] for line in typed()} == {"pulumi", "steady"}
    assert len(FLEETS) >= 10

"""Fleets by people who type: `pulumi up`, preview and `destroy --run-program`, from the project's own files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from lifecycle.adapters.aws.compute import Ec2Compute
from lifecycle.adapters.aws.session import Session
from lifecycle.adapters.aws.table import DynamoTable
from lifecycle.model.codec import convert
from lifecycle.model.foundation import Foundation
from lifecycle.model.records import SpecRecord
from lifecycle.specfile import load
from lifecycle.tracker.controller import ControllerTracker
from stacks.ground import Ground
from tests.doubles.aws import REGION
from tests.doubles.provider import ProviderDouble
from tests.engine.engine import Engine, Ran
from tests.engine.test_fleet import IMAGE, REFUSED, Site
from tests.engine.test_foundation import outputs

pytestmark = pytest.mark.engine

SPEC = """\
version: 1
fleet: f
provider: {provider}
region: {region}
pools:
  t:
    nodes: {nodes}
    market: spot
    instance_types: [{type}]
    image: {image}
    unreachable_after: never
    train:
      command: [python, train.py]
      workdir: /opt/train
{more}"""
USUAL = {"provider": "aws", "region": REGION, "nodes": 3, "type": "g5.2xlarge", "image": IMAGE, "more": ""}


@dataclass
class Desk(Site):
    """A person at a checkout with a foundation, whose fleet `f` is declared in specs/f.yaml."""

    def writes(self, file: str = "specs/f.yaml", **fields: Any) -> None:
        path = self.engine.project / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(SPEC.format(**{**USUAL, **fields}))
        if fields.get("provider", "aws") == "aws":
            self.spec = load(path).spec

    def says(self, name: str, value: str) -> None:
        done = self.engine.run("config", "set", "--stack", self.engine.stack, name, value)
        assert done.returncode == 0, done.stderr

    def ups(self, **fields: Any) -> Ran:
        """Writes the spec so and types `pulumi up`, which goes through."""
        self.writes(**fields)
        ran = self.engine.up()
        assert ran.code == 0, ran.output
        return ran

    @property
    def record(self) -> SpecRecord | None:
        return self.tracker.spec("f")

    def rows(self) -> list[Any]:
        return Session(REGION).client("dynamodb").scan(TableName=self.ground.names.table)["Items"]


@pytest.fixture
def desk(founded: Engine, provider: ProviderDouble) -> Desk:
    foundation = convert(outputs(founded), Foundation)
    table = DynamoTable(Session(REGION).client("dynamodb"), foundation.table)
    sitting = Desk(
        engine=founded,
        provider=provider,
        tracker=ControllerTracker(table),
        table=table,
        compute=Ec2Compute(Session(REGION), foundation.owner, checks=False),
        ground=Ground.of(foundation),
        spec=None,  # type: ignore[arg-type]
    )
    founded.select("f", {"steady:spec": str(founded.project / "specs" / "f.yaml")})
    sitting.writes()
    return sitting


def test_a_fleet_is_made_as_declared_and_its_spec_is_the_one_of_record(desk: Desk) -> None:
    desk.ups()
    assert sorted(desk.live()) == ["f/t/0", "f/t/1", "f/t/2"]
    assert desk.record is not None
    assert (desk.record.generation, desk.record.source, desk.record.spec) == (1, "specs/f.yaml", desk.spec)
    tags = {machine.node: machine.tags for machine in desk.compute.machines("f")}
    assert tags["f/t/1"] == {
        "Name": "f/t/1",
        "steady:owner": desk.ground.names.owner,
        "steady:fleet": "f",
        "steady:pool": "t",
        "steady:node": "f/t/1",
        "steady:incarnation": "1",
    }
    claims = desk.tracker.incarnations("f", [(f"f/t/{n}", 1) for n in range(3)])
    assert {c.node: c.instance for c in claims.values()} == desk.live()
    assert {c.tried_at for c in claims.values()} == {None}


def test_a_preview_writes_nothing_and_up_again_changes_nothing(desk: Desk) -> None:
    preview = desk.engine.preview()
    assert preview.code == 0, preview.output
    assert desk.rows() == []
    desk.ups()
    again = desk.engine.up(refresh=True)
    assert again.code == 0, again.output
    assert set(again.changes) == {"same"}


def test_a_node_less_is_saved_first_and_comes_back_under_the_next_incarnation(desk: Desk) -> None:
    desk.ups()
    desk.train()
    with desk.agents():
        ran = desk.ups(nodes=2)
    assert "f/t/2: drained: saved" in ran.output
    assert sorted(desk.live()) == ["f/t/0", "f/t/1"]
    desk.ups(nodes=3)
    assert desk.stored()["f/t/2"].incarnation == 2
    assert desk.record is not None
    assert desk.record.generation == 3


@pytest.mark.parametrize("change", [{"type": "g6.2xlarge"}, {"image": "ami-03cf127a"}])
def test_another_type_or_image_replaces_each_machine_after_its_drain(desk: Desk, change: dict[str, str]) -> None:
    desk.ups(nodes=2)
    desk.train()
    before = desk.live()
    with desk.agents():
        ran = desk.ups(nodes=2, **change)
    assert all(f"{node}: drained: saved" in ran.output for node in before)
    assert not {*before.values()} & {*desk.live().values()}
    assert {placement.incarnation for placement in desk.stored().values()} == {2}
    assert set(desk.engine.up(refresh=True).changes) == {"same"}


def test_destroy_saves_every_machine_first_and_leaves_the_record_marked(desk: Desk) -> None:
    desk.ups()
    desk.train()
    refused = desk.engine.destroy()
    assert "--run-program" in refused.output
    assert len(desk.live()) == 3
    with desk.agents():
        ended = desk.engine.destroy(run_program=True)
    assert ended.code == 0, ended.output
    assert desk.live() == {}
    assert desk.engine.resources() == {}
    assert desk.record is not None
    assert desk.record.destroying


def test_a_refused_destroy_keeps_all_that_a_save_needs_and_up_revives_the_fleet(desk: Desk) -> None:
    desk.ups(nodes=2)
    desk.train()
    before = desk.live()
    with desk.agents(n1=REFUSED):
        refused = desk.engine.destroy(run_program=True)
    assert refused.code != 0
    assert f"steady allow-loss {before['f/t/1']}" in refused.output
    assert desk.live() == {"f/t/1": before["f/t/1"]}
    assert {"node", "out", "f.t.1"} <= {name.split("::")[-1] for name in desk.engine.resources()}
    desk.ups(nodes=2)
    assert desk.live()["f/t/1"] == before["f/t/1"]
    assert desk.live().keys() == before.keys()
    assert desk.record is not None
    assert not desk.record.destroying

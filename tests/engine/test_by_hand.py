"""Fleets by people who type: `pulumi up`, preview and `destroy --run-program`, from the project's own files."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from lifecycle.adapters.aws.compute import Ec2Compute
from lifecycle.adapters.aws.session import Session
from lifecycle.adapters.aws.table import DynamoTable
from lifecycle.bootstrap import aws as bootstrap
from lifecycle.bootstrap.stack import controller_program
from lifecycle.control.loop import Controller
from lifecycle.control.upkeep import Upkeep
from lifecycle.model.codec import convert
from lifecycle.model.errors import SpecError
from lifecycle.model.foundation import Foundation
from lifecycle.model.holds import Allowance
from lifecycle.model.ids import urn_name
from lifecycle.model.records import DrainOutcome, Placement, SpecRecord
from lifecycle.ports.provisioner import Outcome
from lifecycle.specfile import load
from lifecycle.system.processes import myself
from lifecycle.tracker.controller import ControllerTracker
from lifecycle.tracker.lease import Leases
from stacks.ground import Ground
from tests.builders import but
from tests.doubles.aws import REGION, AwsDouble
from tests.doubles.provider import ProviderDouble
from tests.engine.conftest import by_hand
from tests.engine.engine import Engine, Ran
from tests.engine.test_fleet import IMAGE, REFUSED, Site
from tests.engine.test_foundation import outputs

pytestmark = pytest.mark.engine

SPEC = """\
version: 1
fleet: {fleet}
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
USUAL = {
    "fleet": "f",
    "provider": "aws",
    "region": REGION,
    "nodes": 3,
    "type": "g5.2xlarge",
    "image": IMAGE,
    "more": "",
}


class Idle:
    """A provisioner whom nobody asks for machines."""

    def converge(self, fleet: str, placements: Sequence[Placement]) -> Sequence[Outcome]:
        raise AssertionError(placements)

    def differences(self, fleet: str) -> Sequence[str]:
        return ()

    def share(self, fleet: str) -> None:
        """Nothing is shared."""

    def dismantle(self, fleet: str) -> None:
        """Nothing is left."""


@dataclass(kw_only=True)
class Desk(Site):
    """A person at a checkout with a foundation, whose fleet `f` is declared in specs/f.yaml."""

    foundation: Foundation

    def writes(self, file: str = "specs/f.yaml", **fields: Any) -> None:
        path = self.engine.project / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(SPEC.format(**{**USUAL, **fields}))
        with suppress(SpecError):
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

    @property
    def generation(self) -> int | str | None:
        """That of the spec of record, or what becomes of the fleet."""
        return self.record and ("destroying" if self.record.destroying else self.record.generation)

    def controls(self, *nodes: str) -> Ran:
        """An update of the controller's: focused on these nodes, or on all that there is."""
        targets = [f"**Instance::{urn_name(node)}" for node in nodes] + ["**TableItem::record"]
        which = frozenset(nodes or self.stored())
        self.engine.serve(controller_program(bootstrap.Site(self.foundation))("f", which))
        ran = self.engine.up(refresh=True, **({"target": targets} if nodes else {}))
        self.engine.serve(by_hand)
        return ran

    def ticks(self) -> None:
        """One tick of a controller that makes and ends no machine."""
        site = bootstrap.Site(self.foundation)
        leases = Leases(site.table, site.clock, host="here", process=myself(), who="controller")
        Controller(
            tracker=site.tracker,
            leases=leases,
            compute=site.compute,
            provisioner=Idle(),
            upkeep=Upkeep(site.tracker, site.store, site.clock),
            clock=site.clock,
            wake=site.wake,
            who="controller",
        ).tick("f")

    def rows(self) -> list[Any]:
        return Session(REGION).client("dynamodb").scan(TableName=self.ground.names.table)["Items"]


@pytest.fixture
def desk(founded: Engine, provider: ProviderDouble) -> Desk:
    foundation = convert(outputs(founded), Foundation)
    table = DynamoTable(Session(REGION).client("dynamodb"), foundation.table)
    sitting = Desk(
        foundation=foundation,
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
    desk.says("steady:rollback", "true")
    desk.ups(nodes=3)
    assert desk.stored()["f/t/2"].incarnation == 2
    assert desk.record is not None
    assert desk.record.generation == 3


def test_another_type_replaces_each_machine_after_its_drain(desk: Desk) -> None:
    desk.ups(nodes=2)
    desk.train()
    before = desk.live()
    with desk.agents():
        ran = desk.ups(nodes=2, type="g6.2xlarge")
    assert all(f"{node}: drained: saved" in ran.output for node in before)
    assert not {*before.values()} & {*desk.live().values()}
    assert {placement.incarnation for placement in desk.stored().values()} == {2}


def test_another_image_and_a_machine_that_has_gone_are_other_machines_too(desk: Desk) -> None:
    desk.ups(nodes=2)
    gone = desk.live()["f/t/1"]
    Session(REGION).client("ec2").terminate_instances(InstanceIds=[gone])
    desk.ups(nodes=2)
    assert {node: p.incarnation for node, p in desk.stored().items()} == {"f/t/0": 1, "f/t/1": 2}
    desk.ups(nodes=2, image="ami-03cf127a")
    assert {node: p.incarnation for node, p in desk.stored().items()} == {"f/t/0": 2, "f/t/1": 3}


# ---- what AWS does not do, or does not say ---------------------------------------------------------


def test_a_creation_that_aws_refused_may_be_tried_again_at_once(desk: Desk, aws: AwsDouble) -> None:
    desk.writes(nodes=1)
    with aws.fault("ec2.RunInstances", status=500, code="InsufficientInstanceCapacity"):
        refused = desk.engine.up()
    assert "InsufficientInstanceCapacity" in refused.output
    desk.ups(nodes=1)
    assert desk.stored()["f/t/0"].incarnation == 1


def test_a_machine_whose_making_was_not_answered_is_not_made_twice(desk: Desk, aws: AwsDouble) -> None:
    desk.writes(nodes=1)
    with aws.fault("ec2.RunInstances", lose_answer=True):
        assert desk.engine.up().code != 0
    (made,) = desk.live().values()
    again = desk.engine.up()
    assert f"incarnation 1 is taken by {made}; nothing was made; `steady reconcile" in again.output
    assert [*desk.live().values()] == [made]


# ---- ending ----------------------------------------------------------------------------------------


def test_destroy_saves_every_machine_first_and_the_next_tick_ends_the_record(desk: Desk) -> None:
    desk.ups(nodes=2)
    desk.train()
    assert "--run-program" in desk.engine.destroy().output
    assert len(desk.live()) == 2
    with desk.agents():
        ended = desk.engine.destroy(run_program=True)
    assert ended.code == 0, ended.output
    assert (desk.live(), desk.engine.resources()) == ({}, {})
    assert desk.generation == "destroying"
    desk.ticks()
    assert desk.record is None


def test_a_refused_destroy_keeps_what_a_save_needs_and_the_override_loses_one_machine(desk: Desk) -> None:
    desk.ups(nodes=2)
    desk.train()
    (stays,) = (instance for node, instance in desk.live().items() if node == "f/t/1")
    with desk.agents(n1=REFUSED):
        refused = desk.engine.destroy(run_program=True)
    assert f"steady allow-loss {stays}" in refused.output
    assert desk.live() == {"f/t/1": stays}
    assert {"node", "nodes", "f.t.1"} <= {name.split("::")[-1] for name in desk.engine.resources()}
    desk.tracker.allow_loss("f", Allowance(instance=stays, reason="a test run", by="me", at=time.time()))
    with desk.agents(n1=DrainOutcome.FORCED):
        ended = desk.engine.destroy(run_program=True)
    assert ended.code == 0, ended.output
    assert (desk.live(), desk.engine.resources()) == ({}, {})


def test_up_after_a_refused_destroy_revives_the_fleet(desk: Desk) -> None:
    desk.ups(nodes=1)
    desk.train()
    before = desk.live()
    with desk.agents(n0=REFUSED):
        assert desk.engine.destroy(run_program=True).code != 0
    assert desk.generation == "destroying"
    desk.ups(nodes=1)
    assert (desk.live(), desk.generation) == (before, 3)


# ---- beside the controller -------------------------------------------------------------------------


def test_a_person_and_the_controller_change_nothing_of_each_others(desk: Desk) -> None:
    desk.ups(nodes=2)
    before = desk.live()
    desk.tracker.place("f", but(desk.stored()["f/t/0"], incarnation=2), None)
    replaced = desk.controls("f/t/0")
    assert replaced.code == 0, replaced.output
    assert (desk.live()["f/t/0"] != before["f/t/0"], desk.live()["f/t/1"]) == (True, before["f/t/1"])
    again = desk.engine.up(refresh=True)
    assert (again.code, set(again.changes)) == (0, {"same"}), again.output


def test_a_stack_that_the_controller_made_is_the_same_to_a_person(desk: Desk) -> None:
    desk.ups(nodes=1)
    assert desk.engine.destroy(run_program=True).code == 0
    desk.tracker.set_spec(but(desk.record, destroying=False, generation=3), None)
    desk.tracker.place("f", but(desk.stored()["f/t/0"], incarnation=2), None)
    made = desk.controls()
    assert (made.code, set(made.changes)) == (0, {"create"}), made.output
    again = desk.engine.up(refresh=True)
    assert (again.code, set(again.changes)) == (0, {"same"}), again.output


def test_the_controllers_update_never_replaces_a_machine_under_the_incarnation_it_has(desk: Desk) -> None:
    desk.ups(nodes=1)
    before = desk.live()
    assert desk.record is not None
    desk.writes(nodes=1, image="ami-03cf127a")
    desk.tracker.set_spec(but(desk.record, spec=desk.spec, generation=2), None)
    ran = desk.controls("f/t/0")
    assert (ran.code, desk.live()) == (0, before), ran.output
    assert ran.steps("update") == ["record"]


def test_what_a_killed_update_left_of_the_stake_is_in_nobodys_way(desk: Desk) -> None:
    desk.table.put("f", "stack", "f", b"{}")
    desk.ups(nodes=1)
    assert desk.generation == 1


# ---- refused before anything is made ---------------------------------------------------------------

REFUSALS: list[tuple[dict[str, str], str]] = [
    ({"more": "surplus: 1\n"}, "f.yaml:15:1"),
    ({"provider": "local", "region": "null"}, "f.yaml"),
    ({"region": "eu-west-1"}, "`pulumi config set aws:region eu-west-1`"),
]


def test_a_wrong_spec_is_refused_in_preview_and_up(desk: Desk) -> None:
    for fields, said in REFUSALS:
        desk.writes(**fields)
        ran = desk.engine.preview()
        assert (ran.code != 0, said in ran.output) == (True, True), ran.output
    assert desk.engine.up().code != 0
    assert (desk.rows(), desk.engine.resources()) == ([], {})


def test_another_fleets_spec_another_region_and_no_spec_are_refused(desk: Desk) -> None:
    desk.says("steady:spec", "specs/examples/aws.yaml")
    assert "declares the fleet 'llm-7b', and this stack is 'f'" in desk.engine.preview().output
    desk.says("steady:spec", "specs/none.yaml")
    assert "none.yaml: no such file" in desk.engine.preview().output
    desk.engine.select("e", {"steady:spec": str(desk.engine.project / "specs" / "e.yaml")})
    desk.writes("specs/e.yaml", fleet="e", region="eu-west-1")
    desk.says("aws:region", "eu-west-1")
    assert "there is no foundation in eu-west-1; `pulumi stack select" in desk.engine.preview().output
    desk.engine.run("stack", "init", "foundation-eu-west-1", "--no-select")
    assert "foundation-eu-west-1 is not up, or not up to date" in desk.engine.preview().output


def test_an_image_that_is_not_there_is_refused_before_anything_is_made(desk: Desk) -> None:
    desk.writes(image="ami-0123456789abcdef0")
    for ran in (desk.engine.preview(), desk.engine.up()):
        assert ran.code != 0
        assert re.search(r"f\.yaml:\d+:\d+: pools\.t\.image: 'ami-0123456789abcdef0' is not an image", ran.output)
        assert "specs/f.yaml` ends the fleet as it is" in ran.output
    assert (desk.rows(), desk.engine.resources()) == ([], {})


def test_the_image_of_machines_that_stay_may_be_gone_and_so_may_that_of_a_fleet_that_ends(desk: Desk) -> None:
    desk.ups(nodes=2)
    Session(REGION).client("ec2").deregister_image(ImageId=IMAGE)
    desk.ups(nodes=1)
    assert [*desk.live()] == ["f/t/0"]
    ended = desk.engine.destroy(run_program=True)
    assert (ended.code, desk.live(), desk.engine.resources()) == (0, {}, {}), ended.output


def test_a_tracker_that_cannot_be_read_is_an_error_and_no_default(desk: Desk, aws: AwsDouble) -> None:
    with aws.fault("dynamodb.", status=500, code="InternalServerError"):
        for ran in (desk.engine.preview(), desk.engine.up()):
            assert "DynamoDB" in ran.output
            assert ran.code != 0
    assert desk.engine.resources() == {}


def test_a_fleet_is_taken_from_another_file_or_emptied_only_when_that_is_said(desk: Desk) -> None:
    desk.ups(nodes=1)
    desk.says("steady:spec", str(desk.engine.project / "other.yaml"))
    desk.writes("other.yaml", nodes=0)
    assert "`pulumi config set steady:takeOver true`" in desk.engine.up().output
    desk.says("steady:takeOver", "true")
    assert "`pulumi config set steady:allowEmpty true`" in desk.engine.up().output
    assert (len(desk.live()), desk.generation) == (1, 1)
    desk.says("steady:allowEmpty", "true")
    emptied = desk.engine.up()
    assert (emptied.code, desk.live(), desk.generation) == (0, {}, 2), emptied.output

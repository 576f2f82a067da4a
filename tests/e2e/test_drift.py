"""What people change behind our back, on real machines and on EC2: put back, told, and fought over only so long."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from lifecycle.bootstrap import cloud, controller
from lifecycle.bootstrap.aws import Site
from lifecycle.control.loop import Ticked
from lifecycle.model.corrections import Correction
from lifecycle.model.ids import NodeName
from lifecycle.model.records import Phase
from lifecycle.model.states import InstanceState
from lifecycle.model.world import Machine
from tests.builders import a_record, a_spec
from tests.doubles import ground
from tests.doubles.aws import REGION, AwsDouble
from tests.doubles.maker import Maker
from tests.e2e.stage import Stage, wait_until
from tests.e2e.test_bad_input import complaint

NODE = NodeName.parse("f/t/0")


def conditions(shown: dict[str, Any], kind: str) -> list[str]:
    (node,) = shown["fleets"][0]["nodes"]
    return [each["message"] for each in node["conditions"] if each["type"] == kind]


def test_a_fight_over_a_machines_power_is_broken_off_and_told(stage: Stage) -> None:
    """Twice within the hour it was put back already; the third time is real, and the last."""
    stage.declare(market="on_demand", train={"hyperparameters": {"steps": 100_000, "seed": 7}}).apply()
    control = controller.local(stage.state)
    twice = Correction(node=str(NODE), field="power", times=(time.time() - 60, time.time() - 30), generation=1)
    control.tracker.note_correction("f", twice, None)
    stopped(control)
    wait_until(lambda: trains(control), "it was put back, and trains")
    stopped(control)
    assert control.controller.tick("f").plan.actions == ()
    (told,) = conditions(stage.document("status", "f"), "Contested")
    assert "(by: `steady local stop` by " in told


def trains(control: controller.Control) -> bool:
    report = control.controller.tick("f").observed.reports[str(NODE)]
    return report.phase is Phase.TRAINING


def stopped(control: controller.Control) -> None:
    """Somebody stops the machine at the local console, and it is off."""
    assert control.console is not None
    machine = control.console.stop(NODE)
    wait_until(lambda: machine.id in _off(control), "it is off")


def _off(control: controller.Control) -> set[str]:
    observed, _ = control.controller.look("f")
    return {machine.id for machine in observed.machines or () if machine.state == "stopped"}


def test_an_earlier_spec_needs_a_word(stage: Stage) -> None:
    stage.declare(nodes=0).apply()
    first = stage.spec.read_text()
    stage.declare(nodes=0, market="on_demand").apply()
    stage.spec.write_text(first)
    assert "this text was applied before generation 2" in complaint(stage.apply("--accept-unproven", code=6))
    stage.apply("--accept-unproven", "--rollback")


# ---- on AWS ----------------------------------------------------------------------------------------


class Region:
    """The fleet in this process: its controller, and the console."""

    def __init__(self, site: Site, image: str) -> None:
        self.site, self.ec2 = site, site.session.client("ec2")
        spec = msgspec.structs.replace(
            a_spec(market="on_demand", instance_types=["m5.large"], zones=["us-east-1a"], image=image),
            provider="aws",
            region=REGION,
        )
        site.tracker.set_spec(a_record(spec), None)
        self.controller = cloud.control(site.foundation, Maker(site, image)).controller
        self.tick(2)

    def tick(self, times: int) -> Ticked:
        for _ in range(times):
            found = self.controller.tick("f")
        return found

    @property
    def machine(self) -> Machine:
        (found,) = (each for each in self.site.compute.machines("f") if each.live)
        return found


@pytest.fixture
def region(aws: AwsDouble) -> Region:
    return Region(Site(ground.laid()), ground.image())


def test_a_machine_stopped_in_ec2s_console_runs_again_within_two_ticks(region: Region) -> None:
    before = region.machine
    region.ec2.stop_instances(InstanceIds=[before.id])
    assert region.machine.said.startswith("User initiated (")
    region.tick(2)
    assert (region.machine.id, region.machine.state) == (before.id, InstanceState.RUNNING)
    (counted,) = region.site.tracker.observe("f").corrections
    assert (counted.field, counted.said[:16]) == ("power", "User initiated (")


def test_another_group_and_a_lost_tag_are_told_within_two_ticks(region: Region) -> None:
    for name in ("nodes", "open"):
        group = region.ec2.create_security_group(GroupName=name, Description=name)["GroupId"]
        region.ec2.modify_instance_attribute(InstanceId=region.machine.id, Groups=[group])
        region.tick(1)
    region.ec2.delete_tags(Resources=[region.machine.id], Tags=[{"Key": "Name"}])
    found = {each.field: each.actual for each in region.tick(1).plan.drift}
    assert found == {"security_group": group, "tags": "no Name"}


def test_an_image_that_is_no_longer_declared_is_told_and_the_machine_kept(region: Region) -> None:
    record = region.site.tracker.spec("f")
    assert record is not None
    pool = msgspec.structs.replace(record.spec.pools["t"], image="ami-2")
    spec = msgspec.structs.replace(record.spec, pools={"t": pool})
    before = region.machine
    region.site.tracker.set_spec(a_record(spec, generation=2), None)
    found = {each.field: (each.desired, each.policy) for each in region.tick(2).plan.drift}
    assert (found, region.machine.id) == ({"image": ("ami-2", "report")}, before.id)

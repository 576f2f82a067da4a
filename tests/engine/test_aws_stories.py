"""Whole stories on AWS: real engine, real commands, real agents; only EC2, DynamoDB, S3 and SQS are doubles.

Each story has a fleet of its own on one foundation, and machines that train for real.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lifecycle.bootstrap import cloud
from lifecycle.model import tags
from tests.doubles.aws import AwsDouble
from tests.doubles.provider import ProviderDouble
from tests.e2e.stage import undisturbed, wait_until
from tests.engine.region import IMAGE, PATIENCE, TYPES, ZONES, AwsStage, Region, made

pytestmark = [pytest.mark.engine, pytest.mark.slow]

LONG = {"hyperparameters": {"steps": 100_000, "seed": 7}}
"""For stories that end before the training does."""

STEPS = 1500
SOME = {"hyperparameters": {"steps": STEPS, "seed": 7}, "on_completion": "keep"}
"""A minute of training, for stories that end with it."""

ORDERS = itertools.count(1)


@pytest.fixture(scope="module")
def region(aws_server: AwsDouble, cli: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Region]:
    """One foundation for all stories: it takes most of ten seconds."""
    from moto.moto_api._internal import moto_api_backend

    moto_api_backend.reset()
    aws_server.ec2.clear()
    provider = ProviderDouble(aws_server.endpoint)
    with pytest.MonkeyPatch.context() as patched:
        for name, value in aws_server.env.items():
            patched.setenv(name, value)
        built = Region(tmp_path_factory.mktemp("region"), cli, provider, aws_server)
        for name, value in built.env.items():
            patched.setenv(name, value)
        yield built
        built.close()
    provider.close()


@pytest.fixture
def stage(region: Region) -> Iterator[AwsStage]:
    region.aws.faults.clear()
    region.aws.ec2.clear()
    built = AwsStage(region, f"s{next(ORDERS)}")
    yield built
    built.close()


def trains(stage: AwsStage, nodes: int = 1, step: int = 1, **pool: Any) -> AwsStage:
    """The fleet, made by a person's `pulumi up`, with every node at this step or later."""
    stage.declare(nodes=nodes, **{"train": LONG, **pool})
    made(stage.pulumi_up())
    stage.tick_until(lambda: all(stage.step(index) >= step for index in range(nodes)), f"{nodes} nodes train")
    return stage


# ---- by hand and by the controller ---------------------------------------------------------------


def test_three_spot_nodes_made_by_hand_train_and_status_shows_them(stage: AwsStage) -> None:
    trains(stage, nodes=3)
    for index in range(3):
        node = stage.node(index)
        assert (node["state"], node["instance"]) == ("running", stage.instance(index))
        assert stage.region.console.described(node["instance"])["InstanceLifecycle"] == "spot"
        assert {*tags.IDENTITY} <= {*stage.region.console.tags(node["instance"])}


def test_a_persons_update_after_the_controllers_changes_nothing_and_the_reverse(stage: AwsStage) -> None:
    trains(stage, nodes=2)
    stage.region.console.terminate(stage.instance(0))
    stage.tick_until(lambda: len(stage.live()) == 2 and stage.step(0) > 0, "the controller's own machine trains")
    assert {*made(stage.pulumi_up(refresh=True)).changes} <= {"same"}
    with stage.changes() as changed:
        stage.settled()
    assert changed == []


def test_a_fleet_made_by_the_controller_is_the_same_to_a_person(stage: AwsStage) -> None:
    stage.declare(nodes=2, train=LONG)
    stage.apply()
    assert {*made(stage.pulumi_up(refresh=True)).changes} <= {"same"}
    assert len(stage.live()) == 2


def test_a_steady_tick_changes_nothing_and_lists_machines_once(stage: AwsStage) -> None:
    trains(stage, nodes=2)
    stage.settled()
    controller = cloud.control(stage.region.foundation).controller
    stage.region.aws.calls.clear()
    controller.tick(stage.fleet)
    assert stage.region.aws.mutations == {}
    assert stage.region.aws.calls["ec2.DescribeInstances"] == 1


# ---- what AWS does -------------------------------------------------------------------------------


def test_a_spot_interruption_costs_no_step_and_touches_no_other_machine(stage: AwsStage) -> None:
    trains(stage, nodes=3, step=60, train=SOME)
    foreign, before = stage.region.console.launch(IMAGE), stage.live()
    stage.region.host.notice(stage.instance(0), lead=8.0)
    wait_until(lambda: len(stage.live()) == 2, "EC2 has taken the machine")
    with stage.changes() as changed:
        stage.tick(times=2)
    replaced, kept = f"{stage.fleet}/t/0", {node: stage.live()[node] for node in [*before][1:]}
    assert [(op, name) for op, _, name in changed] == [("create", replaced.replace("/", "."))]
    assert stage.live()[replaced] != before[replaced]
    assert kept.items() <= before.items()
    stage.run_to_the_end()
    assert [stage.weights(index) for index in range(3)] == [undisturbed(STEPS)] * 3
    assert [stage.lost(index) for index in range(3)] == [0, 0, 0]
    assert stage.run(0)["attempts"][0]["cause"] == "spot"
    assert stage.region.console.state(foreign) == "running"


def test_capacity_refused_in_the_first_zone_is_found_elsewhere(stage: AwsStage) -> None:
    stage.declare(train=LONG)
    with stage.region.aws.ec2.no_capacity(instance_type=TYPES[0], zone=ZONES[0]) as short:
        stage.apply()
    made_of = stage.region.console.described(stage.instance())
    assert short.met > 0
    assert (made_of["InstanceType"], made_of["Placement"]["AvailabilityZone"]) != (TYPES[0], ZONES[0])
    assert "InsufficientInstanceCapacity" in stage.steady("why", f"{stage.fleet}/t/0").stdout


def test_no_spot_capacity_anywhere_falls_back_after_its_time(stage: AwsStage) -> None:
    stage.declare(train=LONG, fallback={"to": "on_demand", "after": "1s"})
    with stage.region.aws.ec2.no_capacity(market="spot") as short:
        stage.apply()
    assert short.met >= len(TYPES) * len(ZONES)
    assert "InstanceLifecycle" not in stage.region.console.described(stage.instance())
    assert stage.node()["market"] == "on_demand"


def test_a_lost_answer_to_a_creation_makes_one_machine(stage: AwsStage) -> None:
    stage.declare(train=LONG)
    with stage.region.aws.fault("ec2.RunInstances", times=1, lose_answer=True) as lost:
        stage.steady("apply", str(stage.spec), "--yes", code=None)
    stage.tick_until(lambda: stage.in_state() == [f"{stage.fleet}.t.0"], "the machine is taken up")
    assert stage.step() > 0
    assert (lost.met, len(stage.live())) == (1, 1)
    assert {*made(stage.pulumi_up(refresh=True)).changes} <= {"same"}


@pytest.mark.parametrize("operation", ["dynamodb", "s3"])
def test_nodes_ride_out_a_service_that_fails_for_a_while(stage: AwsStage, operation: str) -> None:
    trains(stage, step=20, train=SOME)
    with stage.region.aws.fault(operation, status=503, code="SlowDown", times=60) as fault:
        wait_until(lambda: fault.met > 10, "the fault is felt")
    stage.run_to_the_end()
    assert stage.weights() == undisturbed(STEPS)
    assert (stage.lost(), len(stage.run()["attempts"])) == (0, 1)


# ---- what people do in the console ---------------------------------------------------------------


def test_a_machine_terminated_in_the_console_is_replaced_within_two_ticks(stage: AwsStage) -> None:
    trains(stage, step=20, train=SOME)
    before = stage.instance()
    stage.region.console.terminate(before)
    wait_until(lambda: stage.region.console.state(before) == "terminated", "EC2 has ended it")
    stage.tick(times=2)
    assert stage.instance() != before
    stage.run_to_the_end()
    assert stage.weights() == undisturbed(STEPS)


def test_a_machine_stopped_in_the_console_is_started_again_within_two_ticks(stage: AwsStage) -> None:
    trains(stage, step=20, market="on_demand")
    before = stage.instance()
    stage.region.console.stop(before)
    wait_until(lambda: stage.region.console.state(before) == "stopped", "EC2 has stopped it")
    stage.tick(times=2)
    assert stage.instance() == before


@pytest.mark.parametrize(("key", "value"), [("Name", "mine"), (tags.NODE, "x/t/9"), (tags.INCARNATION, "7")])
def test_a_tag_changed_in_the_console_is_put_back_within_two_ticks(stage: AwsStage, key: str, value: str) -> None:
    trains(stage)
    instance, before = stage.instance(), stage.region.console.tags(stage.instance())
    stage.region.console.tag(instance, key, value)
    stage.tick(times=2)
    assert stage.region.console.tags(instance)[key] == before[key]
    assert stage.live() == {f"{stage.fleet}/t/0": instance}


def test_a_port_opened_in_the_console_is_reported(stage: AwsStage) -> None:
    trains(stage)
    (group,) = stage.region.console.groups(stage.instance())
    stage.region.console.open_port(group, 22)
    stage.tick(times=2)
    assert "SharedDrift" in stage.steady("status", stage.fleet).stdout

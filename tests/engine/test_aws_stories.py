"""Whole stories on AWS: real engine, real commands, real agents; only EC2, DynamoDB, S3 and SQS are doubles.

Here AWS takes, refuses and breaks. Each story has a fleet of its own, whose machines train for real; they share a
foundation.
"""

from __future__ import annotations

import os
import signal

import pytest

from lifecycle.model.errors import SteadyError
from tests.e2e.stage import undisturbed, wait_until
from tests.engine.region import IMAGE, LONG, SOME, STEPS, TYPES, ZONES, AwsStage, made

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.story]


def test_a_spot_interruption_costs_no_step_and_touches_no_other_machine(stage: AwsStage) -> None:
    stage.trains(nodes=3, train=SOME)
    foreign, before = stage.region.console.launch(IMAGE), stage.live()
    stage.region.host.notice(stage.instance(0), lead=6.0)
    wait_until(lambda: len(stage.live()) == 2, "EC2 has taken the machine")
    with stage.changes() as changed:
        stage.tick(times=2)
    replaced = f"{stage.fleet}/t/0"
    assert [(op, name) for op, _, name in changed] == [("create", replaced.replace("/", "."))]
    assert {node for node, instance in stage.live().items() if before[node] != instance} == {replaced}
    stage.run_to_the_end()
    runs = stage.runs()
    assert [run["result"]["weights"] for run in runs] == [undisturbed(STEPS)] * 3
    assert [run["lost_steps"] for run in runs] == [{}, {}, {}]
    assert runs[0]["attempts"][0]["cause"] == "spot"
    assert stage.region.console.state(foreign) == "running"


def test_a_whole_life_by_steady_alone(stage: AwsStage) -> None:
    stage.declare(train=SOME | {"on_completion": "terminate"}).apply()
    controller = stage.controller()
    wait_until(lambda: stage.live() and stage.step() > 20, "it trains")
    stage.region.host.notice(stage.instance(), lead=6.0)
    assert controller.wait(120) == 0
    stage.steady("destroy", str(stage.spec), "--yes")
    assert (stage.live(), stage.fleet in stage.stacks()) == ({}, False)
    (run,) = stage.runs()
    assert (run["result"]["weights"], run["lost_steps"], len(run["attempts"])) == (undisturbed(STEPS), {}, 2)


def test_a_machine_that_breaks_is_replaced_and_its_loss_is_a_lower_bound(stage: AwsStage) -> None:
    stage.trains(nodes=2, step=60)
    broken, silent = stage.instances()
    stage.region.host.kill(broken)
    for pid in stage.region.host.machine(silent).pids:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: silent in stage.region.aws.ec2.impaired, "EC2's checks fail")
    stage.tick_until(
        lambda: not {broken, silent} & {*stage.instances()} and len(stage.live()) == 2, "both are replaced"
    )
    stage.tick_until(lambda: stage.step(0) > 60 and stage.step(1) > 60, "both train on")
    for run in stage.runs():
        assert (run["attempts"][0]["cause"], run["lost_steps_exact"]) == ("hardware", False)
        assert run["attempts"][1]["from_step"] > 0


# ---- capacity ------------------------------------------------------------------------------------


def test_capacity_refused_in_the_first_zone_is_found_elsewhere(stage: AwsStage) -> None:
    stage.declare(train=LONG)
    with stage.region.aws.ec2.no_capacity(instance_type=TYPES[0], zone=ZONES[0]) as short:
        stage.apply()
    made_of = stage.region.console.described(stage.instance())
    assert short.met > 0
    assert (made_of["InstanceType"], made_of["Placement"]["AvailabilityZone"]) == (TYPES[0], ZONES[1])
    assert "InsufficientInstanceCapacity" in stage.steady("why", f"{stage.fleet}/t/0").stdout


def test_no_spot_capacity_anywhere_falls_back_after_its_time(stage: AwsStage) -> None:
    stage.declare(train=LONG, fallback={"to": "on_demand", "after": "1s"})
    with stage.region.aws.ec2.no_capacity(market="spot") as short:
        stage.apply()
    assert short.met >= len(TYPES) * len(ZONES)
    assert "InstanceLifecycle" not in stage.region.console.described(stage.instance())
    assert stage.node()["market"] == "on_demand"


# ---- services that fail --------------------------------------------------------------------------


def test_a_lost_answer_to_a_creation_makes_one_machine(stage: AwsStage) -> None:
    stage.declare(train=LONG)
    with stage.region.aws.fault("ec2.RunInstances", times=1, lose_answer=True) as lost:
        stage.steady("apply", str(stage.spec), "--yes", code=None)
    stage.tick_until(lambda: stage.in_state() == [f"{stage.fleet}.t.0"], "the machine is taken up")
    assert (lost.met, len(stage.live())) == (1, 1)
    assert {*made(stage.pulumi_up(refresh=True)).changes} <= {"same"}


def test_nodes_and_controller_ride_out_services_that_fail_for_a_while(stage: AwsStage) -> None:
    stage.trains(step=20, train=SOME)
    for service in ("dynamodb", "s3"):
        with stage.region.aws.fault(f"{service}[.]", status=503, code="SlowDown", times=60) as fault:
            wait_until(lambda: fault.met > 10, "the fault is felt")
            if service == "dynamodb":
                with pytest.raises(SteadyError, match="DynamoDB"):
                    stage.tick()
    assert stage.tick(times=2).record.errors == ()
    stage.run_to_the_end()
    (run,) = stage.runs()
    assert (run["result"]["weights"], run["lost_steps"], len(run["attempts"])) == (undisturbed(STEPS), {}, 1)

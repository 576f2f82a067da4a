"""Whole stories on AWS: what people do, in the console and with `pulumi`, to a fleet that trains.

Everything is real but EC2, IAM, DynamoDB and S3. Each story has a fleet of its own; they share a foundation.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lifecycle.model import tags
from tests.e2e.stage import wait_until
from tests.engine.region import LONG, PATIENCE, AwsStage, made

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.story]


# ---- by hand and by the controller ---------------------------------------------------------------


def test_three_spot_nodes_made_by_hand_train_and_a_tick_has_nothing_to_change(stage: AwsStage) -> None:
    stage.trains(nodes=3).settled()
    shown = stage.document("status", stage.fleet)["fleets"][0]["nodes"]
    assert [(node["state"], node["instance"]) for node in shown] == [
        ("running", each) for each in stage.instances()
    ]
    for instance in stage.instances():
        assert stage.region.console.described(instance)["InstanceLifecycle"] == "spot"
        assert {*tags.IDENTITY} <= {*stage.region.console.tags(instance)}
    stage.region.aws.calls.clear()
    assert stage.reconcile()["converged"]
    assert stage.region.aws.mutations == {}
    assert stage.region.aws.calls["ec2.DescribeInstances"] == 1


def test_a_fleet_made_by_the_controller_is_the_same_to_a_person(stage: AwsStage) -> None:
    stage.declare(nodes=2, train=LONG).apply()
    assert {*made(stage.pulumi_up(refresh=True)).changes} <= {"same"}
    assert len(stage.live()) == 2


def test_a_machine_terminated_in_the_console_is_replaced_and_that_is_the_same_to_a_person(stage: AwsStage) -> None:
    before = stage.trains(nodes=2, step=20).instances()
    stage.region.console.terminate(before[0])
    wait_until(lambda: stage.region.console.state(before[0]) == "terminated", "EC2 has ended it")
    stage.tick(times=2)
    assert [new == old for new, old in zip(stage.instances(), before, strict=True)] == [False, True]
    assert {*made(stage.pulumi_up(refresh=True)).changes} <= {"same"}
    with stage.changes() as changed:
        stage.settled()
    assert changed == []
    first, second = stage.run()["attempts"]
    assert (first["cause"], second["from_step"] > 0) == ("operator", True)


def test_scale_in_and_destroy_typed_by_hand_save_first_and_the_override_loses_one(stage: AwsStage) -> None:
    saves_when_asked = {"arguments": ("--save-every", "0"), "checkpoint": {"every": "10m"}, "stop": {"grace": "4s"}}
    stage.trains(nodes=3, step=20, **saves_when_asked)
    stage.declare(nodes=2, train=LONG, **saves_when_asked)
    assert f"{stage.fleet}/t/2: its run is stopped, saved at step" in made(stage.pulumi_up()).output
    stuck = stage.instance(1)
    os.kill(stage.trainer_pid(stuck), signal.SIGSTOP)
    refused = stage.pulumi_destroy()
    assert f"steady allow-loss {stuck}" in refused.output
    assert stage.live() == {f"{stage.fleet}/t/1": stuck}
    assert {"node", "nodes", f"{stage.fleet}.t.1"} <= {
        name.split("::")[-1] for name in stage.region.engine.resources()
    }
    stage.steady("allow-loss", stuck, "--reason", "a test run")
    made(stage.pulumi_destroy())
    assert (stage.live(), stage.region.engine.resources()) == ({}, {})
    stage.tick()
    assert [bool(run["attempts"][0]["forced"]) for run in stage.runs()] == [False, True, False]


@contextmanager
def under_way(stage: AwsStage) -> Iterator[threading.Event]:
    """A person's `pulumi up` that holds the stack's lock until the event is set."""
    asked, go = threading.Event(), threading.Event()

    def wait() -> None:
        asked.set()
        assert go.wait(PATIENCE)

    stage.region.provider.interpose(wait)
    hand = threading.Thread(target=stage.pulumi_up, kwargs={"refresh": True})
    hand.start()
    try:
        assert asked.wait(PATIENCE)
        yield go
    finally:
        go.set()
        hand.join(PATIENCE)
        stage.region.provider.interpose(lambda: None)


def test_a_tick_that_finds_a_persons_update_under_way_says_so_and_goes_on_after_it(stage: AwsStage) -> None:
    stage.trains(step=20)
    before = stage.instance()
    with under_way(stage):
        stage.region.console.terminate(before)
        wait_until(lambda: stage.region.console.state(before) == "terminated", "EC2 has ended it")
        (error,) = stage.tick().record.errors
        assert f"the stack {stage.fleet} is locked by" in error
    stage.tick_until(lambda: stage.live() and stage.step() > 20, "its successor trains")
    assert stage.run()["attempts"][1]["from_step"] > 0


# ---- in the console ------------------------------------------------------------------------------


def test_a_machine_stopped_in_the_console_is_started_again_within_two_ticks(stage: AwsStage) -> None:
    before = stage.trains(step=20, market="on_demand").instance()
    stage.region.console.stop(before)
    wait_until(lambda: stage.region.console.state(before) == "stopped", "EC2 has stopped it")
    stage.tick(times=2)
    assert stage.instance() == before
    stage.tick_until(lambda: len(stage.run()["attempts"]) == 2, "its run goes on")
    assert stage.lost() == 0


def test_tags_changed_in_the_console_are_put_back_within_two_ticks(stage: AwsStage) -> None:
    stage.trains(nodes=3)
    console, before = stage.region.console, stage.live()
    wrong = {"Name": "mine", tags.NODE: f"{stage.fleet}/t/9", tags.INCARNATION: "7"}
    for instance, (key, value) in zip(stage.instances(), wrong.items(), strict=True):
        console.tag(instance, key, value)
    stage.tick(times=2)
    for node, instance in before.items():
        assert {"Name": node, tags.NODE: node, tags.INCARNATION: "1"}.items() <= console.tags(instance).items()
    assert stage.live() == before


def test_a_machine_tagged_as_another_fleets_is_reported_and_left_alone(stage: AwsStage) -> None:
    before = stage.trains().instance()
    stage.region.console.tag(before, tags.NODE, "x/t/9")
    with stage.changes() as changed:
        stage.tick(times=2)
    assert (changed, stage.region.console.state(before)) == ([], "running")
    said = " ".join(stage.steady("status", stage.fleet).stdout.split())
    assert "somebody changed its steady: tags" in said


def test_a_port_opened_and_a_policy_widened_in_the_console_are_reported_until_the_next_apply(
    stage: AwsStage,
) -> None:
    stage.trains()
    stage.region.console.open_port(*stage.region.console.groups(stage.instance()), port=22)
    stage.region.console.widen(stage.region.console.role(stage.instance()))
    with stage.changes() as changed:
        stage.reconcile()
    said = stage.steady("status", stage.fleet).stdout
    assert (changed, "SharedDrift: security group nodes" in said, "SharedDrift: role policy" in said) == (
        [],
        True,
        True,
    )
    stage.apply()
    assert "SharedDrift" not in stage.steady("status", stage.fleet).stdout
    assert {*made(stage.pulumi_up(refresh=True)).changes} <= {"same"}

"""Machines that the stack did not make: guarded as soon as they are taken up, and never in another's place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lifecycle.model.errors import GuardRefused
from tests.engine.yard import Yard

pytestmark = pytest.mark.engine

INSTANCE = "aws:ec2/instance:Instance"


def a_copy(yard: Yard, instance: str) -> str:
    """What a person's `launch more like this` makes."""
    ec2 = yard.compute._ec2
    (found,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"]
    tags = [tag for tag in found["Tags"] if not tag["Key"].startswith("aws:")]
    made = ec2.run_instances(
        ImageId=found["ImageId"],
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
    )
    return str(made["Instances"][0]["InstanceId"])


def test_what_is_taken_up_is_guarded_before_any_update_has_seen_it(yard: Yard, monkeypatch: Any) -> None:
    yard.made(0)
    with yard.aws.fault("RunInstances", times=1, lose_answer=True):
        yard.converge(1)
    monkeypatch.setattr(yard.provisioner, "_focused", lambda work, ours: pytest.fail("not reached"))
    with pytest.raises(BaseException, match="not reached"):
        yard.converge(1)
    kept = yard.engine.resources_of(INSTANCE)
    assert kept["f.t.1"]["resourceHooks"] == kept["f.t.0"]["resourceHooks"]
    assert set(kept["f.t.1"]["dependencies"]) == set(kept["f.t.0"]["dependencies"])


def test_a_fleet_gets_no_second_stack_in_another_backend(yard: Yard, tmp_path: Path, monkeypatch: Any) -> None:
    yard.made(0)
    monkeypatch.setenv("PULUMI_BACKEND_URL", tmp_path.as_uri())
    with pytest.raises(GuardRefused, match="f has machines, and no stack in this Pulumi backend"):
        yard.converge(1)
    assert sorted(yard.live()) == [0]


def test_a_copy_is_not_taken_up_in_the_place_of_a_machine_that_lives(yard: Yard) -> None:
    yard.made(0)
    mine = yard.kept()["f.t.0"]
    copy = a_copy(yard, mine)
    yard.made(0)
    assert yard.kept()["f.t.0"] == mine
    outcome = yard.converge(0, present=False)[0]
    assert (outcome.orphan, outcome.error) == (None, "")
    assert [machine.id for machine in yard.compute.machines("f") if machine.live] == [copy]

"""The double of the `aws` provider under the real engine: a fleet of two machines, and what befalls it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import boto3
import pulumi
import pytest
from pulumi_aws import ec2, iam

from tests.doubles.aws import AwsDouble
from tests.doubles.provider import ProviderDouble
from tests.engine.engine import Engine

pytestmark = pytest.mark.engine

IMAGE = "ami-12c6146b"
MACHINE = "aws:ec2/instance:Instance"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
RIGHTS = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
)


@dataclass
class Fleet:
    """A program of a role, its profile, a security group and machines; tests change it between two updates."""

    names: Sequence[str] = ("a", "b")
    type: str = "t3.micro"
    tags: Mapping[str, str] = field(default_factory=lambda: {"steady:fleet": "tests"})
    spot: bool = False
    guard: Callable[[pulumi.ResourceHookArgs], Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self) -> None:
        role = iam.Role("node", assume_role_policy=TRUST)
        policy = iam.RolePolicy("node", role=role.name, policy=RIGHTS)
        profile = iam.InstanceProfile("node", role=role.name)
        group = ec2.SecurityGroup("node")
        options = pulumi.ResourceOptions(depends_on=[policy], ignore_changes=['tags["steady:state"]'])
        options = pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(**self.options))
        if self.guard:
            guard = pulumi.ResourceHook("guard", self.guard)
            hooks = pulumi.ResourceOptions(hooks=pulumi.ResourceHookBinding(before_delete=[guard]))
            options = pulumi.ResourceOptions.merge(options, hooks)
        market: Any = (
            {"market_type": "spot", "spot_options": {"spot_instance_type": "one-time"}} if self.spot else None
        )
        for name in self.names:
            ec2.Instance(
                name,
                ami=IMAGE,
                instance_type=self.type,
                iam_instance_profile=profile.name,
                vpc_security_group_ids=[group.id],
                instance_market_options=market,
                metadata_options={"http_tokens": "required"},
                instance_initiated_shutdown_behavior="terminate",
                tags={**self.tags, "Name": name},
                opts=options,
                **self.more,
            )


@pytest.fixture
def fleet(engine: Engine) -> Fleet:
    """A fleet that is up."""
    declared = Fleet()
    engine.serve(declared)
    done = engine.up()
    assert done.code == 0, done.output
    return declared


def machine(engine: Engine, name: str = "a") -> str:
    return str(engine.resources()[name]["id"])


def described(known: str) -> Any:
    found = boto3.client("ec2").describe_instances(InstanceIds=[known])
    return found["Reservations"][0]["Instances"][0]


def tags(known: str) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in described(known).get("Tags", ())}


def tag(known: str, key: str, value: str) -> None:
    boto3.client("ec2").create_tags(Resources=[known], Tags=[{"Key": key, "Value": value}])


def calls(provider: ProviderDouble, *ops: str) -> list[tuple[str, str]]:
    """What was done to machines, in order."""
    return [(op, name) for op, kind, name in provider.calls if kind == MACHINE and op in ops]


def test_machines_are_launched_as_declared_and_then_left_alone(engine: Engine, aws: AwsDouble) -> None:
    engine.serve(Fleet(spot=True, more={"user_data": "#!/bin/sh\n", "root_block_device": {"volume_size": 50}}))
    first = engine.up()
    assert first.code == 0, first.output
    assert first.changes == {"create": 7}

    known = machine(engine)
    found = described(known)
    assert tags(known) == {"steady:fleet": "tests", "Name": "a"}
    assert found["InstanceLifecycle"] == "spot"
    assert found["MetadataOptions"]["HttpTokens"] == "required"
    assert found["IamInstanceProfile"]["Arn"].rpartition("/")[2].startswith("node-")
    assert aws.calls["ec2.CreateTags"] == 0
    outputs = engine.resources()["a"]["outputs"]
    assert outputs["instanceState"] == "running"
    assert outputs["privateIp"] == found["PrivateIpAddress"]

    assert engine.up().changes == {"same": 7}
    assert engine.preview(refresh=True).changes == {"same": 7}


def test_a_preview_creates_nothing(engine: Engine, provider: ProviderDouble) -> None:
    engine.serve(Fleet())
    done = engine.preview()
    assert done.code == 0, done.output
    assert done.changes == {"create": 7}
    assert provider.calls == []


def test_tag_drift_is_corrected_after_a_refresh(engine: Engine, fleet: Fleet) -> None:
    known = machine(engine)
    tag(known, "steady:fleet", "stolen")
    assert engine.up().changes == {"same": 7}
    assert engine.preview(refresh=True).changes == {"same": 6, "update": 1}

    done = engine.up(refresh=True)
    assert done.steps("update") == ["a"], done.output
    assert tags(known)["steady:fleet"] == "tests"


def test_a_state_tag_that_is_ignored_is_left_as_it_is(engine: Engine, fleet: Fleet) -> None:
    known = machine(engine)
    tag(known, "steady:state", "draining")
    assert engine.up(refresh=True).changes == {"same": 7}
    assert tags(known)["steady:state"] == "draining"


def test_a_role_policy_taken_away_comes_back(engine: Engine, fleet: Fleet) -> None:
    client, role = boto3.client("iam"), engine.resources()["a"]["outputs"]["iamInstanceProfile"]
    role = client.get_instance_profile(InstanceProfileName=role)["InstanceProfile"]["Roles"][0]["RoleName"]
    policy = client.list_role_policies(RoleName=role)["PolicyNames"][0]
    client.delete_role_policy(RoleName=role, PolicyName=policy)
    done = engine.up(refresh=True)
    assert (done.code, done.steps("create")) == (0, ["node"]), done.output
    assert client.list_role_policies(RoleName=role)["PolicyNames"]


def test_a_new_type_stops_and_starts_the_machine(engine: Engine, fleet: Fleet, aws: AwsDouble) -> None:
    known = machine(engine)
    fleet.type = "t3.large"
    done = engine.up()
    assert (done.code, sorted(done.steps("update"))) == (0, ["a", "b"]), done.output
    assert machine(engine) == known
    assert described(known)["InstanceType"] == "t3.large"
    assert aws.calls["ec2.StopInstances"] == 2


def test_with_replace_on_changes_a_new_type_is_a_new_machine(engine: Engine, fleet: Fleet, aws: AwsDouble) -> None:
    known = machine(engine)
    fleet.type, fleet.options = "t3.large", {"replace_on_changes": ["instanceType"]}
    done = engine.up()
    assert (done.code, done.changes["replace"]) == (0, 2), done.output
    assert machine(engine) != known
    assert aws.calls["ec2.StopInstances"] == 0


def test_a_spot_machine_cannot_be_stopped_for_its_new_type(engine: Engine) -> None:
    declared = Fleet(names=["a"], spot=True)
    engine.serve(declared)
    engine.up()
    declared.type = "t3.large"
    done = engine.up()
    assert done.code != 0
    assert "You can't stop or start the Spot Instance" in done.output


def test_a_trigger_replaces_in_order_the_old_machine_first(
    engine: Engine, provider: ProviderDouble, aws: AwsDouble
) -> None:
    declared = Fleet(names=["a"], options={"replacement_trigger": "1", "delete_before_replace": True})
    engine.serve(declared)
    assert engine.up().code == 0
    known = machine(engine)
    provider.calls.clear()

    declared.options = {"replacement_trigger": "2", "delete_before_replace": True}
    done = engine.up()
    assert done.code == 0, done.output
    assert calls(provider, "create", "delete") == [("delete", "a"), ("create", "a")]
    assert described(known)["State"]["Name"] == "terminated"
    assert machine(engine) != known


def test_leaving_the_spot_market_is_no_difference_to_the_provider(engine: Engine) -> None:
    declared = Fleet(names=["a"], spot=True)
    engine.serve(declared)
    engine.up()
    known = machine(engine)
    declared.spot = False
    done = engine.up()
    assert done.ops["replace"] == 0, done.output
    assert machine(engine) == known
    assert described(known)["InstanceLifecycle"] == "spot"


def test_a_hook_that_refuses_keeps_the_machine(engine: Engine, provider: ProviderDouble) -> None:
    async def guard(args: pulumi.ResourceHookArgs) -> None:
        raise RuntimeError(f"{args.name} is not saved yet")

    declared = Fleet(guard=guard)
    engine.serve(declared)
    assert engine.up().code == 0
    known = machine(engine, "b")
    provider.calls.clear()

    declared.names = ["a"]
    done = engine.up()
    assert done.code != 0
    assert "b is not saved yet" in done.output
    assert calls(provider, "delete") == []
    assert machine(engine, "b") == known
    assert described(known)["State"]["Name"] == "running"


def test_a_machine_ended_elsewhere_is_dropped_and_made_anew(engine: Engine, fleet: Fleet) -> None:
    known = machine(engine)
    boto3.client("ec2").terminate_instances(InstanceIds=[known])
    assert engine.up().changes == {"same": 7}

    dropped = engine.refresh()
    assert dropped.code == 0, dropped.output
    assert "a" not in engine.resources()

    assert engine.up().steps("create") == ["a"]
    assert machine(engine) != known


def test_a_lack_of_capacity_is_told_by_its_code(engine: Engine, aws: AwsDouble) -> None:
    engine.serve(Fleet(names=["a"]))
    with aws.fault("ec2.RunInstances", code="InsufficientInstanceCapacity", status=500):
        done = engine.up()
    assert done.code != 0
    assert "creating EC2 Instance: operation error EC2: RunInstances" in done.output
    assert "api error InsufficientInstanceCapacity" in done.output
    assert "a" not in engine.resources()
    assert engine.up().steps("create") == ["a"]


def test_a_fleet_with_delete_hooks_is_destroyed_by_its_program_only(
    engine: Engine, provider: ProviderDouble
) -> None:
    drained: list[str] = []

    async def guard(args: pulumi.ResourceHookArgs) -> None:
        drained.append(args.name)

    engine.serve(Fleet(guard=guard))
    assert engine.up().code == 0
    known = machine(engine)

    refused = engine.destroy()
    assert refused.code != 0
    assert "--run-program" in refused.output
    assert calls(provider, "delete") == []

    done = engine.destroy(run_program=True)
    assert done.code == 0, done.output
    assert sorted(drained) == ["a", "b"]
    assert engine.resources() == {}
    assert described(known)["State"]["Name"] == "terminated"


def test_a_type_that_the_double_lacks_is_refused_by_name(engine: Engine) -> None:
    engine.serve(lambda: ec2.Vpc("net", cidr_block="10.0.0.0/16") and None)
    done = engine.up()
    assert done.code != 0
    assert "the provider's double does not know aws:ec2/vpc:Vpc" in done.output

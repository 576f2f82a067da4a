"""A fleet's stack as it is declared: closed machines, all tags in the creating call, nothing before it is saved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest
from pulumi_aws import ec2

from lifecycle.model.codec import convert
from lifecycle.model.fleet import FleetSpec, Market
from lifecycle.model.quantities import Size
from lifecycle.model.records import Placement
from lifecycle.model.states import StopReason
from stacks import fleet
from stacks.ground import Ground
from stacks.machines import gibibytes
from stacks.names import Names
from tests.builders import but
from tests.stacks.recording import ACCOUNT, Recorder, run

INSTANCE = "aws:ec2/instance:Instance"
NAMES = Names(
    partition="aws", account=ACCOUNT, region="us-east-1", bucket="b-1", table="t-1", queue="q-1", owner="b-1"
)
GROUND = Ground(names=NAMES, boundary=NAMES.boundary_arn)


class Nobody:
    """A guard that is never asked: mocks run no hooks."""

    def before_create(self, placement: Placement, form: str) -> None:
        raise NotImplementedError

    def made(self, node: str, incarnation: int, instance: str) -> None:
        raise NotImplementedError

    def refused(self, node: str, incarnation: int) -> None:
        raise NotImplementedError

    def before_update(self, node: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        raise NotImplementedError

    def before_delete(self, node: str, instance: str) -> str:
        raise NotImplementedError

    def ended(self, node: str, incarnation: int) -> None:
        raise NotImplementedError


def a_spec(aws: Mapping[str, Any] | None = None, **pool: Any) -> FleetSpec:
    described = {
        "nodes": 2,
        "image": "ami-0123456789abcdef0",
        "instance_types": ["g5.2xlarge", "g6.2xlarge"],
        "zones": ["us-east-1a", "us-east-1b"],
        "train": {"command": ["python", "train.py"]},
        **pool,
    }
    fields = {"version": 1, "fleet": "f", "provider": "aws", "region": "us-east-1", "pools": {"t": described}}
    return convert({**fields, "aws": dict(aws or {})}, FleetSpec)


def declared(
    spec: FleetSpec | None = None,
    stored: Mapping[str, Placement] | None = None,
    nodes: frozenset[str] | None = None,
) -> Recorder:
    async def program() -> dict[str, Any]:
        return await fleet.declare(spec or a_spec(), GROUND, stored or {}, Nobody(), user_data="#!", nodes=nodes)

    return run(program, stack="f", config={"aws:region": "us-east-1"})[0]


def instance(recorder: Recorder, name: str = "f.t.0") -> dict[str, Any]:
    return recorder.one(INSTANCE, name)


def test_every_node_is_one_instance_with_all_of_its_tags() -> None:
    found = {each.name: each.inputs["tags"] for each in declared().all(INSTANCE)}
    assert found == {
        f"f.t.{index}": {
            "Name": f"f/t/{index}",
            "steady:owner": "b-1",
            "steady:fleet": "f",
            "steady:pool": "t",
            "steady:node": f"f/t/{index}",
            "steady:incarnation": "1",
        }
        for index in (0, 1)
    }


def test_a_machine_is_closed_encrypted_and_ends_when_it_shuts_down() -> None:
    made = instance(declared())
    assert made["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
        "instanceMetadataTags": "enabled",
    }
    assert made["rootBlockDevice"]["encrypted"] is True
    assert made["instanceInitiatedShutdownBehavior"] == "terminate"
    assert "keyName" not in made


def test_a_machine_is_asked_for_as_the_sdks_own_class_would(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is registered without that class, which makes 60 outputs that nobody reads."""
    ours = instance(declared())

    def theirs(_: str, name: str, props: ec2.InstanceArgs, opts: pulumi.ResourceOptions) -> ec2.Instance:
        assert opts.version == ec2.Instance("other", props).__dict__["_version"]
        return ec2.Instance(name, props, opts)

    monkeypatch.setattr(pulumi, "CustomResource", theirs)
    assert instance(declared()) == ours


def test_spot_is_asked_for_once_at_the_price_of_the_spec() -> None:
    options = instance(declared(a_spec(max_price=1.2)))["instanceMarketOptions"]
    assert options["marketType"] == "spot"
    assert options["spotOptions"] == {
        "spotInstanceType": "one-time",
        "instanceInterruptionBehavior": "terminate",
        "maxPrice": "1.2000",
    }


def test_on_demand_asks_for_no_market() -> None:
    assert "instanceMarketOptions" not in instance(declared(a_spec(market="on_demand")))


def test_without_a_placement_the_specs_first_choices_are_taken() -> None:
    made = instance(declared())
    assert (made["instanceType"], made["availabilityZone"]) == ("g5.2xlarge", "us-east-1a")


def test_a_stored_placement_counts_while_the_spec_allows_it() -> None:
    stored = Placement(
        node="f/t/0", market=Market.SPOT, instance_type="g6.2xlarge", zone="eu-west-1a", incarnation=4
    )
    made = instance(declared(stored={"f/t/0": stored}))
    assert (made["instanceType"], made["availabilityZone"]) == ("g6.2xlarge", "us-east-1a")
    assert made["tags"]["steady:incarnation"] == "4"


def test_a_node_that_is_to_be_away_is_not_declared() -> None:
    away = Placement(node="f/t/0", market=Market.SPOT, present=False, reason=StopReason.MANUAL)
    assert [each.name for each in declared(stored={"f/t/0": away}).all(INSTANCE)] == ["f.t.1"]


def test_a_focused_update_declares_its_nodes_and_what_they_depend_on() -> None:
    focused = declared(nodes=frozenset({"f/t/1"}))
    assert [each.name for each in focused.all(INSTANCE)] == ["f.t.1"]
    assert focused.all("aws:iam/instanceProfile:InstanceProfile")
    assert focused.all("aws:ec2/securityGroup:SecurityGroup")


def test_the_role_is_bounded_and_writes_its_own_fleets_prefix_only() -> None:
    found = declared()
    role = found.one("aws:iam/role:Role")
    rights = json.loads(found.one("aws:iam/rolePolicy:RolePolicy")["policy"])
    (checkpoints,) = [each for each in rights["Statement"] if each["Sid"] == "OwnCheckpoints"]
    assert role["permissionsBoundary"] == NAMES.boundary_arn
    assert checkpoints["Resource"] == ["arn:aws:s3:::b-1/runs/f/*"]
    assert not [a for each in rights["Statement"] for a in each["Action"] if a.startswith("ec2:")]


def test_nothing_comes_in() -> None:
    found = declared()
    assert found.one("aws:ec2/securityGroup:SecurityGroup")["ingress"] == []
    assert not found.all("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")


def test_the_machines_of_a_gang_reach_each_other_and_nobody_else_reaches_them() -> None:
    (rule,) = declared(a_spec(mode="gang")).one("aws:ec2/securityGroup:SecurityGroup")["ingress"]
    assert (rule["self"], rule["protocol"]) == (True, "-1")
    assert not {"cidrBlocks", "ipv6CidrBlocks", "securityGroups"} & set(rule)


def test_your_own_groups_subnets_and_policies_are_used_instead() -> None:
    yours = {"subnets": ["subnet-0a", "subnet-0b"], "security_groups": ["sg-0a"], "policies": ["arn:aws:iam::1:p"]}
    found = declared(a_spec(aws=yours))
    assert [instance(found, name)["subnetId"] for name in ("f.t.0", "f.t.1")] == ["subnet-0a", "subnet-0b"]
    assert instance(found)["vpcSecurityGroupIds"] == ["sg-0a"]
    assert not found.all("aws:ec2/securityGroup:SecurityGroup")
    assert found.one("aws:iam/rolePolicyAttachment:RolePolicyAttachment")["policyArn"] == "arn:aws:iam::1:p"


@pytest.mark.parametrize(("size", "volume"), [("1GiB", 1), ("200GiB", 200), ("1MB", 1), ("10GB", 10)])
def test_a_disk_is_never_smaller_than_was_asked_for(size: str, volume: int) -> None:
    assert gibibytes(Size.parse(size)) == volume
    assert volume * 1024**3 >= Size.parse(size)


def test_placements_follow_the_spec_and_not_what_it_no_longer_declares() -> None:
    gone = but(Placement(node="f/t/9", market=Market.SPOT))
    assert set(fleet.placements(a_spec(), {"f/t/9": gone})) == {"f/t/0", "f/t/1"}


def test_pulumi_knows_options_by_these_names() -> None:
    """A renamed option would be a guard that is silently not there."""
    known = set(pulumi.ResourceOptions().__dict__)
    assert {"hooks", "replacement_trigger", "replace_on_changes", "delete_before_replace"} <= known

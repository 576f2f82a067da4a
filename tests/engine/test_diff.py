"""What the provider's double answers to Diff, without an engine: the real provider's rules, one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.doubles.kinds.buckets import Bucket, BucketObjectv2
from tests.doubles.kinds.kind import DEFAULTS, Clients, Difference, Kind
from tests.doubles.kinds.machines import Instance
from tests.doubles.kinds.networks import SecurityGroup
from tests.doubles.kinds.properties import parsed, spelled, without
from tests.doubles.kinds.roles import InstanceProfile, Role, RolePolicy
from tests.doubles.kinds.signals import EventTarget, Queue
from tests.doubles.kinds.tables import Table, TableItem

MACHINE: dict[str, Any] = {
    "ami": "ami-1",
    "instanceType": "t3.micro",
    "availabilityZone": "us-east-1a",
    "subnetId": "subnet-1",
    "keyName": "key",
    "iamInstanceProfile": "node",
    "vpcSecurityGroupIds": ["sg-1", "sg-2"],
    "instanceMarketOptions": {"marketType": "spot", "spotOptions": {"maxPrice": "0.1"}},
    "rootBlockDevice": {"encrypted": True, "volumeSize": 50},
    "userData": "#!/bin/sh",
    "tags": {"Name": "a", "steady:state": "training"},
}


@pytest.fixture
def machine(clients: Clients) -> Instance:
    return Instance(clients)


def paths(difference: Difference) -> dict[str, str]:
    """What changed, and whether it replaces."""
    return {
        spelled(change.path): f"{change.how}{' replaces' if change in difference.replacing else ''}"
        for change in difference.changes
    }


def changed(**properties: Any) -> dict[str, Any]:
    return {name: value for name, value in {**MACHINE, **properties}.items() if value is not None}


@pytest.mark.parametrize(
    "change",
    [
        {"ami": "ami-2"},
        {"availabilityZone": "us-east-1b"},
        {"subnetId": "subnet-2"},
        {"keyName": "other"},
        {"rootBlockDevice": {"encrypted": False, "volumeSize": 50}},
        {"instanceMarketOptions": {"marketType": "capacity-block"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_change_of_this_is_another_machine(machine: Instance, change: dict[str, Any]) -> None:
    assert machine.diff(MACHINE, changed(**change)).replacing


@pytest.mark.parametrize(
    "change",
    [
        {"instanceType": "t3.large"},
        {"userData": "#!/bin/bash"},
        {"iamInstanceProfile": "other"},
        {"vpcSecurityGroupIds": ["sg-1"]},
        {"rootBlockDevice": {"encrypted": True, "volumeSize": 60}},
        {"tags": {"Name": "b"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_change_of_this_keeps_the_machine(machine: Instance, change: dict[str, Any]) -> None:
    difference = machine.diff(MACHINE, changed(**change))
    assert difference.top_level == [*change]
    assert not difference.replacing


def test_going_to_spot_replaces_and_leaving_it_goes_unnoticed(machine: Instance) -> None:
    """terraform-provider-aws#38141."""
    on_demand = changed(instanceMarketOptions=None)
    assert machine.diff(MACHINE, on_demand).changes == ()
    assert machine.diff(on_demand, MACHINE).replacing


def test_user_data_replaces_when_the_program_asks_for_it(machine: Instance) -> None:
    wanted = changed(userData="#!/bin/bash", userDataReplaceOnChange=True)
    assert paths(machine.diff(MACHINE, wanted))["userData"] == "update replaces"


@pytest.mark.parametrize("name", ["iamInstanceProfile", "vpcSecurityGroupIds", "keyName", "userData"])
def test_what_aws_fills_in_may_be_left_out(machine: Instance, name: str) -> None:
    assert machine.diff(MACHINE, changed(**{name: None})).changes == ()


def test_the_order_of_security_groups_means_nothing(machine: Instance) -> None:
    assert machine.diff(MACHINE, changed(vpcSecurityGroupIds=["sg-2", "sg-1"])).changes == ()


def test_an_ignored_tag_is_no_difference_and_the_others_are(machine: Instance) -> None:
    wanted = changed(tags={"Name": "b", "steady:state": "idle"})
    ignored = ['tags["steady:state"]']
    assert paths(machine.diff(MACHINE, wanted, ignored)) == {"tags.Name": "update"}
    assert paths(machine.diff(MACHINE, wanted)) == {
        "tags.Name": "update",
        'tags["steady:state"]': "update",
    }


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Bucket, "bucket"),
        (BucketObjectv2, "key"),
        (EventTarget, "rule"),
        (InstanceProfile, "name"),
        (Queue, "name"),
        (Role, "name"),
        (RolePolicy, "role"),
        (SecurityGroup, "description"),
        (Table, "hashKey"),
        (Table, "name"),
    ],
)
def test_another_name_is_another_thing(clients: Clients, kind: type[Kind], name: str) -> None:
    assert kind(clients).diff({name: "old"}, {name: "new"}).replacing


def test_a_policy_laid_out_differently_is_the_same(clients: Clients) -> None:
    policy = {"Version": "2012-10-17", "Statement": []}
    role = Role(clients)
    assert not role.diff(
        {"assumeRolePolicy": json.dumps(policy)}, {"assumeRolePolicy": json.dumps(policy, indent=1)}
    ).changes


def test_a_table_keeps_its_items_when_an_index_is_added(clients: Clients) -> None:
    index = {"name": "by-fleet", "hashKey": "f", "projectionType": "ALL"}
    difference = Table(clients).diff({"hashKey": "pk"}, {"hashKey": "pk", "globalSecondaryIndexes": [index]})
    assert difference.top_level == ["globalSecondaryIndexes"]
    assert not difference.replacing


def test_a_name_left_out_is_generated_once(clients: Clients) -> None:
    queue = Queue(clients)
    first = queue.checked("notices", b"seed", {}, {})
    assert first["name"].startswith("notices-")
    assert len(first["name"]) == len("notices-") + 7
    assert queue.checked("notices", b"another", first, {})["name"] == first["name"]
    assert queue.checked("notices", b"another", {}, {})["name"] != first["name"]
    assert "name" in first[DEFAULTS]


def test_a_protected_table_is_not_deleted(clients: Clients) -> None:
    table = Table(clients)
    inputs = table.checked(
        "tracker",
        b"seed",
        {},
        {
            "hashKey": "pk",
            "billingMode": "PAY_PER_REQUEST",
            "attributes": [{"name": "pk", "type": "S"}],
            "deletionProtectionEnabled": True,
        },
    )
    known = table.create(inputs)
    with pytest.raises(clients.dynamodb.exceptions.ClientError, match="DeletionProtectionEnabled"):
        table.delete(known, inputs)
    free = {**inputs, "deletionProtectionEnabled": False}
    table.update(known, inputs, free)
    table.delete(known, free)


@pytest.mark.parametrize("text", ["tags", 'tags["a:b"]', "rules[0].status", 'a.b["c.d"][2]'])
def test_property_paths_are_read_as_they_are_written(text: str) -> None:
    assert spelled(parsed(text)) == text


def test_a_star_stands_for_every_item() -> None:
    assert without({"a": [{"b": 1, "c": 2}, {"b": 3}]}, ["a[*].b"]) == {"a": [{"c": 2}, {}]}


@pytest.mark.parametrize("name", ["tableName", "hashKey", "rangeKey"])
def test_an_item_elsewhere_is_another_item(clients: Clients, name: str) -> None:
    declared = {"tableName": "t", "hashKey": "pk", "rangeKey": "sk", "item": '{"pk": {"S": "a"}}'}
    assert TableItem(clients).diff(declared, declared | {name: "other"}).replacing
    assert not TableItem(clients).diff(declared, declared | {"item": '{"pk":{"S":"a"}}'}).changes

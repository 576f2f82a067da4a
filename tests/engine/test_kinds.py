"""Each kind of resource of the provider's double, kept in moto: read back as declared, changed in place, ended."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.doubles.kinds.buckets import (
    Bucket,
    BucketLifecycleConfiguration,
    BucketObjectv2,
    BucketOwnershipControls,
    BucketPublicAccessBlock,
    BucketServerSideEncryptionConfiguration,
    BucketVersioning,
)
from tests.doubles.kinds.kind import Clients, Kind
from tests.doubles.kinds.machines import Instance
from tests.doubles.kinds.networks import SecurityGroup
from tests.doubles.kinds.roles import InstanceProfile, Policy, Role, RolePolicy, RolePolicyAttachment
from tests.doubles.kinds.signals import EventRule, EventTarget, Queue, QueuePolicy
from tests.doubles.kinds.tables import Table, TableItem
from tests.doubles.kinds.tasks import Cluster, LogGroup, Schedule, ScheduleGroup, TaskDefinition

IMAGE = "ami-12c6146b"
QUEUE = "arn:aws:sqs:us-east-1:123456789012:target"
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"


def document(effect: str, **also: Any) -> str:
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": "s3:*", "Resource": "*", **also}]}
    )


def an_item(**attributes: str) -> str:
    return json.dumps({name: {"S": text} for name, text in {"pk": "p", "sk": "s", **attributes}.items()})


TRUST = document("Allow", Principal={"Service": "ec2.amazonaws.com"})
ALLOW, DENY = document("Allow"), document("Deny")
ROOT = {"volumeSize": 50, "volumeType": "gp3", "encrypted": True}
METADATA = {"httpTokens": "required", "httpPutResponseHopLimit": 2}
RULE = {"id": "x", "status": "Enabled", "filter": {"prefix": ""}, "expiration": {"days": 3}}
KEYS = [{"name": name, "type": "S"} for name in ("sk", "pk", "f")]
RANKS = {"protocol": "-1", "fromPort": 0, "toPort": 0, "self": True, "description": "Ranks of a gang"}
WEB = {"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["0.0.0.0/0"], "description": "web"}
INDEX = {"name": "by-f", "hashKey": "f", "rangeKey": "sk", "projectionType": "ALL"}
MACHINE = {
    "ami": IMAGE,
    "instanceType": "t3.micro",
    "availabilityZone": "us-east-1b",
    "iamInstanceProfile": "profile",
    "userData": "#!/bin/sh",
    "metadataOptions": METADATA,
    "rootBlockDevice": ROOT,
    "tags": {"Name": "x"},
    "instanceInitiatedShutdownBehavior": "terminate",
}

TARGET = {
    "arn": "arn:aws:ecs:us-east-1:123456789012:cluster/c",
    "roleArn": "arn:aws:iam::123456789012:role/role",
    "ecsParameters": {
        "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/t:1",
        "launchType": "FARGATE",
        "networkConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": False},
    },
    "retryPolicy": {"maximumEventAgeInSeconds": 300, "maximumRetryAttempts": 3},
}
SCHEDULE = {
    "groupName": "default",
    "scheduleExpression": "rate(1 minute)",
    "flexibleTimeWindow": {"mode": "OFF"},
    "target": TARGET,
}
CONTAINERS = json.dumps([{"name": "c", "image": "i:1", "essential": True, "readonlyRootFilesystem": True}])

Changes = list[dict[str, Any]]
LIVES: list[tuple[type[Kind], dict[str, Any], Changes]] = [
    (Bucket, {"tags": {"a": "1"}}, [{"tags": {"a": "2"}}, {"tags": {}}]),
    (
        BucketLifecycleConfiguration,
        {"bucket": "bucket", "rules": [RULE]},
        [{"rules": [{**RULE, "status": "Disabled"}]}],
    ),
    (BucketObjectv2, {"bucket": "bucket", "key": "a/b", "content": "one"}, [{"content": "two"}]),
    (BucketOwnershipControls, {"bucket": "bucket", "rule": {"objectOwnership": "BucketOwnerEnforced"}}, []),
    (BucketPublicAccessBlock, {"bucket": "bucket", "blockPublicAcls": True}, [{"restrictPublicBuckets": True}]),
    (
        BucketServerSideEncryptionConfiguration,
        {"bucket": "bucket", "rules": [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": "AES256"}}]},
        [],
    ),
    (Cluster, {}, []),
    (EventRule, {"eventPattern": '{"source":["aws.ec2"]}'}, [{"state": "DISABLED"}, {"tags": {"a": "1"}}]),
    (EventTarget, {"rule": "rule", "arn": QUEUE}, [{"inputPath": "$.detail"}]),
    (
        Instance,
        MACHINE,
        [
            {"instanceType": "t3.large"},
            {"userData": "#!/bin/bash"},
            {"tags": {"other": "y"}},
            {"iamInstanceProfile": "other"},
            {"metadataOptions": {**METADATA, "httpTokens": "optional"}},
            {"rootBlockDevice": {**ROOT, "volumeSize": 60}},
            {"instanceInitiatedShutdownBehavior": "stop"},
        ],
    ),
    (Instance, {"ami": IMAGE, "instanceType": "t3.micro", "associatePublicIpAddress": True}, []),
    (InstanceProfile, {"role": "role", "path": "/nodes/"}, [{"tags": {"a": "1"}}]),
    (LogGroup, {"retentionInDays": 30}, [{"retentionInDays": 7}, {"retentionInDays": None}]),
    (Policy, {"policy": ALLOW}, [{"policy": DENY}, {"policy": ALLOW}, {"tags": {"a": "1"}}]),
    (Queue, {"visibilityTimeoutSeconds": 10, "sqsManagedSseEnabled": True}, [{"visibilityTimeoutSeconds": 20}]),
    (QueuePolicy, {"queueUrl": "<queue>", "policy": ALLOW}, [{"policy": DENY}]),
    (
        Role,
        {"assumeRolePolicy": TRUST, "permissionsBoundary": BOUNDARY, "tags": {"a": "1"}},
        [{"description": "new"}, {"permissionsBoundary": None}, {"tags": {"b": "2"}}, {"maxSessionDuration": 7200}],
    ),
    (RolePolicy, {"role": "role", "policy": ALLOW}, [{"policy": DENY}]),
    (RolePolicyAttachment, {"role": "role", "policyArn": BOUNDARY}, []),
    (Schedule, SCHEDULE, [{"scheduleExpression": "rate(5 minutes)"}, {"target": {**TARGET, "roleArn": BOUNDARY}}]),
    (ScheduleGroup, {}, []),
    (
        SecurityGroup,
        {"tags": {"a": "1"}, "egress": [WEB]},
        [{"tags": {"a": "2"}}, {"egress": []}, {"ingress": [RANKS]}, {"ingress": []}],
    ),
    (
        Table,
        {"billingMode": "PAY_PER_REQUEST", "hashKey": "pk", "attributes": KEYS, "globalSecondaryIndexes": [INDEX]},
        [
            {"pointInTimeRecovery": {"enabled": True}},
            {"globalSecondaryIndexes": [INDEX, {**INDEX, "name": "by-sk", "hashKey": "sk", "rangeKey": "pk"}]},
            {"tags": {"a": "1"}},
        ],
    ),
    (
        TaskDefinition,
        {
            "family": "t",
            "cpu": "256",
            "memory": "512",
            "containerDefinitions": CONTAINERS,
            "volumes": [{"name": "v"}],
        },
        [],
    ),
    (
        TableItem,
        {"tableName": "table", "hashKey": "pk", "rangeKey": "sk", "item": an_item(b="1", c="2")},
        [{"item": an_item(b="3")}, {"item": an_item(b="3", d="4")}],
    ),
]


@pytest.fixture(autouse=True)
def ground(clients: Clients) -> None:
    """One of each thing that others stand on."""
    clients.iam.create_policy(PolicyName="boundary", PolicyDocument=ALLOW)
    clients.iam.create_role(RoleName="role", AssumeRolePolicyDocument=TRUST)
    for name in ("profile", "other"):
        clients.iam.create_instance_profile(InstanceProfileName=name)
    clients.s3.create_bucket(Bucket="bucket")
    clients.events.put_rule(Name="rule", EventPattern='{"source":["aws.ec2"]}')
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    attributes = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")]
    clients.dynamodb.create_table(
        TableName="table", KeySchema=keys, AttributeDefinitions=attributes, BillingMode="PAY_PER_REQUEST"
    )


def placed(inputs: dict[str, Any], clients: Clients) -> dict[str, Any]:
    """The inputs with the ids that only a running AWS knows."""
    if inputs.get("queueUrl"):
        return {**inputs, "queueUrl": clients.sqs.create_queue(QueueName="target")["QueueUrl"]}
    return inputs


def assert_as_declared(kind: Kind, known: str, inputs: dict[str, Any]) -> None:
    seen = kind.read(known, inputs)
    assert seen is not None
    assert kind.diff(kind.settled(inputs, seen.inputs), inputs).changes == ()


def is_gone(kind: Kind, known: str, inputs: dict[str, Any]) -> bool:
    try:
        return kind.read(known, inputs) is None
    except ClientError:
        return True


@pytest.mark.parametrize(("of", "inputs", "changes"), LIVES, ids=[of.__name__ for of, _, _ in LIVES])
def test_a_resource_lives_and_ends_as_declared(
    clients: Clients, of: type[Kind], inputs: dict[str, Any], changes: Changes
) -> None:
    kind = of(clients)
    declared = kind.checked("thing", b"seed", {}, placed(inputs, clients))
    known = kind.create(declared)
    assert_as_declared(kind, known, declared)

    for change in changes:
        wanted = {name: value for name, value in {**declared, **change}.items() if value is not None}
        difference = kind.diff(declared, wanted)
        assert difference.changes
        assert not difference.replacing
        kind.update(known, declared, wanted)
        assert_as_declared(kind, known, wanted)
        declared = wanted

    kind.delete(known, declared)
    assert is_gone(kind, known, declared)


def test_an_item_that_is_there_is_not_written_over(clients: Clients) -> None:
    kind = TableItem(clients)
    declared = {"tableName": "table", "hashKey": "pk", "rangeKey": "sk", "item": an_item(b="1")}
    assert kind.create(declared) == "table|pk|p|sk|s"
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        kind.create(declared | {"item": an_item(b="2")})


def test_what_others_add_to_an_item_is_no_difference(clients: Clients) -> None:
    kind = TableItem(clients)
    declared = {"tableName": "table", "hashKey": "pk", "rangeKey": "sk", "item": an_item(b="1")}
    known = kind.create(declared)
    clients.dynamodb.put_item(TableName="table", Item=json.loads(an_item(b="1", more="2")))
    assert_as_declared(kind, known, declared)


def test_versioning_taken_away_is_suspended(clients: Clients) -> None:
    kind = BucketVersioning(clients)
    inputs = {"bucket": "bucket", "versioningConfiguration": {"status": "Enabled"}}
    known = kind.create(inputs)
    assert_as_declared(kind, known, inputs)
    kind.delete(known, inputs)
    assert clients.s3.get_bucket_versioning(Bucket="bucket")["Status"] == "Suspended"


def test_a_security_group_begins_closed(clients: Clients) -> None:
    kind = SecurityGroup(clients)
    known = kind.create(kind.checked("node", b"seed", {}, {}))
    group = clients.ec2.describe_security_groups(GroupIds=[known])["SecurityGroups"][0]
    assert group["IpPermissionsEgress"] == []


def test_a_stopped_machine_is_still_the_same_machine(clients: Clients) -> None:
    kind = Instance(clients)
    inputs = {"ami": IMAGE, "instanceType": "t3.micro"}
    known = kind.create(inputs)
    clients.ec2.stop_instances(InstanceIds=[known])
    seen = kind.read(known, inputs)
    assert seen is not None
    assert seen.outputs["instanceState"] == "stopped"
    assert_as_declared(kind, known, inputs)


def test_inputs_that_are_not_understood_are_refused(clients: Clients) -> None:
    with pytest.raises(Exception, match="knows no launchTemplate of EC2 Instance"):
        Instance(clients).create({"ami": IMAGE, "launchTemplate": {"id": "lt-1"}})

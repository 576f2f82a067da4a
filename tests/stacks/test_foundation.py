"""The foundation as it is declared: closed, encrypted, restorable, and kept when everything else goes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pulumi
import pytest

from lifecycle.adapters.aws import items, wake
from lifecycle.adapters.aws.table import definition
from stacks import names, signals
from stacks.program import program
from tests.stacks.recording import ACCOUNT, Recorder, run

REGION = "us-east-1"


@pytest.fixture(scope="module")
def software(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bundle = tmp_path_factory.mktemp("software") / "bundle.tar"
    bundle.write_bytes(b"wheels")
    return bundle


@pytest.fixture(scope="module")
def founded(software: Path) -> tuple[Recorder, dict[str, Any]]:
    config = {"aws:region": REGION, "steady:bundle": str(software)}
    return run(program, stack=f"foundation-{REGION}", config=config)


@pytest.fixture
def declared(founded: tuple[Recorder, dict[str, Any]]) -> Recorder:
    return founded[0]


def test_its_outputs_are_all_that_a_fleet_needs_to_know(founded: tuple[Recorder, dict[str, Any]]) -> None:
    outputs = founded[1]
    assert outputs["account"] == ACCOUNT
    assert outputs["region"] == REGION
    assert outputs["owner"] == outputs["bucket"] == "checkpoints-1a2b3c4"
    assert {"table", "queue", "queue_url", "boundary", "controller_role"} < set(outputs)


def test_the_bucket_is_versioned_encrypted_and_closed(declared: Recorder) -> None:
    versioning = declared.one("aws:s3/bucketVersioning:BucketVersioning")["versioningConfiguration"]
    closed = declared.one("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
    assert versioning == {"status": "Enabled"}
    assert declared.all("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
    assert [value for value in closed.values() if isinstance(value, bool)] == [True] * 4


def test_the_bucket_refuses_what_does_not_come_over_tls(declared: Recorder) -> None:
    policy = json.loads(declared.one("aws:s3/bucketPolicy:BucketPolicy")["policy"])
    refused = [s for s in policy["Statement"] if s.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}]
    assert [(s["Effect"], s["Action"]) for s in refused] == [("Deny", ["s3:*"])]


def test_unfinished_uploads_are_dropped_after_a_day(declared: Recorder) -> None:
    rules = declared.one("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")["rules"]
    assert {"daysAfterInitiation": 1} in [rule.get("abortIncompleteMultipartUpload") for rule in rules]


def test_the_table_is_the_one_that_the_adapter_defines(declared: Recorder) -> None:
    table, wanted = declared.one("aws:dynamodb/table:Table"), definition("any")
    keys = {key["AttributeName"] for key in wanted["KeySchema"]}
    indexes = {
        index["IndexName"]: index["KeySchema"][0]["AttributeName"] for index in wanted["GlobalSecondaryIndexes"]
    }
    assert {table["hashKey"], table["rangeKey"]} == keys
    assert {index["name"]: index["hashKey"] for index in table["globalSecondaryIndexes"]} == indexes
    assert table["billingMode"] == wanted["BillingMode"]


def test_the_table_is_restorable_and_protected_from_deletion(declared: Recorder) -> None:
    table = declared.one("aws:dynamodb/table:Table")
    assert table["pointInTimeRecovery"] == {"enabled": True}
    assert table["deletionProtectionEnabled"] is True


def test_poison_goes_to_the_dead_letter_queue(declared: Recorder) -> None:
    redrive = json.loads(declared.one("aws:sqs/queue:Queue", "notices")["redrivePolicy"])
    assert redrive["deadLetterTargetArn"].endswith("poison-1a2b3c4")
    assert redrive["maxReceiveCount"] == signals.TRIES


def test_every_kind_of_notice_has_a_rule_into_the_queue(declared: Recorder) -> None:
    rules = {
        each.name: json.loads(each.inputs["eventPattern"])
        for each in declared.all("aws:cloudwatch/eventRule:EventRule")
    }
    targets = {each.name: each.inputs["arn"] for each in declared.all("aws:cloudwatch/eventTarget:EventTarget")}
    assert rules == signals.PATTERNS
    assert set(targets) == set(rules)
    assert {arn.rpartition(":")[2] for arn in targets.values()} == {"notices-1a2b3c4"}


def test_what_the_rules_send_is_what_wakes_a_controller() -> None:
    sent = {kind for pattern in signals.PATTERNS.values() for kind in pattern["detail-type"]}
    assert sent == wake.KINDS


def test_the_partitions_that_policies_open_are_those_that_the_tracker_writes() -> None:
    machine = "arn:aws:ec2:us-east-1:123456789012:instance/i-1"
    assert names.fleet_partition("vision") == items.of_fleet("vision")
    assert names.node_partition(machine) == items.of_writer(machine)


def test_only_this_accounts_rules_may_send(declared: Recorder) -> None:
    statements = json.loads(declared.one("aws:sqs/queuePolicy:QueuePolicy")["policy"])["Statement"]
    (statement,) = [each for each in statements if each["Effect"] == "Allow"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"]["StringEquals"]["aws:SourceAccount"] == ACCOUNT


def test_the_controller_has_its_two_documents_and_no_more(declared: Recorder) -> None:
    rights = declared.all("aws:iam/rolePolicy:RolePolicy")
    assert sorted(each.name for each in rights) == ["controller-machines", "controller-state"]
    actions = [a for each in rights for s in json.loads(each.inputs["policy"])["Statement"] for a in s["Action"]]
    assert not [action for action in actions if action.startswith("iam:Create")]


def test_the_bundle_is_named_by_its_digest_and_then_called_the_current_one(declared: Recorder) -> None:
    digest = hashlib.sha256(b"wheels").hexdigest()
    kind = "aws:s3/bucketObjectv2:BucketObjectv2"
    assert declared.one(kind, "bundle")["key"] == f"bundles/{digest}.tar"
    current = declared.one(kind, "current-bundle")
    assert (current["key"], current["content"]) == ("bundles/current", digest)


def test_a_bundle_that_is_not_there_is_refused_with_what_to_do(tmp_path: Path) -> None:
    config = {"aws:region": REGION, "steady:bundle": str(tmp_path / "none.tar")}
    with pytest.raises(pulumi.RunError, match=r"none.tar: No such file .*; name a bundle that is there"):
        run(program, stack=f"foundation-{REGION}", config=config)


def test_a_foundation_of_another_region_is_refused_before_anything_is_declared() -> None:
    with pytest.raises(pulumi.RunError, match="pulumi config set aws:region eu-west-1"):
        run(program, stack="foundation-eu-west-1", config={"aws:region": REGION})


def test_a_fleets_stack_without_a_spec_says_how_to_name_one() -> None:
    with pytest.raises(pulumi.RunError, match="`pulumi config set steady:spec"):
        run(program, stack="demo", config={"aws:region": REGION})

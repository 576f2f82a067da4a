"""The foundation on the real engine, from the project's own Pulumi.yaml and stacks/__main__.py."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from lifecycle.adapters.aws.objects import S3Store
from lifecycle.adapters.aws.session import Session
from lifecycle.adapters.aws.table import DynamoTable
from tests.doubles.aws import ACCOUNT, REGION
from tests.engine.engine import Engine

pytestmark = pytest.mark.engine


def outputs(engine: Engine) -> dict[str, Any]:
    stack = next(r for r in engine.export()["deployment"]["resources"] if r["type"] == "pulumi:pulumi:Stack")
    found: dict[str, Any] = stack["outputs"]
    return found


def test_its_outputs_name_what_is_there(founded: Engine) -> None:
    known, session = outputs(founded), Session(REGION)
    assert (known["account"], known["owner"]) == (ACCOUNT, known["bucket"])
    S3Store(session.client("s3"), known["bucket"]).put_new("runs/f/r/manifest.json", b"{}")
    assert DynamoTable(session.client("dynamodb"), known["table"]).put("f", "spec", "f", b"{}") == 1
    session.client("sqs").send_message(QueueUrl=known["queue_url"], MessageBody="{}")


def test_a_notice_of_eventbridge_reaches_the_queue(founded: Engine) -> None:
    session = Session(REGION)
    entry = {
        "Source": "aws.ec2",
        "DetailType": "EC2 Spot Instance Interruption Warning",
        "Detail": json.dumps({"instance-id": "i-1", "instance-action": "terminate"}),
    }
    session.client("events").put_events(Entries=[entry])
    told = session.client("sqs").receive_message(QueueUrl=outputs(founded)["queue_url"], WaitTimeSeconds=5)
    assert "i-1" in told["Messages"][0]["Body"]


def test_up_again_has_nothing_to_do(founded: Engine) -> None:
    again = founded.up(refresh=True)
    assert again.code == 0, again.output
    assert set(again.changes) <= {"same"}


def test_a_new_bundle_becomes_the_current_one_and_the_old_one_stays(founded: Engine, tmp_path: Path) -> None:
    old, new = (hashlib.sha256(content).hexdigest() for content in (b"wheels", b"newer wheels"))
    (tmp_path / "bundle.tar").write_bytes(b"newer wheels")
    ran = founded.up()
    assert ran.code == 0, ran.output
    store = S3Store(Session(REGION).client("s3"), outputs(founded)["bucket"])
    assert store.get("bundles/current") == new.encode()
    assert store.keys("bundles/") == sorted([f"bundles/{old}.tar", f"bundles/{new}.tar", "bundles/current"])


def test_checkpoints_and_history_are_not_deleted_by_a_destroy(founded: Engine) -> None:
    refused = founded.destroy()
    assert refused.code != 0
    assert "protect" in refused.output
    assert Session(REGION).client("s3").list_buckets()["Buckets"]
    assert Session(REGION).client("dynamodb").list_tables()["TableNames"]


def test_another_regions_foundation_is_refused_before_anything_is_made(founded: Engine) -> None:
    founded.select("foundation-eu-west-1")
    ran = founded.up()
    assert ran.code != 0
    assert "pulumi config set aws:region eu-west-1" in ran.output
    assert founded.resources() == {}

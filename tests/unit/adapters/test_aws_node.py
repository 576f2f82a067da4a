"""What a node uses of AWS: its own partition of the table, and little patience with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifecycle.adapters.aws.node import QUICK, NodeSite
from lifecycle.model.errors import Unreadable
from lifecycle.tracker import rows
from tests.builders import NODE
from tests.contracts import dynamo
from tests.contracts.object_store import nothing
from tests.contracts.s3 import BUCKET, beside_a_bucket, written
from tests.doubles.aws import ACCOUNT, REGION, AwsDouble


@pytest.mark.parametrize("account", [ACCOUNT, None])
def test_a_node_reports_into_the_partition_of_its_instance(aws: AwsDouble, account: str | None) -> None:
    client = dynamo.made(aws)
    NodeSite(REGION, account, "i-0aaaaaaaaaaaaaaaa").table(dynamo.NAME).put("f", rows.REPORT, NODE, b"{}")
    (item,) = client.scan(TableName=dynamo.NAME)["Items"]
    assert item["pk"] == {"S": f"node#{dynamo.MACHINE}"}


def test_a_tracker_that_fails_is_given_up_after_the_second_try(aws: AwsDouble) -> None:
    dynamo.made(aws)
    table = NodeSite(REGION, ACCOUNT, "i-1").table(dynamo.NAME)
    with aws.fault("dynamodb.GetItem", status=500, code="InternalServerError") as fault:
        with pytest.raises(Unreadable):
            table.get("f", rows.ORDER, NODE)
        assert fault.met == 2


def test_a_tracker_that_hangs_is_left_within_seconds() -> None:
    waits = (QUICK.connect_timeout, QUICK.read_timeout)  # type: ignore[attr-defined]
    assert waits == (1, 1)


def test_a_nodes_checkpoints_go_to_a_bucket_of_its_own_account_only(aws: AwsDouble, tmp_path: Path) -> None:
    """S3 refuses a bucket of somebody else by this header; moto does not."""
    beside_a_bucket(aws)
    store, told = NodeSite(REGION, ACCOUNT, "i-1").store(BUCKET, tmp_path), list[str]()
    store._client.meta.events.register(
        "before-call.s3.PutObject",
        lambda params, **_: told.append(params["headers"].get("x-amz-expected-bucket-owner")),
    )
    store.put_file("runs/f/r/data", written(tmp_path / "source", 10), nothing)
    assert told == [ACCOUNT]

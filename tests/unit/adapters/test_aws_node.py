"""What a node uses of AWS: its own partition of the table, and little patience with it."""

from __future__ import annotations

import pytest

from lifecycle.adapters.aws.node import QUICK, NodeSite
from lifecycle.model.errors import Unreadable
from lifecycle.tracker import rows
from tests.builders import NODE
from tests.contracts import dynamo
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

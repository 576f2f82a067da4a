"""The tracker's table in the DynamoDB of the AWS double, for tests."""

from __future__ import annotations

from functools import cache
from typing import Any

from lifecycle.adapters.aws.session import Session
from lifecycle.adapters.aws.table import definition
from tests.doubles.aws import REGION, AwsDouble

NAME = "steadyfleet"
MACHINE = "arn:aws:ec2:us-east-1:123456789012:instance/i-0aaaaaaaaaaaaaaaa"
ANOTHER = "arn:aws:ec2:us-east-1:123456789012:instance/i-0bbbbbbbbbbbbbbbb"


def made(aws: AwsDouble) -> Any:
    """A client of an AWS in which the table now is, and empty."""
    client = _client_of(aws.endpoint)
    client.create_table(**definition(NAME))
    aws.calls.clear()
    return client


@cache
def _client_of(endpoint: str) -> Any:
    """One for all tests: making a session takes a tenth of a second."""
    return Session(REGION).client("dynamodb")

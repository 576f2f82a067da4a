"""What of a failed creation is a refusal, and what leaves open whether a machine was made."""

from __future__ import annotations

import pytest

from stacks.hooks import refuses


def said(status: int, code: str, operation: str = "RunInstances") -> str:
    return (
        f"creating EC2 Instance: operation error EC2: {operation}, https response error StatusCode: {status}, "
        f"RequestID: 1, api error {code}: words"
    )


@pytest.mark.parametrize(
    ("error", "certain"),
    [
        (said(500, "InsufficientInstanceCapacity"), True),
        (said(400, "MaxSpotInstanceCountExceeded"), True),
        (said(403, "UnauthorizedOperation"), True),
        (said(503, "RequestLimitExceeded"), True),
        (said(500, "InternalError"), False),
        (said(503, "Unavailable"), False),
        (said(403, "UnauthorizedOperation", "DescribeInstances"), False),
        ("creating EC2 Instance: operation error EC2: RunInstances, exceeded maximum number of attempts", False),
        ('before hook "steady-claim" failed: f/t/0: incarnation 1 is taken by i-1', False),
    ],
)
def test_only_an_answer_to_the_call_itself_is_a_refusal(error: str, certain: bool) -> None:
    assert refuses(error) is certain

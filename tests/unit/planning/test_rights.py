"""Missing rights: what is tried, and the policy that holds only what is missing."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.diagnosis import Verdict
from lifecycle.planning import rights

READ: dict[str, Any] = {
    "Sid": "Read",
    "Effect": "Allow",
    "Action": ["s3:GetObject", "s3:ListBucket"],
    "Resource": ["a/*"],
}
TAG: dict[str, Any] = {
    "Sid": "Tag",
    "Effect": "Allow",
    "Action": ["ec2:CreateTags"],
    "Resource": ["i/*", "v/*"],
    "Condition": {
        "StringEquals": {"aws:ResourceTag/owner": "me"},
        "StringLike": {"aws:ResourceTag/fleet": "?*"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["Name", "node"]},
        "Null": {"aws:TagKeys": "false"},
    },
}
DENY: dict[str, Any] = {"Sid": "No", "Effect": "Deny", "Action": ["iam:*"], "Resource": ["*"]}


def test_each_resource_is_tried_by_a_name_and_where_the_conditions_hold() -> None:
    first, second = rights.trials([TAG])
    assert (first.resource, second.resource) == ("i/x", "v/x")
    assert first.context == {
        "aws:ResourceTag/owner": ("me",),
        "aws:ResourceTag/fleet": ("x",),
        "aws:TagKeys": ("Name", "node"),
    }


def test_what_a_policy_denies_is_no_right_that_could_be_missing() -> None:
    assert rights.trials([DENY]) == ()


def test_a_condition_that_is_not_understood_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="not understood: IpAddress"):
        rights.trials([{**READ, "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}])


def test_the_policy_to_paste_holds_the_missing_actions_and_their_conditions_only() -> None:
    found = rights.judged("role r", [DENY, READ, TAG], {(1, "s3:ListBucket", "a/x"), (2, "ec2:CreateTags", "v/x")})
    assert found.policy == {
        "Version": "2012-10-17",
        "Statement": [{**READ, "Action": ["s3:ListBucket"]}, TAG],
    }
    assert found.message == "role r: 2 actions are not allowed: ec2:CreateTags, s3:ListBucket"


def test_with_every_right_nothing_is_to_be_pasted() -> None:
    found = rights.judged("role r", [READ], set())
    assert (found.verdict, found.policy) == (Verdict.OK, None)

"""The evaluator against what AWS documents of IAM's language: each case one rule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stacks.evaluator import Call, Verdict, applies, decide

QUEUE = "arn:aws:sqs:us-east-1:123456789012:notices"


def allow(**elements: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"} | elements


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def call(action: str = "sqs:SendMessage", resource: str = QUEUE, **context: Any) -> Call:
    return Call(action, resource, {key.replace("__", ":"): value for key, value in context.items()})


@pytest.mark.parametrize(
    ("element", "pattern", "holds"),
    [
        ("Action", "sqs:SendMessage", True),
        ("Action", "SQS:sendmessage", True),
        ("Action", "sqs:Send*", True),
        ("Action", "sqs:SendMessag?", True),
        ("Action", "sqs:Send", False),
        ("Action", ["sqs:ReceiveMessage", "sqs:SendMessage"], True),
        ("Resource", QUEUE, True),
        ("Resource", QUEUE.upper(), False),
        ("Resource", "arn:aws:sqs:*", True),
        ("Resource", "arn:aws:sqs:*:notice", False),
        ("NotResource", "arn:aws:sqs:*", False),
        ("NotResource", "arn:aws:s3:::*", True),
    ],
)
def test_actions_match_without_case_and_resources_with_it(element: str, pattern: Any, holds: bool) -> None:
    statement = allow()
    del statement[element.removeprefix("Not")]
    assert applies(statement | {element: pattern}, call()) is holds


@pytest.mark.parametrize(("pattern", "holds"), [("sqs:*", False), ("s3:*", True), (["s3:*", "sqs:Send*"], False)])
def test_not_action_names_everything_else(pattern: Any, holds: bool) -> None:
    statement = allow(NotAction=pattern)
    del statement["Action"]
    assert applies(statement, call()) is holds


@pytest.mark.parametrize(
    ("condition", "found", "holds"),
    [
        ({"StringEquals": {"k": "a"}}, "a", True),
        ({"StringEquals": {"k": "a*"}}, "a*", True),
        ({"StringEquals": {"k": "a*"}}, "ab", False),
        ({"StringEquals": {"k": ["a", "b"]}}, "b", True),
        ({"StringEquals": {"K": "a"}}, "a", True),
        ({"StringEquals": {"k": "a"}}, "A", False),
        ({"StringEqualsIgnoreCase": {"k": "a"}}, "A", True),
        ({"StringEquals": {"k": "a"}}, None, False),
        ({"StringEqualsIfExists": {"k": "a"}}, None, True),
        ({"StringEqualsIfExists": {"k": "a"}}, "b", False),
        ({"StringNotEquals": {"k": "a"}}, "b", True),
        ({"StringNotEquals": {"k": ["a", "b"]}}, "b", False),
        ({"StringNotEquals": {"k": "a"}}, None, True),
        ({"StringLike": {"k": "runs/*"}}, "runs/a/b", True),
        ({"StringLike": {"k": "runs/*"}}, "run", False),
        ({"StringLike": {"k": "?*"}}, "", False),
        ({"StringNotLike": {"k": "runs/*"}}, "other", True),
        ({"ArnLike": {"k": "arn:aws:iam::1:role/*"}}, "arn:aws:iam::1:role/a/b", True),
        ({"ArnLike": {"k": "arn:aws:*:role/a"}}, "arn:aws:iam::1:role/a", False),
        ({"ArnNotEquals": {"k": "arn:aws:iam::1:role/a"}}, None, True),
        ({"Null": {"k": "true"}}, None, True),
        ({"Null": {"k": "false"}}, None, False),
        ({"Null": {"k": "false"}}, "a", True),
        ({"Null": {"k": "true"}}, [], True),
        ({"Bool": {"k": "false"}}, "False", True),
        ({"Bool": {"k": "false"}}, None, False),
        ({"NumericLessThan": {"k": "2.0"}}, "1.0", True),
        ({"NumericLessThan": {"k": "2.0"}}, "2", False),
        ({"NumericLessThan": {"k": "2.0"}}, None, False),
        ({"NumericLessThanEquals": {"k": "2.0"}}, "2", True),
        ({"NumericGreaterThan": {"k": "2"}}, "10", True),
        ({"ForAllValues:StringEquals": {"k": ["a", "b"]}}, ["a", "b", "a"], True),
        ({"ForAllValues:StringEquals": {"k": ["a", "b"]}}, ["a", "c"], False),
        ({"ForAllValues:StringEquals": {"k": "a"}}, None, True),
        ({"ForAllValues:StringNotEquals": {"k": ["a", "b"]}}, ["c", "a"], False),
        ({"ForAnyValue:StringEquals": {"k": "a"}}, ["c", "a"], True),
        ({"ForAnyValue:StringLike": {"k": "a*"}}, ["c"], False),
        ({"ForAnyValue:StringEquals": {"k": "a"}}, None, False),
        ({"StringEquals": {"k": "a"}, "Null": {"z": "false"}}, "a", False),
    ],
)
def test_conditions(condition: dict[str, Any], found: Any, holds: bool) -> None:
    context = {} if found is None else {"k": found}
    assert applies(allow(Condition=condition), call(**context)) is holds


@pytest.mark.parametrize(
    ("pattern", "resource", "context", "holds"),
    [
        ("arn:${aws:PrincipalTag/team}", "arn:blue", {"aws:PrincipalTag/team": "blue"}, True),
        ("arn:${aws:PrincipalTag/team}", "arn:red", {"aws:PrincipalTag/team": "blue"}, False),
        ("arn:${aws:PrincipalTag/team}", "arn:anything", {"aws:PrincipalTag/team": "*"}, False),
        ("arn:${aws:username, 'nobody'}", "arn:nobody", {}, True),
        ("arn:${aws:username}", "arn:", {}, False),
        ("arn:${*}", "arn:*", {}, True),
        ("arn:${*}", "arn:a", {}, False),
    ],
)
def test_policy_variables(pattern: str, resource: str, context: dict[str, str], holds: bool) -> None:
    assert applies(allow(Resource=pattern), Call("sqs:SendMessage", resource, context)) is holds


def test_a_deny_whose_variable_has_no_value_does_not_apply() -> None:
    statement = allow(Effect="Deny", Condition={"StringNotEquals": {"k": "${aws:SourceVpc}"}})
    assert not applies(statement, call(k="a"))
    assert applies(statement, call(k="a", aws__SourceVpc="b"))


@pytest.mark.parametrize(("account", "holds"), [("123456789012", True), ("210987654321", False)])
def test_an_arn_is_not_cut_at_the_colon_within_a_variable(account: str, holds: bool) -> None:
    statement = allow(Condition={"ArnLike": {"k": "arn:aws:iam::${aws:PrincipalAccount}:role/*"}})
    assert (
        applies(statement, call(k=f"arn:aws:iam::{account}:role/a", aws__PrincipalAccount="123456789012")) is holds
    )


def test_nothing_is_allowed_by_itself() -> None:
    assert decide(call(), []) is Verdict.NOT_ALLOWED


def test_an_explicit_deny_wins_wherever_it_stands() -> None:
    granted, denied = policy(allow()), policy(allow(Effect="Deny"))
    assert decide(call(), [granted, denied]) is Verdict.DENIED
    assert decide(call(), [granted], boundary=denied) is Verdict.DENIED
    assert decide(call(), [granted], resource_policy=denied) is Verdict.DENIED


def test_a_boundary_grants_nothing_and_caps_everything() -> None:
    granted, other = policy(allow()), policy(allow(Action="s3:*"))
    assert decide(call(), [granted], boundary=granted) is Verdict.ALLOWED
    assert decide(call(), [granted], boundary=other) is Verdict.NOT_ALLOWED
    assert decide(call(), [other], boundary=granted) is Verdict.NOT_ALLOWED


def test_a_resource_policy_allows_its_principals_only() -> None:
    shared = policy(allow(Principal={"Service": "events.amazonaws.com"}))
    events = Call("sqs:SendMessage", QUEUE, principal="events.amazonaws.com")
    others = Call("sqs:SendMessage", QUEUE, principal="sns.amazonaws.com")
    assert decide(events, [], resource_policy=shared) is Verdict.ALLOWED
    assert decide(others, [], resource_policy=shared) is Verdict.NOT_ALLOWED
    assert decide(others, [], resource_policy=policy(allow(Principal="*"))) is Verdict.ALLOWED


def test_a_trust_policy_has_no_resource() -> None:
    statement = allow(Action="sts:AssumeRole", Principal={"Service": "ec2.amazonaws.com"})
    del statement["Resource"]
    assert applies(statement, Call("sts:AssumeRole", "role", principal="ec2.amazonaws.com"))


@pytest.mark.parametrize(
    "statement",
    [
        allow(Condition={"StringAlmostEquals": {"k": "a"}}),
        allow(Condition={"ForSomeValues:StringEquals": {"k": "a"}}),
        allow(Condition={"StringEquals": {"many": "a"}}),
        allow(NotPrincipal="*"),
        allow(Effect="allow"),
    ],
)
def test_what_is_not_understood_is_an_error(statement: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"not understood|many values|allow"):
        applies(statement, call(k="a", many=["a", "b"]))

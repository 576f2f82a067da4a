"""What each role may and may not, as a table of stories; and what holds for every document."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pytest

from stacks.names import Document, Names, allow
from stacks.operators import DESCRIBES, NETWORK_DESCRIBES
from stacks.policies import boundary, node_policy, node_trust
from stacks.runners import LOGIN, schedule_trust, task_trust
from tests.stacks import rows_nodes, rows_operators, rows_runners
from tests.stacks.evaluator import Call, Verdict, decide
from tests.stacks.roles import DOCUMENTS, NAMES, ROLES, SECRET, Row

ROWS = (*rows_nodes.ROWS, *rows_operators.ROWS, *rows_runners.ROWS)
EVERY = pytest.mark.parametrize("document", DOCUMENTS.values(), ids=list(DOCUMENTS))
IDENTITY = [name for name in DOCUMENTS if name not in ("bucket", "queue") and "trust" not in name]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.role}: {row.story}: {row.action}" for row in ROWS])
def test_table(row: Row) -> None:
    assert (row.verdict() is Verdict.ALLOWED) is row.allowed, row.verdict()


def test_table_is_long_enough_and_says_everything_once() -> None:
    told = [(row.role, row.action, row.resource, row.story) for row in ROWS]
    assert len(told) == len(set(told)) >= 120
    assert {row.role for row in ROWS} == set(ROLES)


@pytest.mark.parametrize(("who", "allowed"), [("ec2.amazonaws.com", True), ("lambda.amazonaws.com", False)])
def test_only_machines_take_a_nodes_role(who: str, allowed: bool) -> None:
    taking = Call("sts:AssumeRole", "role", principal=who)
    assert (decide(taking, [], resource_policy=node_trust(NAMES)) is Verdict.ALLOWED) is allowed


GROUP = "arn:aws:scheduler:us-east-1:123456789012:schedule-group"
TASK = "arn:aws:ecs:us-east-1:123456789012:task/steadyfleet-reconcile/0a1b"


@pytest.mark.parametrize(
    ("trust", "who", "account", "source", "allowed"),
    [
        (schedule_trust, "scheduler.amazonaws.com", "123456789012", f"{GROUP}/steadyfleet-reconcile", True),
        (schedule_trust, "scheduler.amazonaws.com", "123456789012", f"{GROUP}/default", False),
        (schedule_trust, "scheduler.amazonaws.com", "999999999999", f"{GROUP}/steadyfleet-reconcile", False),
        (schedule_trust, "events.amazonaws.com", "123456789012", f"{GROUP}/steadyfleet-reconcile", False),
        (task_trust, "ecs-tasks.amazonaws.com", "123456789012", TASK, True),
        (task_trust, "ecs-tasks.amazonaws.com", "999999999999", TASK, False),
        (task_trust, "ecs-tasks.amazonaws.com", "123456789012", TASK.replace("us-east-1", "eu-west-1"), False),
        (task_trust, "ec2.amazonaws.com", "123456789012", TASK, False),
    ],
)
def test_only_our_schedule_and_our_tasks_take_their_roles(
    trust: Callable[[Names], Document], who: str, account: str, source: str, allowed: bool
) -> None:
    context = {"aws:SourceAccount": account, "aws:SourceArn": source}
    taking = Call("sts:AssumeRole", "role", context, principal=who)
    assert (decide(taking, [], resource_policy=trust(NAMES)) is Verdict.ALLOWED) is allowed


def test_an_accounts_owner_can_widen_the_boundary() -> None:
    images = allow("Images", ["ecr:BatchGetImage"], ["arn:aws:ecr:us-east-1:123456789012:repository/train"])
    pull = Call("ecr:BatchGetImage", images["Resource"][0], {"ec2:RoleDelivery": "2.0"})
    grant = {"Version": "2012-10-17", "Statement": [images]}
    assert decide(pull, [grant], boundary(NAMES)) is Verdict.NOT_ALLOWED
    assert decide(pull, [grant], boundary(NAMES, [images])) is Verdict.ALLOWED


def _statements(document: Document) -> list[dict[str, Any]]:
    return list(document["Statement"])


@EVERY
def test_a_document_is_json_of_the_version_that_knows_variables(document: Document) -> None:
    assert json.loads(json.dumps(document)) == document
    assert document["Version"] == "2012-10-17"
    sids = [statement["Sid"] for statement in _statements(document)]
    assert len(sids) == len(set(sids))
    assert all(sid.isalnum() for sid in sids)


@EVERY
def test_nothing_allows_every_action_or_a_whole_service(document: Document) -> None:
    for statement in _statements(document):
        assert "NotAction" not in statement
        assert statement["Effect"] == "Deny" or "*" not in "".join(statement["Action"])


@EVERY
def test_every_resource_is_allowed_only_where_aws_knows_none(document: Document) -> None:
    for statement in _statements(document):
        assert "NotResource" not in statement
        if statement["Effect"] == "Allow" and "*" in statement.get("Resource", []):
            assert set(statement["Action"]) <= {*DESCRIBES, *NETWORK_DESCRIBES, LOGIN}


@pytest.mark.parametrize("name", IDENTITY)
def test_a_document_fits_a_managed_policy_in_the_longest_names(name: str) -> None:
    """6,144 characters without white space; an inline role policy may have 10,240, so fits too."""
    text = json.dumps(DOCUMENTS[name], separators=(",", ":"))
    for short, longest in ((NAMES.bucket, "b" * 63), (NAMES.table, "t" * 255), (NAMES.queue, "q" * 80)):
        text = text.replace(short, longest)
    assert len(text) <= 6144


def test_each_foralltest_of_keys_is_guarded_against_an_absent_key() -> None:
    for document in DOCUMENTS.values():
        for statement in _statements(document):
            tests = statement.get("Condition", {})
            for operator in [name for name in tests if name.startswith("ForAllValues:")]:
                assert {key: "false" for key in tests[operator]}.items() <= tests["Null"].items()


@pytest.mark.parametrize("field", ["partition", "account", "region", "bucket", "table", "queue", "owner"])
@pytest.mark.parametrize("text", ["*", "a?", "${aws:username}", ""])
def test_names_mean_only_themselves(field: str, text: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in a policy"):
        replace(NAMES, **{field: text})


@pytest.mark.parametrize(
    "arguments",
    [
        {"fleet": "*"},
        {"fleet": "demo/../llm"},
        {"secrets": ["*"]},
        {"secrets": [SECRET.replace("wandb", "*")]},
        {"secrets": ["arn:aws:s3:::payroll/x"]},
    ],
)
def test_what_a_spec_says_cannot_widen_a_role(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"is not|cannot stand"):
        node_policy(NAMES, **({"fleet": "demo"} | arguments))


def test_china_has_its_own_name_for_ec2() -> None:
    china: Names = replace(NAMES, partition="aws-cn", region="cn-north-1")
    assert node_trust(china)["Statement"][0]["Principal"] == {"Service": "ec2.amazonaws.com.cn"}
    assert "arn:aws:" not in json.dumps(node_policy(china, "demo"))


@pytest.mark.parametrize("name", [*IDENTITY, "bucket", "queue"])
def test_parliament_finds_nothing(name: str) -> None:
    """All but the trust policy, whose kind (no resource) parliament does not know."""
    document = DOCUMENTS[name]
    parliament = pytest.importorskip("parliament", reason="NOT LINTED: pip install parliament")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = parliament.analyze_policy_string(json.dumps(document)).findings
    assert [finding for finding in found if not _split_on_purpose(finding, document)] == []


def _split_on_purpose(finding: Any, document: Document) -> bool:
    """Parliament wants all resources of an action in one statement; ours are complete over the document."""
    if finding.issue != "RESOURCE_MISMATCH":
        return False
    return all(
        any(
            missing["action"] in statement["Action"] and fnmatchcase(resource, missing["required_format"])
            for statement in _statements(document)
            for resource in statement["Resource"]
        )
        for missing in finding.detail
    )

"""What moto lacks of an account: the limits of EC2, and IAM's simulator, played by the tests' evaluator."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.doubles.aws import AwsDouble
from tests.doubles.ec2 import Parameters
from tests.stacks.evaluator import Call, Verdict, decide

_WORDS = {Verdict.ALLOWED: "allowed", Verdict.NOT_ALLOWED: "implicitDeny", Verdict.DENIED: "explicitDeny"}


def limited(aws: AwsDouble, limits: Mapping[str, float]) -> None:
    """The account has these limits, by name, in vCPUs."""
    told = [{"ServiceCode": "ec2", "QuotaName": name, "Value": value} for name, value in limits.items()]
    answer = json.dumps({"Quotas": told})
    aws.also["servicequotasv20190624.ListServiceQuotas"] = lambda _: ("application/x-amz-json-1.1", answer)


def simulated(aws: AwsDouble, *policies: Mapping[str, Any]) -> None:
    """IAM simulates principals that have these policies."""

    def answer(asked: Parameters) -> tuple[str, str]:
        results = "".join(_result(asked, action, policies) for action in _members(asked, "ActionNames"))
        told = f"<IsTruncated>false</IsTruncated><EvaluationResults>{results}</EvaluationResults>"
        space = 'xmlns="https://iam.amazonaws.com/doc/2010-05-08/"'
        name = "SimulatePrincipalPolicy"
        return "text/xml", f"<{name}Response {space}><{name}Result>{told}</{name}Result></{name}Response>"

    aws.also["iam.SimulatePrincipalPolicy"] = answer


def _result(asked: Parameters, action: str, policies: Sequence[Mapping[str, Any]]) -> str:
    (resource,) = _members(asked, "ResourceArns")
    verdict = _WORDS[decide(Call(action, resource, _context(asked)), policies)]
    names = f"<EvalActionName>{action}</EvalActionName><EvalResourceName>{resource}</EvalResourceName>"
    return f"<member>{names}<EvalDecision>{verdict}</EvalDecision></member>"


def _context(asked: Parameters) -> dict[str, Any]:
    found: dict[str, Any] = {}
    number = 1
    while key := asked.get(f"ContextEntries.member.{number}.ContextKeyName"):
        values = _members(asked, f"ContextEntries.member.{number}.ContextKeyValues")
        (kind,) = asked[f"ContextEntries.member.{number}.ContextKeyType"]
        found[key[0]] = values if kind == "stringList" else values[0]
        number += 1
    return found


def _members(asked: Parameters, name: str) -> list[str]:
    numbered = {key: value[0] for key, value in asked.items() if key.startswith(f"{name}.member.")}
    return [numbered[f"{name}.member.{number}"] for number in range(1, len(numbered) + 1)]

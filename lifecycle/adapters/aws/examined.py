"""What `steady doctor` reads of an AWS account beyond the preflight. Reads only.

An answer that does not come, or that we may not have, is an error here and `unknown` to whoever asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lifecycle.adapters.aws.session import Session, answers
from lifecycle.model.diagnosis import Caller, Quota, Shape, Trial
from lifecycle.model.errors import Unreadable


def caller(session: Session) -> Caller:
    """Raises NotAuthorised without credentials that AWS takes."""
    found = session.identity()
    return Caller(arn=found["Arn"], account=found["Account"], expires=session.expires)


def architectures(session: Session, images: Sequence[str]) -> dict[str, str]:
    """`x86_64` or `arm64` of each image that can be seen. Asked by filter: an unknown one is no error then."""
    asked = [{"Name": "image-id", "Values": list(images)}]
    with answers("EC2"):
        found = session.client("ec2").describe_images(Filters=asked)["Images"]
    return {image["ImageId"]: image["Architecture"] for image in found}


def shapes(session: Session, types: Sequence[str]) -> dict[str, Shape]:
    """Of each type that the region knows. Asked by filter, as for images."""
    asked = [{"Name": "instance-type", "Values": list(types)}]
    with answers("EC2"):
        pages = session.client("ec2").get_paginator("describe_instance_types").paginate(Filters=asked)
        return {found["InstanceType"]: _shape(found) for page in pages for found in page["InstanceTypes"]}


def _shape(found: dict[str, Any]) -> Shape:
    architectures = found["ProcessorInfo"]["SupportedArchitectures"]
    return Shape(architectures=tuple(architectures), vcpus=found["VCpuInfo"]["DefaultVCpus"])


def quotas(session: Session) -> list[Quota]:
    """EC2's limits as they are for this account and region."""
    with answers("Service Quotas"):
        pages = session.client("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="ec2")
        return [Quota(name=found["QuotaName"], vcpus=found["Value"]) for page in pages for found in page["Quotas"]]


def principal(session: Session, arn: str) -> str:
    """The user or role whose policies count for a caller. Raises Unreadable where there is none to simulate."""
    kind, _, name = arn.split(":", 5)[5].partition("/")
    if kind == "user":
        return arn
    if kind != "assumed-role":
        raise Unreadable(f"IAM simulates users and roles only, not {arn}", fix="look with a role's credentials")
    with answers("IAM"):
        found: str = session.client("iam").get_role(RoleName=name.partition("/")[0])["Role"]["Arn"]
    return found


def denied(session: Session, principal: str, trials: Sequence[Trial]) -> Iterator[tuple[int, str, str]]:
    """(statement, action, resource) of each trial that IAM's simulator does not allow."""
    simulate = session.client("iam").get_paginator("simulate_principal_policy").paginate
    for trial in trials:
        with answers("IAM"):
            pages = simulate(
                PolicySourceArn=principal,
                ActionNames=list(trial.actions),
                ResourceArns=[trial.resource],
                ContextEntries=[_entry(key, values) for key, values in trial.context.items()],
            )
            results = [result for page in pages for result in page["EvaluationResults"]]
        for result in results:
            if result["EvalDecision"] != "allowed":
                yield trial.statement, result["EvalActionName"], trial.resource


def _entry(key: str, values: Sequence[str]) -> dict[str, Any]:
    several = key == "aws:TagKeys"
    return {
        "ContextKeyName": key,
        "ContextKeyValues": list(values),
        "ContextKeyType": "stringList" if several else "string",
    }

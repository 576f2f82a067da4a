"""What things are called on AWS, and the words IAM documents are written in.

Names are checked when they are made: a wildcard or a policy variable in one would widen every document it
appears in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

Statement = dict[str, Any]
Document = dict[str, Any]
Conditions = Mapping[str, Mapping[str, str | list[str]]]

ROLE_PATH = "/steadyfleet/nodes/"
"""Where the roles and profiles of nodes live. The controller's role must not: who may manage a path owns it."""

BOUNDARY = "steadyfleet-boundary"
"""The managed policy that bounds every role a fleet stack makes. It has no path: no deployer can reach it."""

RULES = "steadyfleet-"
"""How the names of our EventBridge rules begin."""

INDEX = "by-fleet"
"""The tracker's index over the rows of a whole fleet. Its partitions are named as `fleet_partition` says."""

NODE_INDEX = "by-node"
"""The index over the journal's entries about one node."""

_LITERAL = re.compile(r"[A-Za-z0-9._/-]+")


@dataclass(frozen=True)
class Names:
    """One foundation: its account and region, its three stores and its owner id."""

    partition: str
    account: str
    region: str
    bucket: str
    table: str
    queue: str
    owner: str

    def __post_init__(self) -> None:
        for field in fields(self):
            literal(getattr(self, field.name))

    @property
    def bucket_arn(self) -> str:
        return f"arn:{self.partition}:s3:::{self.bucket}"

    @property
    def table_arn(self) -> str:
        return f"arn:{self.partition}:dynamodb:{self.region}:{self.account}:table/{self.table}"

    @property
    def index_arn(self) -> str:
        return f"{self.table_arn}/index/{INDEX}"

    @property
    def node_index_arn(self) -> str:
        return f"{self.table_arn}/index/{NODE_INDEX}"

    @property
    def queue_arn(self) -> str:
        return f"arn:{self.partition}:sqs:{self.region}:{self.account}:{self.queue}"

    @property
    def rules_arn(self) -> str:
        return f"arn:{self.partition}:events:{self.region}:{self.account}:rule/{RULES}*"

    @property
    def boundary_arn(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:policy/{BOUNDARY}"

    @property
    def node_roles(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:role{ROLE_PATH}*"

    @property
    def node_profiles(self) -> str:
        return f"arn:{self.partition}:iam::{self.account}:instance-profile{ROLE_PATH}*"

    @property
    def ec2_service(self) -> str:
        """EC2 as a principal; China has an ending of its own."""
        return "ec2.amazonaws.com.cn" if self.partition == "aws-cn" else "ec2.amazonaws.com"

    def objects(self, keys: str) -> str:
        return f"{self.bucket_arn}/{keys}"

    def ec2(self, kind: str) -> str:
        """Every EC2 resource of this kind, here. Images belong to no account in their ARN."""
        account = "" if kind == "image" else self.account
        return f"arn:{self.partition}:ec2:{self.region}:{account}:{kind}/*"


def partition(region: str) -> str:
    """The part of AWS that a region belongs to, as it stands in ARNs."""
    known = {"cn": "aws-cn", "us-gov": "aws-us-gov"}
    return next((name for prefix, name in known.items() if region.startswith(f"{prefix}-")), "aws")


def literal(text: str) -> str:
    """The text, once it is known to mean only itself in a policy. Raises ValueError."""
    if not _LITERAL.fullmatch(text):
        raise ValueError(f"{text!r} cannot stand in a policy: letters, digits and ._/- only")
    return text


def fleet_partition(fleet: str) -> str:
    """The tracker's partition that the controller writes for a fleet."""
    return f"fleet#{fleet}"


def node_partition(instance_arn: str) -> str:
    """The tracker's partition that one machine writes, whatever node it fills."""
    return f"node#{instance_arn}"


def allow(sid: str, actions: Sequence[str], resources: Sequence[str], when: Conditions | None = None) -> Statement:
    return _statement("Allow", sid, actions, resources, when)


def deny(sid: str, actions: Sequence[str], resources: Sequence[str], when: Conditions | None = None) -> Statement:
    return _statement("Deny", sid, actions, resources, when)


def document(*statements: Statement) -> Document:
    """Policy variables have a meaning only under this version."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _statement(
    effect: str, sid: str, actions: Sequence[str], resources: Sequence[str], when: Conditions | None
) -> Statement:
    made: Statement = {"Sid": sid, "Effect": effect, "Action": list(actions), "Resource": list(resources)}
    if when:
        made["Condition"] = {operator: dict(test) for operator, test in when.items()}
    return made

"""The roles under test, the calls' usual contexts, and the shape of a row of the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from stacks.names import Document, Names
from stacks.operators import controller_machines, controller_state, deployer_policy
from stacks.policies import boundary, bucket_policy, node_policy, node_trust, queue_policy
from stacks.runners import backend_policy, schedule_policy, schedule_trust, starter_policy, task_trust
from tests.stacks.evaluator import Call, Value, Verdict, decide

OWNER = "sf-0123456789ab"
NAMES = Names(
    partition="aws",
    account="123456789012",
    region="us-east-1",
    bucket="steadyfleet-123456789012-us-east-1",
    table="steadyfleet-tracker",
    queue="steadyfleet-notices",
    owner=OWNER,
)
EC2 = "arn:aws:ec2:us-east-1:123456789012"
IAM = "arn:aws:iam::123456789012"
BUNDLE = "bundles/9f86d081884c7d65.tar"
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret:wandb-AbCdEf"
SHORT = "arn:aws:secretsmanager:us-east-1:123456789012:secret:hub"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/steadyfleet:2026-11-27"
BACKEND = "s3://company-pulumi/training?region=us-east-1"
PASSED = (f"{IAM}:role/reconcile-1a2b3c4", f"{IAM}:role/reconcile-starter-1a2b3c4")
"""The two roles of the scheduled task."""
ME, OTHER = f"{EC2}:instance/i-0aaa", f"{EC2}:instance/i-0bbb"

EVERYTHING: Document = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}],
}
"""What a careless or hostile policy on a role could grant."""


class Role(NamedTuple):
    policies: tuple[Document, ...]
    boundary: Document | None = None


_CONTROLLER = (controller_machines(NAMES), controller_state(NAMES))
_NODE = node_policy(NAMES, "demo", [SECRET, SHORT])
_GANG = node_policy(NAMES, "demo", reads_peers=True)
_BACKEND = backend_policy(NAMES, BACKEND)
assert _BACKEND is not None

ROLES = {
    "node": Role((_NODE,), boundary(NAMES)),
    "gang node": Role((_GANG,), boundary(NAMES)),
    "node without its boundary": Role((_NODE,)),
    "node with everything": Role((EVERYTHING,), boundary(NAMES)),
    "controller": Role(_CONTROLLER),
    "deployer": Role((*_CONTROLLER, deployer_policy(NAMES))),
    "deployer with everything": Role((deployer_policy(NAMES), EVERYTHING)),
    "schedule": Role((schedule_policy(NAMES, PASSED),)),
    "starter": Role((starter_policy(NAMES, IMAGE, SECRET),)),
    "scheduled task": Role((*_CONTROLLER, _BACKEND)),
    "nobody": Role(()),
    "administrator": Role((EVERYTHING,)),
}

DOCUMENTS = {
    "node": _NODE,
    "gang node": _GANG,
    "boundary": boundary(NAMES),
    "controller machines": _CONTROLLER[0],
    "controller state": _CONTROLLER[1],
    "deployer": deployer_policy(NAMES),
    "bucket": bucket_policy(NAMES),
    "queue": queue_policy(NAMES),
    "schedule": schedule_policy(NAMES, PASSED),
    "starter": starter_policy(NAMES, IMAGE, SECRET),
    "backend": _BACKEND,
    "node trust": node_trust(NAMES),
    "schedule trust": schedule_trust(NAMES),
    "task trust": task_trust(NAMES),
}

ON_A_NODE: Mapping[str, Value] = {"ec2:SourceInstanceARN": ME, "ec2:RoleDelivery": "2.0"}


class Row(NamedTuple):
    """`allowed` is what must come out; `story` says who needs it, or what attack it is."""

    role: str
    allowed: bool
    action: str
    resource: str
    story: str
    context: Mapping[str, Value] = {}
    principal: str = ""

    def verdict(self) -> Verdict:
        role = ROLES[self.role]
        usual: dict[str, Any] = {"aws:SecureTransport": "true", "aws:RequestedRegion": "us-east-1"}
        if "node" in self.role:
            usual |= ON_A_NODE
        found = Call(self.action, self.resource, usual | dict(self.context), self.principal)
        return decide(found, role.policies, role.boundary, _shared(self.resource))


def _shared(resource: str) -> Document | None:
    if resource.startswith(NAMES.bucket_arn):
        return DOCUMENTS["bucket"]
    return DOCUMENTS["queue"] if resource == NAMES.queue_arn else None


def keys(*partitions: str) -> dict[str, Value]:
    return {"dynamodb:LeadingKeys": list(partitions)}


def requested(owner: str = OWNER, fleet: str = "demo", **more: str) -> dict[str, Value]:
    """Tags in the request; further keys with `__` for the colon."""
    found = {"aws:RequestTag/steady:owner": owner, "aws:RequestTag/steady:fleet": fleet}
    return {**{key: value for key, value in found.items() if value}, **_keys(more)}


def tagged(owner: str = OWNER, fleet: str = "demo", **more: Value) -> dict[str, Value]:
    """Tags on the resource."""
    found = {"aws:ResourceTag/steady:owner": owner, "aws:ResourceTag/steady:fleet": fleet}
    return {**{key: value for key, value in found.items() if value}, **_keys(more)}


def _keys(more: Mapping[str, Any]) -> dict[str, Any]:
    return {key.replace("__", ":"): value for key, value in more.items()}

"""What every fleet of one account and region stands on, and what outlives them all.

The checkpoint bucket, the tracker's table, the notice queue with its rules, the controller's role, and the
boundary around whatever a fleet stack makes. A fleet stack finds it by StackReference.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
from pulumi_aws import iam

from stacks import bundle, operators, policies, scheduled, signals, storage
from stacks.names import BOUNDARY, Document, Names, document, partition


async def declare(region: str, software: Path) -> dict[str, Any]:
    """The foundation of `region`, whose machines install the bundle `software`. Returns the stack's outputs."""
    run = scheduled.asked()
    bucket, table, queue = storage.checkpoints(), storage.tracker(), signals.notices()
    names = _names(region, bucket.id, table.name, queue.name)
    storage.policed(bucket, names.apply(policies.bucket_policy))
    storage.software(bucket, software, bundle.digest_of(software))
    signals.listened_to(queue, names.apply(policies.queue_policy))
    boundary = iam.Policy("boundary", name=BOUNDARY, policy=_document(names, policies.boundary))
    if run is not None:
        scheduled.declare(run, names)
    return {
        "owner": bucket.id,
        "region": region,
        "account": names.apply(lambda known: known.account),
        "bucket": bucket.id,
        "table": table.name,
        "queue": queue.name,
        "queue_url": queue.url,
        "boundary": boundary.arn,
        "controller_role": _controller(names).arn,
    }


def check_region(region: str) -> None:
    """Raises pulumi.RunError when the provider's region is another one."""
    configured = pulumi.Config("aws").get("region")
    if configured != region:
        raise pulumi.RunError(
            f"this stack is the foundation of {region}, and aws:region is {configured or 'not set'}; "
            f"`pulumi config set aws:region {region}`"
        )


def _names(region: str, *stores: pulumi.Output[str]) -> pulumi.Output[Names]:
    """The owner's id is the bucket's name: unique in the world, and known as long as anything is kept."""
    return pulumi.Output.all(aws.get_caller_identity_output().account_id, *stores).apply(
        lambda known: Names(
            partition=partition(region),
            account=known[0],
            region=region,
            bucket=known[1],
            table=known[2],
            queue=known[3],
            owner=known[1],
        )
    )


def _controller(names: pulumi.Output[Names]) -> iam.Role:
    """The role that `steady reconcile` runs under; who may take it is up to the account's own IAM."""
    role = iam.Role("controller", assume_role_policy=_document(names, controller_trust))
    for name, rights in (("machines", operators.controller_machines), ("state", operators.controller_state)):
        iam.RolePolicy(f"controller-{name}", role=role.name, policy=_document(names, rights))
    return role


def controller_trust(names: Names) -> Document:
    """Identities of this very account, as far as its own IAM lets them."""
    return document(
        {
            "Sid": "ThisAccount",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:{names.partition}:iam::{names.account}:root"},
            "Action": "sts:AssumeRole",
        }
    )


def _document(names: pulumi.Output[Names], of: Callable[[Names], Document]) -> pulumi.Output[str]:
    return names.apply(lambda known: json.dumps(of(known)))

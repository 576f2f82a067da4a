"""Who a fleet's machines are: one role for all its nodes, bounded, and able to write only what is theirs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

import pulumi
from pulumi_aws import iam

from lifecycle.model import tags
from lifecycle.model.fleet import FleetSpec, Mode
from stacks import policies
from stacks.ground import Ground
from stacks.names import ROLE_PATH


class Identity(NamedTuple):
    """The profile for a fleet's machines, and all that must stand while one of them may still have to save."""

    profile: iam.InstanceProfile
    needed: Sequence[pulumi.Resource]


def declare(spec: FleetSpec, ground: Ground) -> Identity:
    """The fleet's role with its policies, and the profile that hands it to machines."""
    gangs = any(pool.mode is Mode.GANG for pool in spec.pools.values())
    role = iam.Role(
        "node",
        path=ROLE_PATH,
        assume_role_policy=json.dumps(policies.node_trust(ground.names)),
        permissions_boundary=ground.boundary,
        force_detach_policies=True,
        tags=tags.of_fleet(ground.names.owner, spec.fleet),
    )
    rights = policies.node_policy(ground.names, spec.fleet, tuple(spec.secrets.values()), reads_peers=gangs)
    own = iam.RolePolicy("node", name="node", role=role.name, policy=json.dumps(rights))
    theirs = [
        iam.RolePolicyAttachment(f"node-{number}", role=role.name, policy_arn=arn)
        for number, arn in enumerate(spec.aws.policies)
    ]
    profile = iam.InstanceProfile("node", path=ROLE_PATH, role=role.name)
    return Identity(profile, (role, own, *theirs, profile))

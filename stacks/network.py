"""A fleet's security group: nothing comes in, but from each other where ranks train together. Yours instead, where
the spec names some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pulumi
from pulumi_aws import ec2

from lifecycle.model import tags
from lifecycle.model.fleet import FleetSpec, Mode

_FROM_EACH_OTHER = {
    "protocol": "-1",
    "from_port": 0,
    "to_port": 0,
    "self": True,
    "description": "Ranks of a gang",
}


class Network(NamedTuple):
    """The groups of a fleet's machines, and what must stand while one of them may still have to save."""

    groups: Sequence[pulumi.Input[str]]
    needed: Sequence[pulumi.Resource]


def declare(spec: FleetSpec, owner: str) -> Network:
    """The rule is part of the group: one of its own could be made, forgotten and then be in its own way.

    That nothing comes in is declared: AWS's provider takes rules that are left out as they are, whoever made them.
    """
    if spec.aws.security_groups:
        return Network(spec.aws.security_groups, ())
    gangs = any(pool.mode is Mode.GANG for pool in spec.pools.values())
    group = ec2.SecurityGroup(
        "nodes",
        description=f"Nodes of the fleet {spec.fleet}: nothing comes in",
        ingress=[_FROM_EACH_OTHER] if gangs else [],
        egress=[
            {
                "protocol": "-1",
                "from_port": 0,
                "to_port": 0,
                "cidr_blocks": ["0.0.0.0/0"],
                "description": "AWS and the internet",
            }
        ],
        tags=tags.of_fleet(owner, spec.fleet),
    )
    return Network((group.id,), (group,))

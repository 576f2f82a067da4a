"""One node's instance, as the placement wants it: one URN, replaced as a whole, never before it is saved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from typing import Any, NamedTuple, cast

import pulumi
from pulumi_aws import ec2

from lifecycle.model import tags
from lifecycle.model.fleet import FleetSpec, Market, Pool
from lifecycle.model.ids import NodeName, urn_name
from lifecycle.model.quantities import Size
from lifecycle.model.records import Placement

INSTANCE = "aws:ec2/instance:Instance"

REPLACING = [
    "ami",
    "availabilityZone",
    "instanceMarketOptions",
    "instanceType",
    "rootBlockDevice",
    "subnetId",
    "userData",
]
"""A change of these is a new machine. AWS's provider would stop and start for type and user data, unsaved."""

_GIB = 1024**3


class Setting(NamedTuple):
    """What the instances of a fleet have in common."""

    owner: str
    profile: pulumi.Input[str]
    groups: Sequence[pulumi.Input[str]]
    user_data: str
    needed: Sequence[pulumi.Resource]
    hooks: pulumi.ResourceHookBinding


def forms(spec: FleetSpec, user_data: str) -> dict[str, str]:
    """For every node, a digest of what a machine made now would be of, beside market, type and zone."""
    return {str(name): _form(spec, name, user_data) for name in spec.nodes()}


def _form(spec: FleetSpec, node: NodeName, user_data: str) -> str:
    pool = spec.pools[node.pool]
    subnet = _where(spec, node, "").get("subnet_id")
    made_of = [pool.image, gibibytes(pool.disk), pool.max_price, subnet, user_data]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]


def declare(
    spec: FleetSpec, placement: Placement, setting: Setting, *, kept: bool = False
) -> pulumi.CustomResource:
    """The machine of the placement's incarnation. All our tags are in the creating call.

    With `kept` that machine has been made: whatever the spec says now, it is as it was.

    Registered as `ec2.Instance` would, without its 60 outputs, which nobody reads, and without the stack of calls
    that led here, which would be a third of its entry in the state: that is most of what 500 machines cost.
    """
    asked = cast("Any", _asked(spec, placement, setting))
    return pulumi.CustomResource(INSTANCE, urn_name(placement.node), asked, _options(placement, setting, kept))


def _asked(spec: FleetSpec, placement: Placement, setting: Setting) -> ec2.InstanceArgs:
    node = NodeName.parse(placement.node)
    pool = spec.pools[node.pool]
    ours = tags.identity(setting.owner, node, placement.incarnation)
    return ec2.InstanceArgs(
        ami=pool.image,
        instance_type=placement.instance_type,
        **_where(spec, node, placement.zone),
        **_market(pool, placement),
        iam_instance_profile=setting.profile,
        vpc_security_group_ids=list(setting.groups),
        metadata_options=ec2.InstanceMetadataOptionsArgs(
            http_endpoint="enabled",
            http_tokens="required",
            http_put_response_hop_limit=1,
            instance_metadata_tags="enabled",
        ),
        root_block_device=ec2.InstanceRootBlockDeviceArgs(
            encrypted=True,
            volume_size=gibibytes(pool.disk),
            volume_type="gp3",
            delete_on_termination=True,
        ),
        volume_tags=tags.of_fleet(setting.owner, spec.fleet),
        instance_initiated_shutdown_behavior="terminate",
        user_data=setting.user_data,
        user_data_replace_on_change=True,
        tags={"Name": placement.node, **ours},
    )


def gibibytes(size: Size) -> int:
    """Volumes come in whole gibibytes: never less than was asked for."""
    return max(1, -(-size // _GIB))


def _where(spec: FleetSpec, node: NodeName, zone: str) -> dict[str, Any]:
    """In one of your subnets, in turn, where the spec names some; else in the default one of the zone."""
    if spec.aws.subnets:
        return {"subnet_id": spec.aws.subnets[node.index % len(spec.aws.subnets)]}
    return {"availability_zone": zone} if zone else {}


def _market(pool: Pool, placement: Placement) -> dict[str, Any]:
    """One-time spot: a persistent request would make a machine anew that nobody asked for."""
    if placement.market is Market.ON_DEMAND:
        return {}
    spot: dict[str, Any] = {"spot_instance_type": "one-time", "instance_interruption_behavior": "terminate"}
    if pool.max_price is not None:
        spot["max_price"] = f"{pool.max_price:.4f}"
    return {"instance_market_options": {"market_type": "spot", "spot_options": spot}}


def _options(placement: Placement, setting: Setting, kept: bool) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(
        depends_on=list(setting.needed),
        delete_before_replace=True,
        replace_on_changes=REPLACING,
        replacement_trigger=placement.incarnation,
        ignore_changes=[*(f'tags["{name}"]' for name in tags.LIFECYCLE), *(REPLACING if kept else ())],
        hooks=setting.hooks,
        version=_sdk(),
    )


@cache
def _sdk() -> str:
    """The version of the SDK: it picks the provider that all else in the stack is made by."""
    return metadata.version("pulumi_aws")

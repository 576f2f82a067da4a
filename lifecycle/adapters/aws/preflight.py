"""What a fleet needs of AWS, looked for before anything is made. Reads only, with the controller's rights.

`ground` is about the foundation, `faults` about what a spec names. An answer that does not come is Unreadable
and holds the apply up: nothing is made on a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from lifecycle.adapters.aws.items import definition
from lifecycle.adapters.aws.session import Session, answers, code_of
from lifecycle.model.errors import SteadyError
from lifecycle.model.fleet import FleetSpec, Pool
from lifecycle.model.foundation import Foundation, stack_of

Wrong = tuple[tuple[str | int, ...], str]
"""A place in the spec, and what is wrong with it."""

_NOT_OURS = frozenset({"403", "AccessDenied"})
_GONE = frozenset({"404", "NoSuchBucket", "ResourceNotFoundException"})


def faults(session: Session, spec: FleetSpec) -> tuple[Wrong, ...]:
    """What the spec names and AWS does not have. Raises Unreadable."""
    ec2 = session.client("ec2")
    return tuple(wrong for look in LOOKS.values() for wrong in look(ec2, spec))


def ground(session: Session, foundation: Foundation) -> None:
    """Raises SteadyError unless bucket and table are there, are that account's, and have our keys."""
    _bucket(session.client("s3"), foundation)
    _table(session.client("dynamodb"), foundation)


def _bucket(client: Any, foundation: Foundation) -> None:
    """Lists at most one key of ours: HeadBucket would ask for more rights than the controller has."""
    asked = {"Bucket": foundation.bucket, "ExpectedBucketOwner": foundation.account}
    with answers("S3"):
        try:
            client.list_objects_v2(**asked, Prefix="runs/", MaxKeys=1)
        except ClientError as error:
            code = code_of(error)
            if code in _GONE:
                raise _astray(foundation, f"its bucket {foundation.bucket} does not exist") from None
            if code in _NOT_OURS:
                what = f"bucket {foundation.bucket} is not account {foundation.account}'s, or may not be listed"
                raise _astray(foundation, what) from None
            raise


def _table(client: Any, foundation: Foundation) -> None:
    with answers("DynamoDB"):
        try:
            found = client.describe_table(TableName=foundation.table)["Table"]
        except ClientError as error:
            if code_of(error) in _GONE:
                raise _astray(foundation, f"its table {foundation.table} does not exist") from None
            raise
    if _keys(found) != _keys(definition(foundation.table)):
        raise _astray(foundation, f"table {foundation.table} has other keys than this version of steady uses")


def _keys(table: Mapping[str, Any]) -> dict[str, list[str]]:
    """The attribute names of the table's own key and of each index's, partition first."""
    schemas = {index["IndexName"]: index["KeySchema"] for index in table.get("GlobalSecondaryIndexes", ())}
    return {
        name: [part["AttributeName"] for part in sorted(schema, key=lambda part: part["KeyType"])]
        for name, schema in {"": table["KeySchema"], **schemas}.items()
    }


def _astray(foundation: Foundation, what: str) -> SteadyError:
    return SteadyError(
        f"the foundation in {foundation.region} is not as it should be: {what}",
        fix=f"`pulumi up --stack {stack_of(foundation.region)}` puts it right; or use the right AWS_PROFILE",
        about="foundation",
    )


def _placed(ec2: Any, spec: FleetSpec) -> Iterator[Wrong]:
    yield from _named(ec2, "subnet", ("aws", "subnets"), spec.aws.subnets)
    yield from _named(ec2, "security_group", ("aws", "security_groups"), spec.aws.security_groups)


def _zoned(ec2: Any, spec: FleetSpec) -> Iterator[Wrong]:
    zones = _zones(ec2)
    for name, pool in spec.pools.items():
        for index, zone in enumerate(pool.zones):
            if zones.get(zone) != "available":
                said = (
                    f"is {zones[zone]} now" if zone in zones else f"is no zone here; there are {', '.join(zones)}"
                )
                yield ("pools", name, "zones", index), f"{zone!r} {said}"


def _booted(ec2: Any, spec: FleetSpec) -> Iterator[Wrong]:
    for name, pool in spec.pools.items():
        for path, what in _image(ec2, pool.image or ""):
            yield ("pools", name, *path), what


def _offered(ec2: Any, spec: FleetSpec) -> Iterator[Wrong]:
    zones = _zones(ec2)
    for name, pool in spec.pools.items():
        for path, what in _types(ec2, pool, zones):
            yield ("pools", name, *path), what


LOOKS: Mapping[str, Callable[[Any, FleetSpec], Iterator[Wrong]]] = {
    "subnets and groups": _placed,
    "zones": _zoned,
    "image": _booted,
    "instance types": _offered,
}
"""What is looked for of a spec, one by one: each takes a client of EC2 and raises Unreadable."""


def _zones(ec2: Any) -> dict[str, str]:
    """The region's zones with their states. Raises Unreadable."""
    with answers("EC2"):
        found = ec2.describe_availability_zones()["AvailabilityZones"]
    return {zone["ZoneName"]: zone["State"] for zone in found}


def _image(ec2: Any, image: str) -> Iterator[Wrong]:
    with answers("EC2"):
        try:
            found = ec2.describe_images(ImageIds=[image])["Images"]
        except ClientError as error:
            if not code_of(error).startswith("InvalidAMIID"):
                raise
            found = []
    if not found:
        yield ("image",), f"{image!r} is not an image that this account can see in this region"
    elif found[0]["State"] != "available":
        yield ("image",), f"{image!r} is {found[0]['State']}, not available"


def _types(ec2: Any, pool: Pool, zones: Mapping[str, str]) -> Iterator[Wrong]:
    """A type that no zone of the pool offers; one that some do not is the planner's business."""
    wanted = set(pool.zones) or set(zones)
    named = [{"Name": "instance-type", "Values": list(pool.instance_types)}]
    with answers("EC2"):
        pages = ec2.get_paginator("describe_instance_type_offerings").paginate(
            LocationType="availability-zone", Filters=named
        )
        offered = {
            o["InstanceType"] for page in pages for o in page["InstanceTypeOfferings"] if o["Location"] in wanted
        }
    for index, name in enumerate(pool.instance_types):
        if name not in offered:
            yield ("instance_types", index), f"{name!r} is not offered in {', '.join(sorted(wanted))}"


def _named(ec2: Any, kind: str, path: tuple[str, ...], wanted: Sequence[str]) -> Iterator[Wrong]:
    """Subnets or security groups that do not exist. Asked by filter: an unknown one is not an error then."""
    if not wanted:
        return
    by_id = [{"Name": "group-id" if kind == "security_group" else "subnet-id", "Values": list(wanted)}]
    with answers("EC2"):
        if kind == "subnet":
            there = {found["SubnetId"] for found in ec2.describe_subnets(Filters=by_id)["Subnets"]}
        else:
            there = {found["GroupId"] for found in ec2.describe_security_groups(Filters=by_id)["SecurityGroups"]}
    for index, name in enumerate(wanted):
        if name not in there:
            yield (*path, index), f"{name!r} does not exist in this account and region"

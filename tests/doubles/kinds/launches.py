"""EC2's RunInstances: what of a machine is settled when it is launched, in a program's words and in AWS's."""

from __future__ import annotations

import base64
from typing import Any

from tests.doubles.kinds.kind import Unsupported, pairs, present
from tests.doubles.kinds.properties import Properties

METADATA = {
    "httpTokens": "HttpTokens",
    "httpEndpoint": "HttpEndpoint",
    "httpPutResponseHopLimit": "HttpPutResponseHopLimit",
    "instanceMetadataTags": "InstanceMetadataTags",
    "httpProtocolIpv6": "HttpProtocolIpv6",
}
_SPOT = {
    "maxPrice": "MaxPrice",
    "spotInstanceType": "SpotInstanceType",
    "instanceInterruptionBehavior": "InstanceInterruptionBehavior",
    "validUntil": "ValidUntil",
}
_VOLUME = {
    "volumeSize": "VolumeSize",
    "volumeType": "VolumeType",
    "encrypted": "Encrypted",
    "kmsKeyId": "KmsKeyId",
    "iops": "Iops",
    "throughput": "Throughput",
    "deleteOnTermination": "DeleteOnTermination",
    "snapshotId": "SnapshotId",
}
UNDERSTOOD = (
    "ami",
    "associatePublicIpAddress",
    "availabilityZone",
    "disableApiStop",
    "disableApiTermination",
    "ebsBlockDevices",
    "ebsOptimized",
    "iamInstanceProfile",
    "instanceInitiatedShutdownBehavior",
    "instanceType",
    "keyName",
    "metadataOptions",
    "monitoring",
    "placementGroup",
    "privateIp",
    "rootBlockDevice",
    "securityGroups",
    "sourceDestCheck",
    "subnetId",
    "tags",
    "tenancy",
    "userData",
    "userDataBase64",
    "volumeTags",
    "vpcSecurityGroupIds",
)
"""What the double passes on, or reads back."""


def arguments(inputs: Properties, root: str) -> dict[str, Any]:
    """The arguments of RunInstances. `root` is where the image has its root volume, if that is given a shape."""
    profile = inputs.get("iamInstanceProfile")
    placement = {
        "AvailabilityZone": inputs.get("availabilityZone"),
        "Tenancy": inputs.get("tenancy"),
        "GroupName": inputs.get("placementGroup"),
    }
    monitoring = {"Enabled": inputs["monitoring"]} if "monitoring" in inputs else None
    return present(
        ImageId=inputs.get("ami"),
        InstanceType=inputs.get("instanceType"),
        Placement=present(**placement),
        KeyName=inputs.get("keyName"),
        SecurityGroups=inputs.get("securityGroups"),
        IamInstanceProfile={"Name": profile} if profile else None,
        UserData=user_data(inputs) or None,
        EbsOptimized=inputs.get("ebsOptimized"),
        DisableApiTermination=inputs.get("disableApiTermination"),
        DisableApiStop=inputs.get("disableApiStop"),
        InstanceInitiatedShutdownBehavior=inputs.get("instanceInitiatedShutdownBehavior"),
        Monitoring=monitoring,
        MetadataOptions=given(inputs.get("metadataOptions", {}), METADATA),
        InstanceMarketOptions=_market(inputs.get("instanceMarketOptions", {})),
        BlockDeviceMappings=_devices(inputs, root),
        TagSpecifications=_tagged(inputs),
        **_network(inputs),
    )


def _market(options: Properties) -> dict[str, Any]:
    spot = given(options.get("spotOptions", {}), _SPOT)
    return present(MarketType=options.get("marketType"), SpotOptions=spot)


def _devices(inputs: Properties, root: str) -> list[dict[str, Any]]:
    devices = [{"DeviceName": root, "Ebs": given(inputs["rootBlockDevice"], _VOLUME)}] if root else []
    for device in inputs.get("ebsBlockDevices", ()):
        devices.append({"DeviceName": device["deviceName"], "Ebs": given(device, _VOLUME)})
    return devices


def _network(inputs: Properties) -> dict[str, Any]:
    """Where the machine is attached; a say about its public address has to be made with the interface."""
    where = present(
        SubnetId=inputs.get("subnetId"),
        PrivateIpAddress=inputs.get("privateIp"),
    )
    groups = inputs.get("vpcSecurityGroupIds")
    if "associatePublicIpAddress" not in inputs:
        return {**where, **present(SecurityGroupIds=groups)}
    public = {"DeviceIndex": 0, "AssociatePublicIpAddress": inputs["associatePublicIpAddress"]}
    return {"NetworkInterfaces": [{**public, **where, **present(Groups=groups)}]}


def _tagged(inputs: Properties) -> list[dict[str, Any]]:
    kinds = (("instance", inputs.get("tags")), ("volume", inputs.get("volumeTags")))
    return [{"ResourceType": kind, "Tags": pairs(tags)} for kind, tags in kinds if tags]


def user_data(inputs: Properties) -> bytes:
    if "userDataBase64" in inputs:
        return base64.b64decode(inputs["userDataBase64"])
    return str(inputs.get("userData", "")).encode()


def given(properties: Properties, names: dict[str, str]) -> dict[str, Any]:
    """A program's words in AWS's."""
    unknown = {*properties} - {*names} - {"tags", "tagsAll", "deviceName"}
    if unknown:
        raise Unsupported(f"the provider's double does not know {', '.join(sorted(unknown))}")
    return {names[name]: value for name, value in properties.items() if name in names}


def named(found: Any, names: dict[str, str]) -> Properties:
    """AWS's words in a program's."""
    return {name: found[theirs] for name, theirs in names.items() if theirs in found}

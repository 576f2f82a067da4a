"""EC2: machines. What an update stops and starts, what it changes on the fly, and what needs a new machine."""

from __future__ import annotations

import base64
import time
from typing import Any

from tests.doubles.kinds.kind import Kind, Seen, Unsupported, arn, pairs, present, tag_changes, tags_of
from tests.doubles.kinds.launches import METADATA, UNDERSTOOD, arguments, given, named, user_data
from tests.doubles.kinds.properties import Properties

WAIT = 60.0
"""Seconds for a machine to reach a state; the real provider waits up to 20 minutes."""

_ATTRIBUTES = ("disableApiStop", "disableApiTermination", "instanceInitiatedShutdownBehavior", "sourceDestCheck")
_OURS = ("userDataReplaceOnChange", "forceDestroy", "getPasswordData", "instanceMarketOptions", "region")
"""Settings of the provider itself, or of the launch alone: a change of them calls nothing."""


class Instance(Kind):
    """A machine. Type and user data change in place, by stopping and starting it; the market never changes.

    Source: terraform-provider-aws, internal/service/ec2/ec2_instance.go (ForceNew, Computed); its issue 38141 for
    market options: taking them out is no difference, adding or changing them replaces.
    """

    token = "aws:ec2/instance:Instance"
    label = "EC2 Instance"
    replaced_by = (
        "ami",
        "associatePublicIpAddress",
        "availabilityZone",
        "cpuOptions",
        "ebsBlockDevices",
        "ebsOptimized",
        "enclaveOptions",
        "ephemeralBlockDevices",
        "hibernation",
        "hostId",
        "instanceMarketOptions",
        "ipv6AddressCount",
        "ipv6Addresses",
        "keyName",
        "networkInterfaces",
        "placementGroup",
        "privateIp",
        "region",
        "rootBlockDevice.encrypted",
        "rootBlockDevice.kmsKeyId",
        "securityGroups",
        "subnetId",
    )
    computed = (
        "ami",
        "associatePublicIpAddress",
        "availabilityZone",
        "cpuOptions",
        "disableApiStop",
        "disableApiTermination",
        "ebsBlockDevices",
        "ebsOptimized",
        "enclaveOptions",
        "iamInstanceProfile",
        "instanceInitiatedShutdownBehavior",
        "instanceMarketOptions",
        "instanceType",
        "keyName",
        "metadataOptions",
        "monitoring",
        "placementGroup",
        "privateIp",
        "region",
        "rootBlockDevice",
        "securityGroups",
        "subnetId",
        "tenancy",
        "userData",
        "userDataBase64",
        "vpcSecurityGroupIds",
    )
    unordered = ("vpcSecurityGroupIds", "securityGroups", "ebsBlockDevices")

    def replaces(self, new: Properties) -> tuple[str, ...]:
        also = ("userData", "userDataBase64") if new.get("userDataReplaceOnChange") else ()
        return (*self.replaced_by, *also)

    def create(self, inputs: Properties) -> str:
        self.refuse_others(inputs, *UNDERSTOOD, *_OURS)
        launch = arguments(inputs, self._root_name(inputs))
        made = self.aws.ec2.run_instances(MinCount=1, MaxCount=1, **launch)
        known = str(made["Instances"][0]["InstanceId"])
        self._until(known, "running")
        return known

    def _root_name(self, inputs: Properties) -> str:
        """Where the image has its root volume, for a machine that gives that volume another shape."""
        if "rootBlockDevice" not in inputs:
            return ""
        images = self.aws.ec2.describe_images(ImageIds=[inputs["ami"]])["Images"]
        return str(images[0]["RootDeviceName"])

    def read(self, known: str, inputs: Properties) -> Seen | None:
        found = self._described(known)
        if found is None or found["State"]["Name"] == "terminated":
            return None
        groups = [group["GroupId"] for group in found.get("SecurityGroups") or _interface(found).get("Groups", ())]
        tags = tags_of(found.get("Tags"))
        seen = {
            **present(
                ami=found.get("ImageId"),
                instanceType=found.get("InstanceType"),
                availabilityZone=found["Placement"]["AvailabilityZone"],
                subnetId=found.get("SubnetId"),
                keyName=found.get("KeyName"),
                privateIp=found.get("PrivateIpAddress"),
                tenancy=found["Placement"].get("Tenancy"),
            ),
            "vpcSecurityGroupIds": groups,
            "iamInstanceProfile": found.get("IamInstanceProfile", {}).get("Arn", "").rpartition("/")[2],
            "associatePublicIpAddress": bool(found.get("PublicIpAddress")),
            "ebsOptimized": bool(found.get("EbsOptimized")),
            "monitoring": found.get("Monitoring", {}).get("State") == "enabled",
            "metadataOptions": named(found.get("MetadataOptions", {}), METADATA),
            "tags": tags,
        }
        seen |= {name: self._attribute(known, name) for name in _ATTRIBUTES if name in inputs}
        seen |= self._user_data(known, inputs) | self._volumes(found, inputs)
        seen |= {name: inputs[name] for name in _OURS if name in inputs and name != "instanceMarketOptions"}
        spot = found.get("InstanceLifecycle") == "spot"
        if spot:
            seen["instanceMarketOptions"] = inputs.get("instanceMarketOptions", {"marketType": "spot"})
        outputs = {
            "arn": arn("ec2", f"instance/{known}"),
            "instanceState": found["State"]["Name"],
            "instanceLifecycle": found.get("InstanceLifecycle", ""),
            "privateIp": found.get("PrivateIpAddress", ""),
            "privateDns": found.get("PrivateDnsName", ""),
            "publicIp": found.get("PublicIpAddress", ""),
            "publicDns": found.get("PublicDnsName", ""),
            "primaryNetworkInterfaceId": _interface(found).get("NetworkInterfaceId", ""),
            "tagsAll": tags,
        }
        return Seen(seen, outputs)

    def _attribute(self, known: str, name: str) -> Any:
        answer = self.aws.ec2.describe_instance_attribute(InstanceId=known, Attribute=name)
        return answer[name[0].upper() + name[1:]].get("Value")

    def _user_data(self, known: str, inputs: Properties) -> Properties:
        if not {"userData", "userDataBase64"} & {*inputs}:
            return {}
        answer = self.aws.ec2.describe_instance_attribute(InstanceId=known, Attribute="userData")
        encoded = answer.get("UserData", {}).get("Value", "")
        if "userDataBase64" in inputs:
            return {"userDataBase64": encoded}
        return {"userData": base64.b64decode(encoded).decode()}

    def _volumes(self, found: Any, inputs: Properties) -> Properties:
        """The devices as the program gave them, with what moto remembers of the root volume."""
        seen: Properties = {name: inputs[name] for name in ("ebsBlockDevices", "volumeTags") if name in inputs}
        if "rootBlockDevice" in inputs:
            root = self._root(found)
            volume = self.aws.ec2.describe_volumes(VolumeIds=[root])["Volumes"][0]
            names = {"volumeSize": "Size", "volumeType": "VolumeType", "encrypted": "Encrypted"}
            now = {name: volume[theirs] for name, theirs in names.items()}
            given = inputs["rootBlockDevice"]
            seen["rootBlockDevice"] = given | {name: value for name, value in now.items() if name in given}
        return seen

    def _root(self, found: Any) -> str:
        devices = {device["DeviceName"]: device["Ebs"] for device in found.get("BlockDeviceMappings", ())}
        return str(devices[found["RootDeviceName"]]["VolumeId"])

    def update(self, known: str, old: Properties, new: Properties) -> None:
        for name in self.diff(old, new).top_level:
            if name in _OURS:
                continue
            if name in _ATTRIBUTES:
                self._set_attribute(known, name, new[name])
            elif name in _UPDATES:
                _UPDATES[name](self, known, old, new)
            else:
                raise Unsupported(f"the provider's double cannot change {name} of an EC2 Instance in place")

    def _set_attribute(self, known: str, name: str, value: Any) -> None:
        text = value if isinstance(value, str) else str(value).lower()
        if name == "instanceInitiatedShutdownBehavior":
            self.aws.ec2.modify_instance_attribute(InstanceId=known, Attribute=name, Value=text)
        else:
            key = name[0].upper() + name[1:]
            self.aws.ec2.modify_instance_attribute(InstanceId=known, **{key: {"Value": bool(value)}})

    def _tags(self, known: str, old: Properties, new: Properties) -> None:
        retag(self, known, old, new)

    def _volume_tags(self, known: str, old: Properties, new: Properties) -> None:
        found = self._described(known) or {}
        tags = pairs(new.get("volumeTags"))
        volumes = [device["Ebs"]["VolumeId"] for device in found.get("BlockDeviceMappings", ())]
        if volumes and tags:
            self.aws.ec2.create_tags(Resources=volumes, Tags=tags)

    def _groups(self, known: str, old: Properties, new: Properties) -> None:
        self.aws.ec2.modify_instance_attribute(InstanceId=known, Groups=new["vpcSecurityGroupIds"])

    def _profile(self, known: str, old: Properties, new: Properties) -> None:
        filters = [{"Name": "instance-id", "Values": [known]}]
        held = self.aws.ec2.describe_iam_instance_profile_associations(Filters=filters)
        for association in held["IamInstanceProfileAssociations"]:
            self.aws.ec2.disassociate_iam_instance_profile(AssociationId=association["AssociationId"])
        if new.get("iamInstanceProfile"):
            profile = {"Name": new["iamInstanceProfile"]}
            self.aws.ec2.associate_iam_instance_profile(IamInstanceProfile=profile, InstanceId=known)

    def _metadata(self, known: str, old: Properties, new: Properties) -> None:
        self.aws.ec2.modify_instance_metadata_options(InstanceId=known, **given(new["metadataOptions"], METADATA))

    def _type(self, known: str, old: Properties, new: Properties) -> None:
        self._stopped(known, InstanceType={"Value": new["instanceType"]})

    def _program(self, known: str, old: Properties, new: Properties) -> None:
        encoded = base64.b64encode(user_data(new))  # once more than for EC2: moto takes one layer off too many
        self._stopped(known, UserData={"Value": encoded})

    def _stopped(self, known: str, **change: Any) -> None:
        """Stops the machine, changes it and starts it, as EC2 wants it. A one-time spot machine refuses."""
        self.aws.ec2.stop_instances(InstanceIds=[known])
        self._until(known, "stopped")
        self.aws.ec2.modify_instance_attribute(InstanceId=known, **change)
        self.aws.ec2.start_instances(InstanceIds=[known])
        self._until(known, "running")

    def _root_device(self, known: str, old: Properties, new: Properties) -> None:
        before, after = old.get("rootBlockDevice") or {}, new["rootBlockDevice"]
        changed = {name: value for name, value in after.items() if before.get(name) != value}
        names = {"volumeSize": "Size", "volumeType": "VolumeType", "iops": "Iops", "throughput": "Throughput"}
        self.aws.ec2.modify_volume(VolumeId=self._root(self._described(known)), **given(changed, names))

    def delete(self, known: str, inputs: Properties) -> None:
        if inputs.get("forceDestroy"):
            self._set_attribute(known, "disableApiTermination", False)
        self.aws.ec2.terminate_instances(InstanceIds=[known])
        self._until(known, "terminated")

    def _described(self, known: str) -> Any:
        reservations = self.aws.ec2.describe_instances(InstanceIds=[known])["Reservations"]
        return reservations[0]["Instances"][0] if reservations else None

    def _until(self, known: str, state: str) -> None:
        """Waits for the state; on its way to anything else, a machine that ended raises."""
        deadline = time.monotonic() + WAIT
        while time.monotonic() < deadline:
            found = self._described(known)
            now = found["State"]["Name"] if found else "terminated"
            if now == state:
                return
            if now == "terminated":
                raise RuntimeError(f"unexpected state 'terminated', wanted target '{state}'")
            time.sleep(0.02)
        raise TimeoutError(f"timeout while waiting for state to become '{state}'")


_UPDATES = {
    "iamInstanceProfile": Instance._profile,
    "instanceType": Instance._type,
    "metadataOptions": Instance._metadata,
    "rootBlockDevice": Instance._root_device,
    "tags": Instance._tags,
    "userData": Instance._program,
    "userDataBase64": Instance._program,
    "volumeTags": Instance._volume_tags,
    "vpcSecurityGroupIds": Instance._groups,
}


def retag(kind: Kind, known: str, old: Properties, new: Properties) -> None:
    """The tags of anything of EC2's."""
    changed, removed = tag_changes(old, new)
    if removed:
        kind.aws.ec2.delete_tags(Resources=[known], Tags=[{"Key": key} for key in removed])
    if changed:
        kind.aws.ec2.create_tags(Resources=[known], Tags=pairs(changed))


def _interface(found: Any) -> Any:
    """The first network interface; some machines in moto have none."""
    return (found.get("NetworkInterfaces") or [{}])[0]

"""A person in AWS's console: what people do to machines and their surroundings behind the controller's back."""

from __future__ import annotations

import json
from typing import Any

from tests.doubles.kinds.kind import Clients, pairs, tags_of


class Console:
    """Real calls over HTTP, with the double's own credentials. Raises ClientError as EC2 refuses."""

    def __init__(self, clients: Clients) -> None:
        self._aws = clients

    def terminate(self, instance: str) -> None:
        self._aws.ec2.terminate_instances(InstanceIds=[instance])

    def stop(self, instance: str) -> None:
        self._aws.ec2.stop_instances(InstanceIds=[instance])

    def start(self, instance: str) -> None:
        self._aws.ec2.start_instances(InstanceIds=[instance])

    def tag(self, instance: str, key: str, value: str) -> None:
        self._aws.ec2.create_tags(Resources=[instance], Tags=pairs({key: value}))

    def untag(self, instance: str, key: str) -> None:
        self._aws.ec2.delete_tags(Resources=[instance], Tags=[{"Key": key}])

    def open_port(self, group: str, port: int) -> None:
        """Lets the world in."""
        world = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        self._aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[world])

    def widen(self, role: str) -> None:
        """Lets a role do everything, by its own policy."""
        (policy,) = self._aws.iam.list_role_policies(RoleName=role)["PolicyNames"]
        rights = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        self._aws.iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(rights))

    def launch(self, image: str, **options: Any) -> str:
        """Somebody else's machine, unless the tags say otherwise."""
        made = self._aws.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, **options)
        return str(made["Instances"][0]["InstanceId"])

    # ---- looking ---------------------------------------------------------------------------------

    def described(self, instance: str) -> dict[str, Any]:
        found: dict[str, Any] = self._aws.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]
        return dict(found["Instances"][0])

    def state(self, instance: str) -> str:
        return str(self.described(instance)["State"]["Name"])

    def tags(self, instance: str) -> dict[str, str]:
        return tags_of(self.described(instance).get("Tags"))

    def role(self, instance: str) -> str:
        """The one that the machine acts in."""
        profile = self.described(instance)["IamInstanceProfile"]["Arn"].rpartition("/")[2]
        found = self._aws.iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]
        return str(found["Roles"][0]["RoleName"])

    def groups(self, instance: str) -> list[str]:
        found = self.described(instance)
        return [str(group["GroupId"]) for group in found["NetworkInterfaces"][0]["Groups"]]

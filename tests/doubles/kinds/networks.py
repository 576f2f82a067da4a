"""EC2: security groups, with their rules inside."""

from __future__ import annotations

from typing import Any, ClassVar

from tests.doubles.kinds.kind import Kind, Seen, Unsupported, arn, pairs, present, tags_of
from tests.doubles.kinds.machines import retag
from tests.doubles.kinds.properties import Properties


class SecurityGroup(Kind):
    """A group. As the real provider does, it takes away the outgoing rule that AWS puts into a new one."""

    token = "aws:ec2/securityGroup:SecurityGroup"
    label = "Security Group"
    autonamed = "name"
    defaults: ClassVar[Properties] = {"description": "Managed by Pulumi", "revokeRulesOnDelete": False}
    replaced_by = ("name", "namePrefix", "description", "vpcId")
    computed = ("vpcId", "ingress", "egress")

    def create(self, inputs: Properties) -> str:
        vpc = inputs.get("vpcId") or self._default_vpc()
        tags = pairs(inputs.get("tags"))
        made = self.aws.ec2.create_security_group(
            GroupName=inputs["name"],
            Description=inputs["description"],
            VpcId=vpc,
            **present(TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}] if tags else None),
        )
        known = str(made["GroupId"])
        self._allow(known, "Egress", inputs.get("egress", []))
        self._allow(known, "Ingress", inputs.get("ingress", []))
        return known

    def _default_vpc(self) -> str:
        filters = [{"Name": "is-default", "Values": ["true"]}]
        return str(self.aws.ec2.describe_vpcs(Filters=filters)["Vpcs"][0]["VpcId"])

    def _allow(self, known: str, way: str, rules: list[Properties]) -> None:
        """The group's rules of one direction become these."""
        group = self._described(known)
        held = group["IpPermissionsEgress" if way == "Egress" else "IpPermissions"]
        ec2 = self.aws.ec2
        revoke, authorize = {
            "Egress": (ec2.revoke_security_group_egress, ec2.authorize_security_group_egress),
            "Ingress": (ec2.revoke_security_group_ingress, ec2.authorize_security_group_ingress),
        }[way]
        if held:
            revoke(GroupId=known, IpPermissions=held)
        if rules:
            authorize(GroupId=known, IpPermissions=[_inline(known, rule) for rule in rules])

    def read(self, known: str, inputs: Properties) -> Seen | None:
        found = self._described(known)
        tags = tags_of(found.get("Tags"))
        seen = {
            "name": found["GroupName"],
            "description": found["Description"],
            "vpcId": found["VpcId"],
            "tags": tags,
        }
        seen |= {name: inputs[name] for name in ("revokeRulesOnDelete",) if name in inputs}
        seen["egress"] = [_seen(rule, known) for rule in found["IpPermissionsEgress"]]
        seen["ingress"] = [_seen(rule, known) for rule in found["IpPermissions"]]
        own = arn("ec2", f"security-group/{known}")
        return Seen(seen, {"arn": own, "ownerId": found["OwnerId"], "tagsAll": tags})

    def update(self, known: str, old: Properties, new: Properties) -> None:
        for name in self.diff(old, new).top_level:
            if name == "tags":
                retag(self, known, old, new)
            elif name in ("egress", "ingress"):
                self._allow(known, name.capitalize(), new.get(name, []))
            elif name != "revokeRulesOnDelete":
                raise Unsupported(f"the provider's double cannot change {name} of a Security Group in place")

    def delete(self, known: str, inputs: Properties) -> None:
        self.aws.ec2.delete_security_group(GroupId=known)

    def _described(self, known: str) -> Any:
        return self.aws.ec2.describe_security_groups(GroupIds=[known])["SecurityGroups"][0]


def _seen(permission: Any, group: str) -> Properties:
    """An IpPermission as a rule written inside its group."""
    ranges, wider = permission.get("IpRanges", ()), permission.get("Ipv6Ranges", ())
    groups = permission.get("UserIdGroupPairs", ())
    said = next((each["Description"] for each in (*ranges, *wider, *groups) if each.get("Description")), None)
    others = [each["GroupId"] for each in groups if each["GroupId"] != group]
    return {
        "protocol": permission["IpProtocol"],
        "fromPort": max(0, permission.get("FromPort") or 0),
        "toPort": max(0, permission.get("ToPort") or 0),
        **present(
            cidrBlocks=[each["CidrIp"] for each in ranges],
            ipv6CidrBlocks=[each["CidrIpv6"] for each in wider],
            securityGroups=others,
            self=True if len(others) < len(groups) else None,
            description=said,
        ),
    }


def _inline(group: str, rule: Properties) -> dict[str, Any]:
    """A rule written inside its group as an IpPermission."""
    said = present(Description=rule.get("description"))
    groups = [*rule.get("securityGroups", ()), *([group] if rule.get("self") else ())]
    return {
        "IpProtocol": rule["protocol"],
        "FromPort": rule["fromPort"],
        "ToPort": rule["toPort"],
        **present(
            IpRanges=[{"CidrIp": cidr, **said} for cidr in rule.get("cidrBlocks", ())],
            Ipv6Ranges=[{"CidrIpv6": cidr, **said} for cidr in rule.get("ipv6CidrBlocks", ())],
            UserIdGroupPairs=[{"GroupId": name, **said} for name in groups],
        ),
    }

"""What the controller may, which runs unattended, and what a person's deployment of a fleet may beyond that.

Scoped as Karpenter scopes its controller (its published CloudFormation): creating by the tags in the request,
everything later by the tags on the resource, tagging in creation apart from tagging later. A deployer holds all
three documents; the controller the two of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from lifecycle.model import tags
from stacks.names import Conditions, Document, Names, Statement, allow, deny, document

DESCRIBES = (
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceCreditSpecifications",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSpotInstanceRequests",
    "ec2:DescribeSpotPriceHistory",
    "ec2:DescribeSubnets",
    "ec2:DescribeTags",
    "ec2:DescribeVolumes",
    "ec2:DescribeVpcs",
)
"""Reads for which EC2 knows no resource: of our region, else unbounded."""

NETWORK_DESCRIBES = (
    "ec2:DescribeIamInstanceProfileAssociations",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroupRules",
)
"""The same, for making and removing security groups and for changing a profile in place."""

UNREACHABLE = (
    "iam:*AccessKey*",
    "iam:*LoginProfile",
    "iam:*User*",
    "iam:CreatePolicyVersion",
    "iam:DeletePolicy*",
    "iam:DeleteRolePermissionsBoundary",
    "iam:SetDefaultPolicyVersion",
)
"""What would lift the boundary, or make an identity that has none."""


def controller_machines(names: Names) -> Document:
    """EC2 as the controller may use it: see all, make and touch only what carries our owner's tag.

    Of a machine's identity it may put back what says which node it fills, never whose it is.

    Interfaces and spot requests are made by the launch but cannot be tagged by `aws.ec2.Instance`, which tags
    the instance and, by `volume_tags`, its volumes: so those two kinds are launched without a test of tags.
    """
    return document(
        _describe(names, "See", DESCRIBES),
        allow("LaunchInto", ["ec2:RunInstances"], _launched_into(names)),
        allow("LaunchMachines", ["ec2:RunInstances"], [names.ec2("instance")], _launch(names)),
        allow("LaunchVolumes", ["ec2:RunInstances"], [names.ec2("volume")], _requested(names)),
        allow(
            "TagWhatIsLaunched",
            ["ec2:CreateTags"],
            [names.ec2("instance"), names.ec2("volume")],
            _requested(names, {"ec2:CreateAction": "RunInstances"}),
        ),
        allow(
            "SwitchAndEnd",
            ["ec2:DescribeInstanceAttribute", "ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances"],
            [names.ec2("instance")],
            _owned(names),
        ),
        allow(
            "TellTheState",
            ["ec2:CreateTags"],
            [names.ec2("instance")],
            _owned(names)
            | {
                "ForAllValues:StringEquals": {"aws:TagKeys": list(tags.LIFECYCLE)},
                "Null": {"aws:TagKeys": "false"},
            },
        ),
        allow(
            "PutTagsBack",
            ["ec2:CreateTags"],
            [names.ec2("instance")],
            _owned(names)
            | {
                "ForAllValues:StringEquals": {"aws:TagKeys": ["Name", tags.POOL, tags.NODE, tags.INCARNATION]},
                "Null": {"aws:TagKeys": "false"},
            },
        ),
        allow(
            "TakeForeignTagsOff",
            ["ec2:DeleteTags"],
            [names.ec2("instance")],
            _owned(names)
            | {"ForAllValues:StringNotLike": {"aws:TagKeys": "steady:*"}, "Null": {"aws:TagKeys": "false"}},
        ),
        *_node_roles(names),
    )


def controller_state(names: Names) -> Document:
    """The tracker, the checkpoints' upkeep and the notice queue. It never writes or reads a checkpoint's data."""
    return document(
        allow(
            "Tracker",
            [
                "dynamodb:BatchGetItem",
                "dynamodb:ConditionCheckItem",
                "dynamodb:DeleteItem",
                "dynamodb:DescribeTable",
                "dynamodb:GetItem",
                "dynamodb:PutItem",
                "dynamodb:Query",
                "dynamodb:UpdateItem",
            ],
            [names.table_arn],
        ),
        allow("TrackerByFleetAndNode", ["dynamodb:Query"], [names.index_arn, names.node_index_arn]),
        allow("ListCheckpoints", ["s3:ListBucket"], [names.bucket_arn], {"StringLike": {"s3:prefix": "runs/*"}}),
        allow("ListUploads", ["s3:ListBucketMultipartUploads"], [names.bucket_arn]),
        allow("ReadManifests", ["s3:GetObject"], [names.objects("runs/*/manifest.json")]),
        allow(
            "PruneCheckpoints",
            ["s3:AbortMultipartUpload", "s3:DeleteObject"],
            [names.objects("runs/*")],
        ),
        allow(
            "Notices",
            [
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:GetQueueUrl",
                "sqs:ReceiveMessage",
                "sqs:SendMessage",
            ],
            [names.queue_arn],
        ),
    )


def deployer_policy(names: Names) -> Document:
    """A fleet's own role, profile and security group, beside the controller's documents.

    After Karpenter and AWS's "delegate to others with permissions boundaries": a role is made, and given
    policies, only while the boundary is on it. The trust of a role is set when it is made and not changed.
    """
    return document(
        _describe(names, "SeeNetwork", NETWORK_DESCRIBES),
        *_bounded_roles(names),
        *_security_groups(names),
        allow(
            "ChangeInPlace",
            [
                "ec2:AssociateIamInstanceProfile",
                "ec2:DisassociateIamInstanceProfile",
                "ec2:ReplaceIamInstanceProfileAssociation",
            ],
            [names.ec2("instance")],
            _owned(names),
        ),
        allow(
            "TagLaterButNotIdentity",
            ["ec2:CreateTags", "ec2:DeleteTags"],
            [names.ec2(kind) for kind in ("instance", "security-group", "volume")],
            _owned(names)
            | {
                "ForAllValues:StringNotEquals": {"aws:TagKeys": list(tags.IDENTITY)},
                "Null": {"aws:TagKeys": "false"},
            },
        ),
        deny("NoWayAroundTheBoundary", UNREACHABLE, ["*"]),
        deny(
            "NoOtherBoundary",
            ["iam:CreateRole", "iam:PutRolePermissionsBoundary"],
            ["*"],
            {"ArnNotEquals": {"iam:PermissionsBoundary": names.boundary_arn}},
        ),
    )


def _describe(names: Names, sid: str, actions: Sequence[str]) -> Statement:
    return allow(sid, actions, ["*"], {"StringEquals": {"aws:RequestedRegion": names.region}})


def _launched_into(names: Names) -> list[str]:
    kinds = ("image", "network-interface", "security-group", "spot-instances-request", "subnet")
    return [names.ec2(kind) for kind in kinds]


def _launch(names: Names) -> Conditions:
    """Tagged as ours in the creating call, with IMDSv2, and in a node's profile: never with another role."""
    return _requested(names, {"ec2:MetadataHttpTokens": "required"}) | {
        "ArnLike": {"ec2:InstanceProfile": names.node_profiles}
    }


def _requested(names: Names, also: dict[str, str] | None = None) -> dict[str, dict[str, str | list[str]]]:
    return {
        "StringEquals": {f"aws:RequestTag/{tags.OWNER}": names.owner, **(also or {})},
        "StringLike": {f"aws:RequestTag/{tags.FLEET}": "?*"},
    }


def _owned(names: Names) -> dict[str, dict[str, str | list[str]]]:
    return {
        "StringEquals": {f"aws:ResourceTag/{tags.OWNER}": names.owner},
        "StringLike": {f"aws:ResourceTag/{tags.FLEET}": "?*"},
    }


def _node_roles(names: Names) -> list[Statement]:
    """Handing a node's role to a machine, and to nothing else."""
    return [
        allow(
            "HandOutNodeRoles",
            ["iam:PassRole"],
            [names.node_roles],
            {"StringEquals": {"iam:PassedToService": names.ec2_service}},
        ),
        allow(
            "SeeNodeRoles",
            [
                "iam:GetInstanceProfile",
                "iam:GetRole",
                "iam:GetRolePolicy",
                "iam:ListAttachedRolePolicies",
                "iam:ListRolePolicies",
            ],
            [names.node_roles, names.node_profiles],
        ),
    ]


def _bounded_roles(names: Names) -> list[Statement]:
    return [
        allow(
            "RolesInsideTheBoundary",
            [
                "iam:AttachRolePolicy",
                "iam:CreateRole",
                "iam:DeleteRolePolicy",
                "iam:DetachRolePolicy",
                "iam:PutRolePermissionsBoundary",
                "iam:PutRolePolicy",
            ],
            [names.node_roles],
            {"ArnEquals": {"iam:PermissionsBoundary": names.boundary_arn}},
        ),
        allow(
            "RolesOfNodes",
            [
                "iam:DeleteRole",
                "iam:ListInstanceProfilesForRole",
                "iam:ListRoleTags",
                "iam:TagRole",
                "iam:UntagRole",
            ],
            [names.node_roles],
        ),
        allow(
            "ProfilesOfNodes",
            [
                "iam:AddRoleToInstanceProfile",
                "iam:CreateInstanceProfile",
                "iam:DeleteInstanceProfile",
                "iam:ListInstanceProfileTags",
                "iam:RemoveRoleFromInstanceProfile",
                "iam:TagInstanceProfile",
                "iam:UntagInstanceProfile",
            ],
            [names.node_profiles],
        ),
    ]


def _security_groups(names: Names) -> list[Statement]:
    groups = [names.ec2("security-group")]
    return [
        allow("GroupsInAnyVpc", ["ec2:CreateSecurityGroup"], [names.ec2("vpc")]),
        allow("GroupsOfOurs", ["ec2:CreateSecurityGroup"], groups, _requested(names)),
        allow(
            "TagGroups",
            ["ec2:CreateTags"],
            groups,
            _requested(names, {"ec2:CreateAction": "CreateSecurityGroup"}),
        ),
        allow(
            "RulesOfOurGroups",
            [
                "ec2:AuthorizeSecurityGroupEgress",
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:DeleteSecurityGroup",
                "ec2:RevokeSecurityGroupEgress",
                "ec2:RevokeSecurityGroupIngress",
            ],
            groups,
            _owned(names),
        ),
    ]

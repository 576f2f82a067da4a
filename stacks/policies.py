"""Who may do what: nodes, the boundary around them, and the policies on bucket and queue. Pure documents.

The patterns: Karpenter's published CloudFormation for scoping by tag and path; DynamoDB's "fine-grained access
control" for leading keys, with `Null` beside each `ForAllValues` because that holds for an absent key too; EC2's
`ec2:SourceInstanceARN` and `ec2:RoleDelivery`, which travel with credentials that a machine got from its metadata
service; S3's "enforce conditional writes". What the controller and the deployer may is in `operators`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lifecycle.model.ids import NAME
from stacks.names import Document, Names, Statement, allow, deny, document, fleet_partition, node_partition

THIS_MACHINE = node_partition("${ec2:SourceInstanceARN}")
"""The partition of whichever machine asks: one role serves a fleet, and still no node writes another's rows."""

READS = ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query")
WRITES = ("dynamodb:ConditionCheckItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
OBJECTS = ("s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject")

SECRET = re.compile(r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+")
"""The full ARN of one secret."""

_KEYS_ARE_KNOWN = {"dynamodb:LeadingKeys": "false"}
_ENDED = re.compile(r"-[A-Za-z0-9]{6}$")


def node_trust(names: Names) -> Document:
    """Machines only: nobody takes a node's role by `sts:AssumeRole`."""
    return document(
        {
            "Sid": "Machines",
            "Effect": "Allow",
            "Principal": {"Service": names.ec2_service},
            "Action": "sts:AssumeRole",
        }
    )


def node_policy(names: Names, fleet: str, secrets: Sequence[str] = (), reads_peers: bool = False) -> Document:
    """What every node of one fleet may: its fleet's checkpoints, its fleet's orders, its own reports.

    `secrets` are full ARNs; `reads_peers` is for gangs, whose agents look at each other's reports by the index.
    Nobody may list uploads: `s3:ListBucketMultipartUploads` knows no prefix, so a node would see every fleet's.
    Which bundle is current is read at boot, so the role names all of them.
    """
    _check(fleet, secrets)
    statements = [
        allow("OwnCheckpoints", OBJECTS, [names.objects(f"runs/{fleet}/*")]),
        allow("OwnPrefix", ["s3:ListBucket"], [names.bucket_arn], {"StringLike": {"s3:prefix": f"runs/{fleet}/*"}}),
        allow("Software", ["s3:GetObject"], [names.objects("bundles/*")]),
        _reads(names, "StringEquals", fleet_partition(fleet)),
        _writes(names),
    ]
    if reads_peers:
        statements.append(_peers(names, "StringEquals", fleet_partition(fleet)))
    if secrets:
        statements.append(allow("NamedSecrets", ["secretsmanager:GetSecretValue"], _named(secrets)))
    return document(*statements, _metadata_v2_only())


def boundary(names: Names, also: Sequence[Statement] = ()) -> Document:
    """The most that any role of a fleet stack can ever do, whatever policies are put on it.

    `also` is what this account's owner lets fleets' own policies (`aws.policies` in a spec) reach beyond that.
    """
    return document(
        allow("Checkpoints", OBJECTS, [names.objects("runs/*")]),
        allow("Prefixes", ["s3:ListBucket"], [names.bucket_arn], {"StringLike": {"s3:prefix": "runs/*"}}),
        allow("Software", ["s3:GetObject"], [names.objects("bundles/*")]),
        _reads(names, "StringLike", fleet_partition("*")),
        _peers(names, "StringLike", fleet_partition("*")),
        _writes(names),
        allow(
            "Secrets",
            ["secretsmanager:GetSecretValue"],
            [f"arn:{names.partition}:secretsmanager:*:{names.account}:secret:*"],
        ),
        *also,
        _metadata_v2_only(),
    )


def bucket_policy(names: Names) -> Document:
    """TLS for everybody; a manifest is written once.

    S3 enforces the latter by `s3:if-none-match`, for the calls that make an object: the parts of a multipart
    upload take no such header, so `s3:ObjectCreationOperation` exempts them. A copy onto a manifest is refused.
    """
    return document(
        {"Principal": "*"}
        | deny(
            "OnlyOverTls",
            ["s3:*"],
            [names.bucket_arn, names.objects("*")],
            {"Bool": {"aws:SecureTransport": "false"}},
        ),
        {"Principal": "*"}
        | deny(
            "ManifestsAreWrittenOnce",
            ["s3:PutObject"],
            [names.objects("runs/*/manifest.json")],
            {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}},
        ),
    )


def queue_policy(names: Names) -> Document:
    """Our rules of this account's EventBridge may send; the account keeps another's from posing as ours."""
    return document(
        {"Principal": {"Service": "events.amazonaws.com"}}
        | allow(
            "OwnRules",
            ["sqs:SendMessage"],
            [names.queue_arn],
            {
                "StringEquals": {"aws:SourceAccount": names.account},
                "ArnLike": {"aws:SourceArn": names.rules_arn},
            },
        ),
        {"Principal": "*"}
        | deny("OnlyOverTls", ["sqs:*"], [names.queue_arn], {"Bool": {"aws:SecureTransport": "false"}}),
    )


def _reads(names: Names, test: str, fleets: str) -> Statement:
    return allow(
        "FleetAndOwnRows",
        READS,
        [names.table_arn],
        {
            f"ForAllValues:{test}": {"dynamodb:LeadingKeys": [fleets, THIS_MACHINE]},
            "Null": _KEYS_ARE_KNOWN,
        },
    )


def _writes(names: Names) -> Statement:
    return allow(
        "OwnRowsOnly",
        WRITES,
        [names.table_arn],
        {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [THIS_MACHINE]}, "Null": _KEYS_ARE_KNOWN},
    )


def _peers(names: Names, test: str, fleets: str) -> Statement:
    return allow(
        "PeersReports",
        ["dynamodb:Query"],
        [names.index_arn],
        {f"ForAllValues:{test}": {"dynamodb:LeadingKeys": [fleets]}, "Null": _KEYS_ARE_KNOWN},
    )


def _metadata_v2_only() -> Statement:
    """A request forged through a machine (SSRF) can get credentials by IMDSv1 only: those are worth nothing."""
    return deny("OnlyByMetadataV2", ["*"], ["*"], {"NumericLessThan": {"ec2:RoleDelivery": "2.0"}})


def _named(secrets: Sequence[str]) -> list[str]:
    """Secrets Manager ends every ARN with a hyphen and six characters of its own; specs may leave them out.

    Source of the pattern: AWS Secrets Manager's guide, "IAM policy examples".
    """
    return [arn if _ENDED.search(arn) else f"{arn}-??????" for arn in secrets]


def _check(fleet: str, secrets: Sequence[str]) -> None:
    if not NAME.fullmatch(fleet):
        raise ValueError(f"{fleet!r} is not the name of a fleet")
    for arn in secrets:
        if not SECRET.fullmatch(arn):
            raise ValueError(f"{arn!r} is not the full ARN of one secret")

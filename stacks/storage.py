"""Where checkpoints and records are kept: protected, and kept when the stack is destroyed."""

from __future__ import annotations

import json
from pathlib import Path

import pulumi
from pulumi_aws import dynamodb, s3

from stacks.names import INDEX, NODE_INDEX

KEPT = pulumi.ResourceOptions(protect=True, retain_on_delete=True)
"""A destroyed foundation leaves checkpoints and history where they are."""

_KEYS = (INDEX, "f"), (NODE_INDEX, "n")


def checkpoints() -> s3.Bucket:
    """Versioned, encrypted, closed to the public; uploads that nobody finishes are dropped after a day."""
    bucket = s3.Bucket("checkpoints", opts=KEPT)
    _protect(bucket)
    _keep_up(bucket)
    return bucket


def _kept_with(bucket: s3.Bucket) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions.merge(KEPT, pulumi.ResourceOptions(parent=bucket))


def _protect(bucket: s3.Bucket) -> None:
    kept = _kept_with(bucket)
    s3.BucketVersioning("checkpoints", bucket=bucket.id, versioning_configuration={"status": "Enabled"}, opts=kept)
    s3.BucketServerSideEncryptionConfiguration(
        "checkpoints",
        bucket=bucket.id,
        rules=[{"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}],
        opts=kept,
    )
    s3.BucketPublicAccessBlock(
        "checkpoints",
        bucket=bucket.id,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=kept,
    )
    s3.BucketOwnershipControls(
        "checkpoints", bucket=bucket.id, rule={"object_ownership": "BucketOwnerEnforced"}, opts=kept
    )


def _keep_up(bucket: s3.Bucket) -> None:
    """Old versions are a safety net for 30 days, not an archive."""
    s3.BucketLifecycleConfiguration(
        "checkpoints",
        bucket=bucket.id,
        rules=[
            {
                "id": "drop-unfinished-uploads",
                "status": "Enabled",
                "filter": {"prefix": ""},
                "abort_incomplete_multipart_upload": {"days_after_initiation": 1},
            },
            {
                "id": "forget-old-versions",
                "status": "Enabled",
                "filter": {"prefix": "runs/"},
                "noncurrent_version_expiration": {"noncurrent_days": 30},
            },
        ],
        opts=_kept_with(bucket),
    )


def policed(bucket: s3.Bucket, policy: pulumi.Output[dict[str, object]]) -> s3.BucketPolicy:
    return s3.BucketPolicy(
        "checkpoints",
        bucket=bucket.id,
        policy=policy.apply(json.dumps),
        opts=_kept_with(bucket),
    )


def software(bucket: s3.Bucket, bundle: Path, digest: str) -> None:
    """The agent's bundle, and which one is current. Bundles stay: a machine may just be booting from an old one."""
    kept = pulumi.ResourceOptions(retain_on_delete=True)
    file = s3.BucketObjectv2(
        "bundle", bucket=bucket.id, key=f"bundles/{digest}.tar", source=pulumi.FileAsset(str(bundle)), opts=kept
    )
    after = pulumi.ResourceOptions.merge(kept, pulumi.ResourceOptions(depends_on=[file]))
    s3.BucketObjectv2("current-bundle", bucket=bucket.id, key="bundles/current", content=digest, opts=after)


def tracker() -> dynamodb.Table:
    """Pays by use; restorable to any moment of the last 35 days; cannot be deleted by accident."""
    return dynamodb.Table(
        "tracker",
        billing_mode="PAY_PER_REQUEST",
        hash_key="pk",
        range_key="sk",
        attributes=[{"name": name, "type": "S"} for name in ("pk", "sk", "f", "n")],
        global_secondary_indexes=[
            {"name": name, "hash_key": key, "range_key": "sk", "projection_type": "ALL"} for name, key in _KEYS
        ],
        point_in_time_recovery={"enabled": True},
        server_side_encryption={"enabled": True},
        deletion_protection_enabled=True,
        opts=KEPT,
    )

"""S3: buckets, their settings, and single objects."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from tests.doubles.aws import REGION
from tests.doubles.kinds.kind import Kind, Seen, pairs, present, tags_of
from tests.doubles.kinds.properties import Properties

_ODD = {
    "id": "ID",
    "mfaDelete": "MFADelete",
    "sseAlgorithm": "SSEAlgorithm",
    "kmsMasterKeyId": "KMSMasterKeyID",
}
_ODD_BACK = {theirs: ours for ours, theirs in _ODD.items()}


class Bucket(Kind):
    """A bucket by itself: its settings are resources of their own."""

    token = "aws:s3/bucket:Bucket"
    label = "S3 Bucket"
    autonamed = "bucket"
    defaults: ClassVar[Properties] = {"forceDestroy": False}
    replaced_by = ("bucket", "bucketPrefix", "objectLockEnabled")

    def create(self, inputs: Properties) -> str:
        name = str(inputs["bucket"])
        self.refuse_others(inputs, "bucket", "objectLockEnabled", "tags")
        locked = present(ObjectLockEnabledForBucket=inputs.get("objectLockEnabled"))
        self.aws.s3.create_bucket(Bucket=name, **locked)
        self._tag(name, inputs)
        return name

    def _tag(self, name: str, inputs: Properties) -> None:
        if inputs.get("tags"):
            self.aws.s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": pairs(inputs["tags"])})
        else:
            self.aws.s3.delete_bucket_tagging(Bucket=name)

    def read(self, known: str, inputs: Properties) -> Seen | None:
        self.aws.s3.head_bucket(Bucket=known)
        tags = self._tags(known)
        seen = {**{name: inputs[name] for name in ("objectLockEnabled",) if name in inputs}, "bucket": known}
        outputs = {
            "arn": f"arn:aws:s3:::{known}",
            "bucketDomainName": f"{known}.s3.amazonaws.com",
            "bucketRegionalDomainName": f"{known}.s3.{REGION}.amazonaws.com",
            "bucketRegion": REGION,
            "tagsAll": tags,
        }
        return Seen({**seen, "tags": tags}, outputs)

    def _tags(self, known: str) -> dict[str, str]:
        try:
            return tags_of(self.aws.s3.get_bucket_tagging(Bucket=known)["TagSet"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchTagSet":
                return {}
            raise

    def update(self, known: str, old: Properties, new: Properties) -> None:
        self._tag(known, new)

    def delete(self, known: str, inputs: Properties) -> None:
        if inputs.get("forceDestroy"):
            self._empty(known)
        self.aws.s3.delete_bucket(Bucket=known)

    def _empty(self, known: str) -> None:
        for page in self.aws.s3.get_paginator("list_object_versions").paginate(Bucket=known):
            for found in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                self.aws.s3.delete_object(Bucket=known, Key=found["Key"], VersionId=found["VersionId"])


class Setting(Kind):
    """One setting of a bucket; its id is the bucket's. `holds` is the input that carries it."""

    replaced_by = ("bucket", "expectedBucketOwner")
    holds: ClassVar[str]

    def create(self, inputs: Properties) -> str:
        self._put(str(inputs["bucket"]), _theirs(inputs[self.holds]))
        return str(inputs["bucket"])

    def read(self, known: str, inputs: Properties) -> Seen | None:
        return Seen({"bucket": known, self.holds: _ours(self._get(known))})

    def update(self, known: str, old: Properties, new: Properties) -> None:
        self._put(known, _theirs(new[self.holds]))

    def delete(self, known: str, inputs: Properties) -> None:
        self._drop(known)

    def _put(self, bucket: str, value: Any) -> None:
        raise NotImplementedError

    def _get(self, bucket: str) -> Any:
        raise NotImplementedError

    def _drop(self, bucket: str) -> None:
        raise NotImplementedError


class BucketVersioning(Setting):
    """Deleting it suspends versioning, as AWS cannot take it back."""

    token = "aws:s3/bucketVersioning:BucketVersioning"
    label = "S3 Bucket Versioning"
    holds = "versioningConfiguration"

    def _put(self, bucket: str, value: Any) -> None:
        self.aws.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=value)

    def _get(self, bucket: str) -> Any:
        found = self.aws.s3.get_bucket_versioning(Bucket=bucket)
        return {name: found[name] for name in ("Status", "MFADelete") if name in found}

    def _drop(self, bucket: str) -> None:
        self._put(bucket, {"Status": "Suspended"})


class BucketServerSideEncryptionConfiguration(Setting):
    token = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    label = "S3 Bucket Server-side Encryption Configuration"
    holds = "rules"

    def _put(self, bucket: str, value: Any) -> None:
        self.aws.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": value})

    def _get(self, bucket: str) -> Any:
        return self.aws.s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]

    def _drop(self, bucket: str) -> None:
        self.aws.s3.delete_bucket_encryption(Bucket=bucket)


class BucketLifecycleConfiguration(Setting):
    token = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    label = "S3 Bucket Lifecycle Configuration"
    holds = "rules"

    def _put(self, bucket: str, value: Any) -> None:
        self.aws.s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": value})

    def _get(self, bucket: str) -> Any:
        return self.aws.s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]

    def _drop(self, bucket: str) -> None:
        self.aws.s3.delete_bucket_lifecycle(Bucket=bucket)


class BucketOwnershipControls(Setting):
    token = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
    label = "S3 Bucket Ownership Controls"
    holds = "rule"

    def _put(self, bucket: str, value: Any) -> None:
        self.aws.s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [value]})

    def _get(self, bucket: str) -> Any:
        return self.aws.s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"][0]

    def _drop(self, bucket: str) -> None:
        self.aws.s3.delete_bucket_ownership_controls(Bucket=bucket)


class BucketPublicAccessBlock(Kind):
    token = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    label = "S3 Bucket Public Access Block"
    replaced_by = ("bucket",)
    blocks = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")

    def create(self, inputs: Properties) -> str:
        self.update(str(inputs["bucket"]), {}, inputs)
        return str(inputs["bucket"])

    def read(self, known: str, inputs: Properties) -> Seen | None:
        found = self.aws.s3.get_public_access_block(Bucket=known)["PublicAccessBlockConfiguration"]
        return Seen({"bucket": known, **_ours(found)})

    def update(self, known: str, old: Properties, new: Properties) -> None:
        blocks = {name: bool(new.get(name)) for name in self.blocks}
        self.aws.s3.put_public_access_block(Bucket=known, PublicAccessBlockConfiguration=_theirs(blocks))

    def delete(self, known: str, inputs: Properties) -> None:
        self.aws.s3.delete_public_access_block(Bucket=known)


class BucketPolicy(Kind):
    """Kept in the stack's state alone: moto would enforce such a policy without its conditions, and refuse all.

    So a policy changed or removed behind Pulumi's back does not show.
    """

    token = "aws:s3/bucketPolicy:BucketPolicy"
    label = "S3 Bucket Policy"
    replaced_by = ("bucket",)
    documents = ("policy",)

    def create(self, inputs: Properties) -> str:
        self.aws.s3.head_bucket(Bucket=inputs["bucket"])
        return str(inputs["bucket"])

    def read(self, known: str, inputs: Properties) -> Seen | None:
        self.aws.s3.head_bucket(Bucket=known)
        return Seen({"bucket": known, "policy": inputs.get("policy", "")})

    def update(self, known: str, old: Properties, new: Properties) -> None:
        self.aws.s3.head_bucket(Bucket=known)

    def delete(self, known: str, inputs: Properties) -> None:
        self.aws.s3.head_bucket(Bucket=known)


class BucketObjectv2(Kind):
    """One object, from a text, base64 or a file asset. New content is a new version in place."""

    token = "aws:s3/bucketObjectv2:BucketObjectv2"
    label = "S3 Object"
    replaced_by = ("bucket", "key")
    computed = ("contentType", "storageClass", "serverSideEncryption", "etag")

    def checked(self, logical: str, seed: bytes, olds: Properties, news: Properties) -> Properties:
        return {"key": logical, **super().checked(logical, seed, olds, news)}

    def create(self, inputs: Properties) -> str:
        self._put(inputs)
        return f"{inputs['bucket']}/{inputs['key']}"

    def _put(self, inputs: Properties) -> None:
        self.aws.s3.put_object(
            Bucket=inputs["bucket"],
            Key=inputs["key"],
            Body=_body(inputs),
            **present(
                ContentType=inputs.get("contentType"),
                Metadata=inputs.get("metadata"),
                ServerSideEncryption=inputs.get("serverSideEncryption"),
            ),
        )

    def read(self, known: str, inputs: Properties) -> Seen | None:
        bucket, _, key = known.partition("/")
        found = self.aws.s3.head_object(Bucket=bucket, Key=key)
        etag = found["ETag"].strip('"')
        mine = {name: inputs[name] for name in inputs if name != "__defaults"}
        if etag != hashlib.md5(_body(inputs), usedforsecurity=False).hexdigest():
            mine |= {name: f"(changed: {etag})" for name in ("content", "contentBase64") if name in mine}
        seen = {**mine, "bucket": bucket, "key": key, "metadata": found.get("Metadata", {})}
        outputs = {"arn": f"arn:aws:s3:::{known}", "etag": etag, "versionId": found.get("VersionId", "")}
        return Seen(seen, outputs)

    def update(self, known: str, old: Properties, new: Properties) -> None:
        self._put(new)

    def delete(self, known: str, inputs: Properties) -> None:
        bucket, _, key = known.partition("/")
        versions = self.aws.s3.list_object_versions(Bucket=bucket, Prefix=key)
        for found in (*versions.get("Versions", ()), *versions.get("DeleteMarkers", ())):
            if found["Key"] == key:
                self.aws.s3.delete_object(Bucket=bucket, Key=key, VersionId=found["VersionId"])


def _body(inputs: Properties) -> bytes:
    source = inputs.get("source")
    if "contentBase64" in inputs:
        return base64.b64decode(inputs["contentBase64"])
    if isinstance(source, dict):
        return Path(source["path"]).read_bytes() if source.get("path") else str(source.get("text", "")).encode()
    return str(inputs.get("content", "")).encode()


def _theirs(value: Any) -> Any:
    """A program's words in S3's."""
    if isinstance(value, dict):
        return {_ODD.get(name, name[0].upper() + name[1:]): _theirs(inner) for name, inner in value.items()}
    return [_theirs(inner) for inner in value] if isinstance(value, list) else value


def _ours(value: Any) -> Any:
    """S3's words in a program's."""
    if isinstance(value, dict):
        return {_ODD_BACK.get(name, name[0].lower() + name[1:]): _ours(inner) for name, inner in value.items()}
    return [_ours(inner) for inner in value] if isinstance(value, list) else value

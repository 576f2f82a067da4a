"""What the tests of the S3 store share."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from lifecycle.adapters.aws.session import Session
from tests.doubles.aws import REGION, AwsDouble

BUCKET = "checkpoints"
MIB = 1024 * 1024


def beside_a_bucket(aws: AwsDouble) -> Any:
    """A client of an S3 in which there is one empty bucket; no call is counted yet."""
    client = Session(REGION).client("s3")
    client.create_bucket(Bucket=BUCKET)
    aws.calls.clear()
    return client


def written(path: Path, size: int) -> Path:
    """A file of this size, no two parts of which are equal."""
    path.write_bytes(random.Random(path.name).randbytes(size))
    return path


def unfinished(client: Any) -> list[str]:
    """The keys of uploads that are neither completed nor dropped."""
    listed = client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ())
    return sorted(upload["Key"] for upload in listed)


def parts_held(client: Any) -> list[int]:
    """The parts of every unfinished upload that have arrived."""
    listed = client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ())
    found = [
        client.list_parts(Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"]).get("Parts", ())
        for upload in listed
    ]
    return [part["PartNumber"] for parts in found for part in parts]

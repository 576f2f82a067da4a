"""The S3 store keeps the contract; and what only a service on a network can get wrong.

The S3 here is moto behind `tests.doubles.aws`. It compares no checksum and tells none of parts, so a resumed part
is recognised by its MD5 here, and by its SHA-256 only where a test speaks for S3.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lifecycle.adapters.aws.objects import S3Store
from lifecycle.adapters.aws.session import Session
from lifecycle.ports.checkpoints import ObjectStore
from tests.contracts.object_store import ObjectStoreContract
from tests.doubles.aws import REGION, AwsDouble

BUCKET = "checkpoints"


@pytest.fixture
def client(aws: AwsDouble) -> Any:
    client = Session(REGION).client("s3")
    client.create_bucket(Bucket=BUCKET)
    aws.calls.clear()
    return client


class TestS3Store(ObjectStoreContract):
    @pytest.fixture
    def store(self, client: Any) -> ObjectStore:
        return S3Store(client, BUCKET)

    @pytest.fixture(params=["no such bucket", "nobody listens"])
    def away(self, aws: AwsDouble, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
        if request.param == "nobody listens":
            monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
        return S3Store(Session(REGION).client("s3"), "nowhere")


class TestS3StoreBelowAPrefix(ObjectStoreContract):
    @pytest.fixture
    def store(self, client: Any) -> ObjectStore:
        return S3Store(client, BUCKET, "fleets/f")

    @pytest.fixture
    def away(self, aws: AwsDouble) -> ObjectStore:
        return S3Store(Session(REGION).client("s3"), "nowhere", "fleets/f")

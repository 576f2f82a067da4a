"""What one node uses of AWS: the tracker in its own name, and its fleet's checkpoints."""

from __future__ import annotations

from pathlib import Path

from botocore.config import Config

from lifecycle.adapters.aws.objects import S3Store
from lifecycle.adapters.aws.session import CONFIG, Session
from lifecycle.adapters.aws.table import DynamoTable

QUICK = CONFIG.merge(
    Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "total_max_attempts": 2})
)
"""For an agent's tracker: notices come first, and what fails is tried again by the next step."""


class NodeSite:
    """AWS as the machine `instance` may use it. `account` None: the one its credentials are of."""

    def __init__(self, region: str, account: str | None, instance: str) -> None:
        self._session, self._instance = Session(region, account, vouched=account is not None), instance

    def table(self, name: str) -> DynamoTable:
        """The tracker's table; reports go to the partition that this machine's credentials may write."""
        session = self._session
        arn = f"arn:{session.partition}:ec2:{session.region}:{session.account}:instance/{self._instance}"
        return DynamoTable(session.client("dynamodb", QUICK), name, writer=arn)

    def store(self, bucket: str, begun: Path) -> S3Store:
        """The fleet's checkpoints; in the directory `begun` it is remembered which uploads are unfinished."""
        return S3Store(self._session.client("s3"), bucket, owner=self._session.account, begun=begun)

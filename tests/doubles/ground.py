"""A foundation in the AWS double, made without Pulumi: table, bucket, queue and an image to boot."""

from __future__ import annotations

from typing import Any

from lifecycle.adapters.aws.session import Session
from lifecycle.adapters.aws.table import definition
from lifecycle.model.foundation import Foundation
from tests.doubles.aws import ACCOUNT, REGION

BUCKET, TABLE, QUEUE, OWNER = "checkpoints", "steadyfleet", "notices", "owner-1"


def laid(region: str = REGION, session: Session | None = None) -> Foundation:
    """The foundation of this region, once everything that it names is there."""
    session = session or Session(region)
    session.client("dynamodb").create_table(**definition(TABLE))
    place: dict[str, Any] = {"CreateBucketConfiguration": {"LocationConstraint": region}}
    session.client("s3").create_bucket(Bucket=BUCKET, **({} if region == REGION else place))
    url = session.client("sqs").create_queue(QueueName=QUEUE)["QueueUrl"]
    return Foundation(
        owner=OWNER,
        account=ACCOUNT,
        region=region,
        bucket=BUCKET,
        table=TABLE,
        queue=f"arn:aws:sqs:{region}:{ACCOUNT}:{QUEUE}",
        queue_url=url,
        boundary=f"arn:aws:iam::{ACCOUNT}:policy/boundary",
    )


def image(region: str = REGION, session: Session | None = None) -> str:
    """An image of this account that is there to be booted."""
    ec2 = (session or Session(region)).client("ec2")
    machine = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    made: str = ec2.create_image(InstanceId=machine, Name="trainer")["ImageId"]
    ec2.terminate_instances(InstanceIds=[machine])
    return made

"""What AWS tells us about machines: EventBridge rules into one queue. A message only wakes a tick early."""

from __future__ import annotations

import json
from typing import Any

import pulumi
from pulumi_aws import cloudwatch, sqs

from stacks.names import RULES

PATTERNS: dict[str, dict[str, Any]] = {
    "spot-interruption": {
        "source": ["aws.ec2"],
        "detail-type": ["EC2 Spot Instance Interruption Warning"],
    },
    "rebalance": {"source": ["aws.ec2"], "detail-type": ["EC2 Instance Rebalance Recommendation"]},
    "state-change": {"source": ["aws.ec2"], "detail-type": ["EC2 Instance State-change Notification"]},
    "maintenance": {
        "source": ["aws.health"],
        "detail-type": ["AWS Health Event"],
        "detail": {"service": ["EC2"], "eventTypeCategory": ["scheduledChange"]},
    },
}
"""Source of the names: the EC2 user guide's chapters on interruptions, rebalance and events, and AWS Health's."""

HOUR, FORTNIGHT = 3600, 14 * 24 * 3600
TRIES = 5
"""How often a message is looked at before it counts as poison."""


def notices() -> sqs.Queue:
    """The queue a waiting controller listens to. An hour-old notice is no news."""
    dead = sqs.Queue("poison", message_retention_seconds=FORTNIGHT, sqs_managed_sse_enabled=True)
    return sqs.Queue(
        "notices",
        message_retention_seconds=HOUR,
        visibility_timeout_seconds=30,
        receive_wait_time_seconds=20,
        sqs_managed_sse_enabled=True,
        redrive_policy=dead.arn.apply(
            lambda arn: json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": TRIES})
        ),
    )


def listened_to(queue: sqs.Queue, policy: pulumi.Output[dict[str, Any]]) -> None:
    """Lets our rules send to the queue, and makes them."""
    allowed = sqs.QueuePolicy("notices", queue_url=queue.url, policy=policy.apply(json.dumps))
    for name, pattern in PATTERNS.items():
        rule = cloudwatch.EventRule(name, name=f"{RULES}{name}", event_pattern=json.dumps(pattern))
        cloudwatch.EventTarget(
            name, rule=rule.name, arn=queue.arn, opts=pulumi.ResourceOptions(depends_on=[allowed])
        )

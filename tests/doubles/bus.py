"""What EC2 puts on the event bus: warnings, advice and changes of state."""

from __future__ import annotations

import json
from typing import Any

from lifecycle.model.states import Cause

SAID = {
    Cause.SPOT: ("aws.ec2", "EC2 Spot Instance Interruption Warning", {"instance-action": "terminate"}),
    Cause.REBALANCE: ("aws.ec2", "EC2 Instance Rebalance Recommendation", {}),
    Cause.MAINTENANCE: (
        "aws.health",
        "AWS Health Event",
        {"service": "EC2", "eventTypeCategory": "scheduledChange"},
    ),
}


class Bus:
    """The account's default event bus."""

    def __init__(self, events: Any) -> None:
        self._events = events

    def warned(self, instance: str, cause: Cause) -> None:
        source, kind, detail = SAID[cause]
        self._put(source, kind, {**detail, "instance-id": instance}, instance)

    def changed(self, instance: str, state: str) -> None:
        said = {"instance-id": instance, "state": state}
        self._put("aws.ec2", "EC2 Instance State-change Notification", said, instance)

    def _put(self, source: str, kind: str, detail: Any, instance: str) -> None:
        entry = {"Source": source, "DetailType": kind, "Detail": json.dumps(detail), "Resources": [instance]}
        self._events.put_events(Entries=[entry])

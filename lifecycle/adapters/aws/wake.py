"""The doorbell on AWS: a queue to which EventBridge sends what happens to instances, and controllers their rings.

Messages only say "look": what is true is read from EC2 and the tracker. What is not understood is left in the
queue, which moves it to its dead-letter queue.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

from botocore.config import Config

from lifecycle.adapters.aws.session import CONFIG, Session, answers
from lifecycle.model.errors import SteadyError
from lifecycle.ports.clock import Clock

SLICE = 8
"""Seconds of one long poll; SQS allows 20, but a dead connection is known only after a slice."""

QUIET = 30.0
"""After a failure SQS is left alone this long, so that waits keep to their time."""

DRAINED = 50
"""Further batches taken with the one that woke: a burst of notices is one wake, not hundreds."""

KINDS = frozenset(
    {
        "EC2 Spot Instance Interruption Warning",
        "EC2 Instance Rebalance Recommendation",
        "EC2 Instance State-change Notification",
        "AWS Health Event",
    }
)

RING = "Steady Ring"

_INSTANCE = re.compile(r"(^|/)i-[0-9a-f]{8,17}$")

_QUICK = CONFIG.merge(Config(read_timeout=SLICE + 2, retries={"mode": "standard", "total_max_attempts": 1}))

Answer = TypeVar("Answer")


class SqsWake:
    """Implements `ports.events.Wake`. Nothing here raises, credentials that are no use included.

    SQS that hangs can hold one wait up for a read timeout; then it is left alone for a while.
    """

    def __init__(self, session: Session, queue_url: str, clock: Clock) -> None:
        self._session, self._url, self._clock = session, queue_url, clock
        self._quiet_until = clock.monotonic()
        self.trouble = ""

    @cached_property
    def _sqs(self) -> Any:
        return self._session.client("sqs", _QUICK)

    def ring(self) -> None:
        body = json.dumps({"detail-type": RING})
        self._try(lambda: self._sqs.send_message(QueueUrl=self._url, MessageBody=body))

    def wait(self, seconds: float) -> bool:
        deadline = self._clock.monotonic() + seconds
        while True:
            left = max(0.0, deadline - self._clock.monotonic())
            if self._heard(min(SLICE, int(left))):
                self._drain()
                return True
            now = self._clock.monotonic()
            if deadline - now < 1:
                self._clock.sleep(max(0.0, deadline - now))
                return False
            self._clock.sleep(max(0.0, min(deadline, self._quiet_until) - now))

    def _drain(self) -> None:
        for _ in range(DRAINED):
            if not self._heard(0):
                return

    def _heard(self, seconds: int) -> bool:
        """Takes one batch; True when something in it was for us. That is deleted, the rest is left."""
        answer = self._try(
            lambda: self._sqs.receive_message(QueueUrl=self._url, WaitTimeSeconds=seconds, MaxNumberOfMessages=10)
        )
        known = [message for message in (answer or {}).get("Messages", ()) if wakes(message.get("Body", ""))]
        if known:
            self._delete(known)
        return bool(known)

    def _delete(self, messages: Sequence[Mapping[str, str]]) -> None:
        entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
        self._try(lambda: self._sqs.delete_message_batch(QueueUrl=self._url, Entries=entries))

    def _try(self, call: Callable[[], Answer]) -> Answer | None:
        """The call's answer; None when it failed, or when SQS failed a moment ago."""
        if self._clock.monotonic() < self._quiet_until:
            return None
        try:
            with answers("SQS"):
                answer = call()
        except SteadyError as error:
            self._quiet_until = self._clock.monotonic() + QUIET
            self.trouble = f"the notice queue: {error.what}; notices are seen at the next tick"
            return None
        self.trouble = ""
        return answer


class NodeWake:
    """A node's: it has no right to the queue. What it reports is seen by the next tick."""

    trouble = ""

    def ring(self) -> None:
        """Does nothing."""

    def wait(self, seconds: float) -> bool:  # noqa: ARG002 - the port's name
        return False


def wakes(body: str) -> bool:
    """Whether a message is a ring, or an event of a known kind about some instance."""
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if not isinstance(event, Mapping):
        return False
    kind = event.get("detail-type")
    return kind == RING or (isinstance(kind, str) and kind in KINDS and _names_an_instance(event))


def _names_an_instance(event: Mapping[str, Any]) -> bool:
    """EC2's events name it in `instance-id`, those of AWS Health among `resources` and `affectedEntities`."""
    detail = event.get("detail")
    detail = detail if isinstance(detail, Mapping) else {}
    entities = (e.get("entityValue") for e in _listed(detail.get("affectedEntities")) if isinstance(e, Mapping))
    named = (detail.get("instance-id"), *_listed(event.get("resources")), *entities)
    return any(isinstance(name, str) and _INSTANCE.search(name) for name in named)


def _listed(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()

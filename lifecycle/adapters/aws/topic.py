"""Notifications by SNS: one message on a topic, whose subscribers are AWS's business."""

from __future__ import annotations

import hashlib
import re
from functools import cached_property
from typing import Any

from botocore.config import Config

from lifecycle.adapters.aws.session import CONFIG, Session, answers
from lifecycle.model.codec import encode
from lifecycle.model.errors import SteadyError, WrongUsage
from lifecycle.model.tidings import Message

_ARN = re.compile(r"arn:aws[a-z-]*:sns:(?P<region>[a-z0-9-]+):[0-9]{12}:(?P<topic>[A-Za-z0-9_-]{1,256})")
_QUICK = CONFIG.merge(Config(read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2}))

SUBJECT = 100
"""Characters SNS takes as the subject of a mail; ASCII alone."""


class Topic:
    """Implements `ports.notifier.Notifier`. Asks for `sns:Publish` on the topic, and nothing else."""

    def __init__(self, arn: str) -> None:
        """Raises WrongUsage for what is no topic's ARN."""
        parts = _ARN.fullmatch(arn)
        if parts is None:
            raise WrongUsage(f"{arn!r} is not the ARN of a topic", fix="write sns:arn:aws:sns:REGION:ACCOUNT:TOPIC")
        self._arn, self._session = arn, Session(parts["region"])
        self.name = f"sns topic {parts['topic']}"
        self.mark = hashlib.sha256(arn.encode()).hexdigest()[:16]

    @cached_property
    def _sns(self) -> Any:
        return self._session.client("sns", _QUICK)

    def send(self, message: Message) -> None:
        subject = f"steady: {message.kind}: {message.fleet}"[:SUBJECT]
        try:
            with answers("SNS"):
                self._sns.publish(TopicArn=self._arn, Subject=subject, Message=encode(message).decode())
        except SteadyError as failed:
            raise SteadyError(f"{self.name} was not told: {failed.what}", fix=failed.fix) from None

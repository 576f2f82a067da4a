"""The targets of notifications, by how they are written."""

from __future__ import annotations

from collections.abc import Iterable

from lifecycle.bootstrap.controls import packages
from lifecycle.ports.notifier import Notifier


def notifiers(targets: Iterable[str]) -> tuple[Notifier, ...]:
    """`https://...` is a webhook, `sns:arn:...` a topic; one written twice is one. Raises WrongUsage."""
    return tuple(_notifier(target) for target in dict.fromkeys(targets))


def _notifier(target: str) -> Notifier:
    if target.startswith("sns:"):
        with packages():
            from lifecycle.adapters.aws.topic import Topic
        return Topic(target.removeprefix("sns:"))
    from lifecycle.adapters.webhook import Webhook

    return Webhook(target)

"""Notifications by HTTP: one POST of JSON, which Slack and its like take as it is."""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from lifecycle.model.codec import encode
from lifecycle.model.errors import SteadyError, WrongUsage
from lifecycle.model.tidings import Message

TIMEOUT = 5.0
"""Seconds for connecting, and again for each read of the answer's head."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A message goes where its sender was told to send it, and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Webhook:
    """Implements `ports.notifier.Notifier`. Its address is a secret: nothing but scheme and host is ever shown."""

    def __init__(self, url: str) -> None:
        """Raises WrongUsage for what is no http or https address, or one with a user name in it."""
        try:
            parts = urlsplit(url)
            sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            sound = False
        if not sound:
            raise WrongUsage(
                "a --notify target is no http or https address",
                fix="write https://HOST/PATH, without a user name, or sns:arn:...",
            )
        self._url = url
        self.name = f"{parts.scheme}://{parts.hostname}{port}"
        self.mark = hashlib.sha256(url.encode()).hexdigest()[:16]
        self._opener = urllib.request.build_opener(_NoRedirects)

    def send(self, message: Message) -> None:
        head = {"Content-Type": "application/json", "User-Agent": "steadyfleet"}
        request = urllib.request.Request(self._url, data=encode(message), headers=head, method="POST")  # noqa: S310
        try:
            with self._opener.open(request, timeout=TIMEOUT):
                return
        except urllib.error.HTTPError as refused:
            refused.close()
            why = f"it answers {refused.code}"
        except (OSError, http.client.HTTPException, ValueError) as failed:
            why = _plainly(failed)
        raise SteadyError(
            f"{self.name} was not told: {why}", fix="see to the target of --notify; it is tried again"
        )


def _plainly(failed: Exception) -> str:
    """What went wrong, without the address: some errors repeat it whole."""
    reason = getattr(failed, "reason", failed)
    if isinstance(reason, TimeoutError):
        return "it does not answer"
    return str(getattr(reason, "strerror", None) or type(reason).__name__)

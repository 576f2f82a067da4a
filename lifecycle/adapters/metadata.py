"""The instance metadata service (IMDSv2) as a machine's own agent reads it.

Endpoint: `AWS_EC2_METADATA_SERVICE_ENDPOINT` where set (as botocore), else EC2's link-local address.
Paths and bodies follow the EC2 user guide: spot/instance-action, events/recommendations/rebalance,
events/maintenance/scheduled, tags/instance.
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from lifecycle.model.errors import Unreadable
from lifecycle.model.records import Notice
from lifecycle.model.states import Cause
from lifecycle.model.tags import IDENTITY
from lifecycle.ports.clock import Clock
from lifecycle.ports.notices import MachineIdentity

DEFAULT_ENDPOINT = "http://169.254.169.254/"
TIMEOUT = 2.0
TOKEN_SECONDS = 21600
_TOKEN = "X-aws-ec2-metadata-token"  # noqa: S105 - the header's name


class InstanceMetadata:
    """Implements `ports.notices.Metadata` over one kept-alive connection."""

    def __init__(self, clock: Clock, endpoint: str | None = None) -> None:
        found = endpoint or os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or DEFAULT_ENDPOINT
        parts = urlsplit(found)
        self._clock, self._endpoint = clock, found
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=TIMEOUT)
        self._token = ""

    def identity(self) -> MachineIdentity:
        tags = {key: self._must(f"tags/instance/{key}") for key in IDENTITY}
        return MachineIdentity(instance=self._must("instance-id"), tags=tags)

    def account(self) -> str | None:
        """The AWS account that the machine is of; None where it is of none. Raises Unreadable."""
        document = self._json("dynamic/instance-identity/document", dict) or {}
        found: str | None = document.get("accountId")
        return found

    def notices(self) -> Sequence[Notice]:
        return [*self._spot(), *self._rebalance(), *self._maintenance()]

    def _spot(self) -> list[Notice]:
        action = self._json("meta-data/spot/instance-action", dict)
        if action is None:
            return []
        time = str(action.get("time"))
        return [self._notice(f"spot-{time}", Cause.SPOT, time)]

    def _rebalance(self) -> list[Notice]:
        advice = self._json("meta-data/events/recommendations/rebalance", dict)
        if advice is None:
            return []
        return [self._notice(f"rebalance-{advice.get('noticeTime')}", Cause.REBALANCE, None)]

    def _maintenance(self) -> list[Notice]:
        events = self._json("meta-data/events/maintenance/scheduled", list) or []
        return [
            self._notice(str(event.get("EventId")), Cause.MAINTENANCE, event.get("NotBefore"))
            for event in events
            if isinstance(event, Mapping) and event.get("State", "active") == "active"
        ]

    def _notice(self, name: str, cause: Cause, deadline: object) -> Notice:
        at = _moment(str(deadline)) if deadline is not None else None
        return Notice(id=name, cause=cause, seen_at=self._clock.now(), deadline=at)

    def _json(self, path: str, kind: type) -> Any:
        """The document, which must be of this kind; None when there is none."""
        body = self._get(path)
        if body is None:
            return None
        try:
            found = json.loads(body)
        except ValueError:
            raise self._unreadable(f"{path} is not JSON") from None
        if not isinstance(found, kind):
            raise self._unreadable(f"{path} is no {kind.__name__}")
        return found

    def _must(self, path: str) -> str:
        body = self._get(f"meta-data/{path}")
        if body is None:
            raise self._unreadable(f"{path} is missing")
        return body

    def _get(self, path: str) -> str | None:
        """The body; None for 404. A refused token is renewed once."""
        for _ in range(2):
            if not self._token:
                headers = {f"{_TOKEN}-ttl-seconds": str(TOKEN_SECONDS)}
                status, self._token = self._ask("PUT", "/latest/api/token", headers)
                if status != 200:
                    self._token = ""
                    raise self._unreadable(f"no token (HTTP {status})")
            status, body = self._ask("GET", f"/latest/{path}", {_TOKEN: self._token})
            if status == 200:
                return body
            if status == 404:
                return None
            self._token = ""
        raise self._unreadable(f"{path}: HTTP {status}")

    def _ask(self, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, str]:
        try:
            self._connection.request(method, path, headers=dict(headers))
            response = self._connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connection.close()
            raise self._unreadable(str(error) or type(error).__name__) from None

    def _unreadable(self, why: str) -> Unreadable:
        return Unreadable(f"the metadata service at {self._endpoint}: {why}", fix="it is asked again each second")


def _moment(text: str) -> float:
    """`2026-11-24T10:00:00Z`, or EC2's `24 Nov 2026 10:00:00 GMT`, as seconds since the epoch."""
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        pass
    try:
        return datetime.strptime(text, "%d %b %Y %H:%M:%S %Z").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise Unreadable(f"the metadata service names the time {text!r}", fix="report this as a bug") from None

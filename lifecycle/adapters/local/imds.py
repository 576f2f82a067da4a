"""A machine's metadata service on 127.0.0.1: IMDSv2 with its token protocol, as EC2 serves it.

Only what an agent reads: identity, tags, and the notices that stand.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lifecycle.adapters.local.layout import MachineRecord, StandingNotice
from lifecycle.model.states import Cause

_TTL = "X-aws-ec2-metadata-token-ttl-seconds"
_TOKEN = "X-aws-ec2-metadata-token"  # noqa: S105 - the header's name

Record = Callable[[], MachineRecord]
Notices = Callable[[], Sequence[StandingNotice]]


class MetadataServer:
    """Serves one machine's metadata until the process ends. `port` is free and its own."""

    def __init__(self, record: Record, notices: Notices) -> None:
        self._record, self._notices = record, notices
        self._tokens: dict[str, float] = {}
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self) -> None:
                self._answer(*service.token(self.path, self.headers.get(_TTL, "")))

            def do_GET(self) -> None:
                self._answer(*service.get(self.path, self.headers.get(_TOKEN, "")))

            def _answer(self, status: int, body: str) -> None:
                data = body.encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                """Says nothing: a line a second would fill the machine's log."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, name="imds", daemon=True).start()

    def token(self, path: str, ttl: str) -> tuple[int, str]:
        if path != "/latest/api/token":
            return 404, ""
        if not ttl.isdigit() or not 1 <= int(ttl) <= 21600:
            return 400, ""
        token = secrets.token_urlsafe(24)
        self._tokens[token] = time.monotonic() + int(ttl)
        return 200, token

    def get(self, path: str, token: str) -> tuple[int, str]:
        if self._tokens.get(token, 0.0) < time.monotonic():
            return 401, ""
        body = self._documents().get(path.removeprefix("/latest/").removesuffix("/"))
        return (404, "") if body is None else (200, body)

    def _documents(self) -> dict[str, str]:
        record = self._record()
        meta = {
            "instance-id": record.id,
            "instance-type": record.instance_type,
            "instance-life-cycle": record.market.replace("_", "-"),
            "placement/availability-zone": record.zone,
            "tags/instance": "\n".join(sorted(record.tags)),
            **{f"tags/instance/{key}": value for key, value in record.tags.items()},
            **self._standing(),
        }
        identity = {"instanceId": record.id, "instanceType": record.instance_type, "region": "local"}
        documents = {f"meta-data/{path}": body for path, body in meta.items()}
        return {**documents, "dynamic/instance-identity/document": json.dumps(identity)}

    def _standing(self) -> dict[str, str]:
        """The documents of the notices that stand; a notice of each cause, the earliest."""
        found: dict[str, str] = {}
        for notice in self._notices():
            if notice.cause is Cause.SPOT:
                action = {"action": "terminate", "time": _stamp(notice.deadline or notice.at)}
                found.setdefault("spot/instance-action", json.dumps(action))
                found.setdefault("spot/termination-time", action["time"])
            elif notice.cause is Cause.REBALANCE:
                advice = {"noticeTime": _stamp(notice.at)}
                found.setdefault("events/recommendations/rebalance", json.dumps(advice))
        planned = [_event(n) for n in self._notices() if n.cause is Cause.MAINTENANCE]
        return {**found, "events/maintenance/scheduled": json.dumps(planned)}


def _event(notice: StandingNotice) -> dict[str, str]:
    return {
        "EventId": notice.id,
        "Code": "instance-retirement",
        "State": "active",
        "NotBefore": _stamp(notice.deadline or notice.at),
        "Description": "the local provider takes this machine",
    }


def _stamp(moment: float) -> str:
    """Finer than EC2's whole seconds, so that a short lead in a rehearsal is told exactly."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

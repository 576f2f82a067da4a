"""The agent's client of the metadata service: against the real local one, and against broken ones."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest

from lifecycle.adapters import metadata
from lifecycle.adapters.local.layout import StandingNotice
from lifecycle.adapters.metadata import InstanceMetadata
from lifecycle.model.errors import Unreadable
from lifecycle.model.states import Cause
from tests.builders import NODE, NOW
from tests.unit.adapters.metadata_service import RECORD, Service
from tests.unit.agent.doubles import HandClock


class Asked:
    """The real service with the real client."""

    def __init__(self, service: Service) -> None:
        self.standing, self.server = service.standing, service.server
        self.client = InstanceMetadata(HandClock(), f"http://127.0.0.1:{self.server.port}/")


@pytest.fixture
def service(running: Service) -> Iterator[Asked]:
    built = Asked(running.fresh())
    yield built
    built.client._connection.close()


class Broken:
    """A service that answers every question of a path with what a test says."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.token = b"token"
        broken = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_PUT(self) -> None:
                self._answer(200, broken.token)

            def do_GET(self) -> None:
                body = broken.documents.get(self.path.removeprefix("/latest/meta-data/"))
                self._answer(404 if body is None else 200, body or b"")

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.client = InstanceMetadata(HandClock(), f"http://127.0.0.1:{self._server.server_address[1]}/")

    def close(self) -> None:
        self.client._connection.close()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def broken() -> Iterator[Broken]:
    built = Broken()
    yield built
    built.close()


SPOT = StandingNotice(id="s", cause=Cause.SPOT, at=NOW, deadline=NOW + 100.5)
MAINTENANCE = StandingNotice(id="m", cause=Cause.MAINTENANCE, at=NOW, deadline=NOW + 900)
REBALANCE = StandingNotice(id="r", cause=Cause.REBALANCE, at=NOW)


# ---- who am I ------------------------------------------------------------------------------------


def test_a_machine_learns_its_id_and_its_tags(service: Asked) -> None:
    found = service.client.identity()
    assert (found.instance, dict(found.tags)) == ("l-1", RECORD.tags)


def test_a_machine_without_a_tag_has_no_identity(broken: Broken) -> None:
    broken.documents["instance-id"] = b"l-1"
    with pytest.raises(Unreadable, match="tags/instance/steady:owner is missing"):
        broken.client.identity()


def test_a_machine_of_this_computer_is_of_no_account(service: Asked) -> None:
    assert service.client.account() is None


def test_a_machine_of_aws_learns_its_account(broken: Broken) -> None:
    broken.documents["/latest/dynamic/instance-identity/document"] = b'{"accountId": "123456789012"}'
    assert broken.client.account() == "123456789012"


# ---- notices -------------------------------------------------------------------------------------


def test_no_notice_stands(service: Asked) -> None:
    assert service.client.notices() == []


@pytest.mark.parametrize("standing", [SPOT, MAINTENANCE, REBALANCE])
def test_a_notice_keeps_its_cause_and_its_deadline(service: Asked, standing: StandingNotice) -> None:
    service.standing[:] = [standing]
    (notice,) = service.client.notices()
    assert (notice.cause, notice.deadline, notice.seen_at) == (standing.cause, standing.deadline, NOW)


def test_notices_of_every_cause_stand_side_by_side(service: Asked) -> None:
    service.standing[:] = [REBALANCE, MAINTENANCE, SPOT]
    assert {notice.cause for notice in service.client.notices()} == {
        Cause.SPOT,
        Cause.REBALANCE,
        Cause.MAINTENANCE,
    }


def test_a_notice_has_the_same_id_from_look_to_look(service: Asked) -> None:
    service.standing[:] = [SPOT, REBALANCE, MAINTENANCE]
    assert [n.id for n in service.client.notices()] == [n.id for n in service.client.notices()]


def test_another_notice_of_a_cause_has_another_id(service: Asked) -> None:
    service.standing[:] = [REBALANCE]
    (first,) = service.client.notices()
    service.standing[:] = [msgspec.structs.replace(REBALANCE, at=NOW + 60)]
    assert service.client.notices()[0].id != first.id


def test_maintenance_that_was_called_off_is_no_notice(broken: Broken) -> None:
    broken.documents["events/maintenance/scheduled"] = b'[{"EventId": "e1", "State": "completed"}]'
    assert broken.client.notices() == []


def test_times_are_read_as_ec2_writes_them(broken: Broken) -> None:
    broken.documents["spot/instance-action"] = b'{"action": "stop", "time": "2027-01-15T08:00:00Z"}'
    event = b'{"EventId": "e1", "State": "active", "NotBefore": "15 Jan 2027 08:00:00 GMT"}'
    broken.documents["events/maintenance/scheduled"] = b"[" + event + b"]"
    assert [notice.deadline for notice in broken.client.notices()] == [NOW, NOW]


# ---- tokens --------------------------------------------------------------------------------------


def test_a_token_is_asked_for_once_and_kept(service: Asked) -> None:
    for _ in range(5):
        service.client.notices()
    assert len(service.server._tokens) == 1


def test_a_refused_token_is_renewed_without_a_word(service: Asked) -> None:
    service.client.identity()
    service.server._tokens.clear()
    assert service.client.identity().tags["steady:node"] == NODE


def test_a_service_that_refuses_every_token_is_unreadable(service: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.server, "get", lambda path, token: (401, ""))
    with pytest.raises(Unreadable, match="HTTP 401"):
        service.client.identity()


def test_a_service_that_gives_no_token_is_unreadable(service: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.server, "token", lambda path, ttl: (503, ""))
    with pytest.raises(Unreadable, match=r"no token \(HTTP 503\)"):
        service.client.notices()


# ---- doubt ---------------------------------------------------------------------------------------

GARBAGE = [
    ("spot/instance-action", b"<html>"),
    ("spot/instance-action", b"\xff\xfe"),
    ("spot/instance-action", b"{}"),
    ("spot/instance-action", b'{"time": "soon"}'),
    ("events/maintenance/scheduled", b"5"),
    ("events/maintenance/scheduled", b'[{"EventId": "e", "NotBefore": 5}]'),
    ("events/maintenance/scheduled", b'[{"EventId": "e", "NotBefore": "soon"}]'),
    ("events/recommendations/rebalance", b"{"),
    ("events/recommendations/rebalance", b"[]"),
    ("spot/instance-action", b"true"),
]


@pytest.mark.parametrize(("path", "body"), GARBAGE)
def test_an_answer_that_makes_no_sense_is_unreadable(broken: Broken, path: str, body: bytes) -> None:
    broken.documents[path] = body
    with pytest.raises(Unreadable):
        broken.client.notices()


@pytest.mark.parametrize("token", [b"a\r\nb: c", "tok\u20acen".encode(), b"\xff"])
def test_a_token_that_is_none_is_unreadable(broken: Broken, token: bytes) -> None:
    broken.token = token
    with pytest.raises(Unreadable):
        broken.client.notices()


def test_after_nonsense_a_sound_answer_is_read_again(broken: Broken) -> None:
    broken.documents["spot/instance-action"] = b"<html>"
    with pytest.raises(Unreadable):
        broken.client.notices()
    broken.documents.clear()
    assert broken.client.notices() == []


def test_a_service_that_is_not_there_is_unreadable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(Unreadable, match=f"the metadata service at http://127.0.0.1:{port}/"):
        InstanceMetadata(HandClock(), f"http://127.0.0.1:{port}/").notices()


def test_a_service_that_never_answers_is_unreadable_within_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "TIMEOUT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        client = InstanceMetadata(HandClock(), f"http://127.0.0.1:{deaf.getsockname()[1]}/")
        began = time.monotonic()
        with pytest.raises(Unreadable):
            client.notices()
    assert time.monotonic() - began < 2.0


def test_a_service_that_came_back_is_read_again(service: Asked) -> None:
    service.client.identity()
    service.client._connection.close()
    assert service.client.identity().instance == "l-1"


def test_the_endpoint_is_taken_from_the_environment(service: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"http://127.0.0.1:{service.server.port}")
    client = InstanceMetadata(HandClock())
    assert client.identity().instance == "l-1"
    client._connection.close()

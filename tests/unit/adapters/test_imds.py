"""The metadata service of a machine, asked as anybody with an HTTP client would."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator

import pytest

from lifecycle.adapters.local import imds
from lifecycle.adapters.local.layout import StandingNotice
from lifecycle.model.states import Cause
from tests.builders import NODE, NOW
from tests.unit.adapters.metadata_service import Service

TTL, TOKEN = "X-aws-ec2-metadata-token-ttl-seconds", "X-aws-ec2-metadata-token"


class Visit:
    """A connection to a service."""

    def __init__(self, service: Service) -> None:
        self.standing, self.server = service.standing, service.server
        self._connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)

    def ask(self, method: str, path: str, **headers: str) -> tuple[int, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, path, headers=named)
        response = self._connection.getresponse()
        return response.status, response.read().decode()

    def token(self, ttl: str = "60") -> tuple[int, str]:
        return self.ask("PUT", "/latest/api/token", **{TTL: ttl})

    def get(self, path: str) -> tuple[int, str]:
        """A metadata document, with a fresh token."""
        return self.ask("GET", f"/latest/meta-data/{path}", **{TOKEN: self.token()[1]})

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def visit(running: Service) -> Iterator[Visit]:
    built = Visit(running.fresh())
    yield built
    built.close()


def notice(cause: Cause, lead: float | None = 100.5, at: float = NOW) -> StandingNotice:
    return StandingNotice(id=f"{cause}-{at:.0f}", cause=cause, at=at, deadline=None if lead is None else at + lead)


# ---- tokens --------------------------------------------------------------------------------------


def test_a_document_is_served_to_who_has_a_token(visit: Visit) -> None:
    assert visit.get("instance-id") == (200, "l-1")


@pytest.mark.parametrize("headers", [{}, {TOKEN: ""}, {TOKEN: "made-up"}])
def test_without_a_token_of_ours_nothing_is_served(visit: Visit, headers: dict[str, str]) -> None:
    assert visit.ask("GET", "/latest/meta-data/instance-id", **headers)[0] == 401


def test_an_expired_token_is_refused(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    _, token = visit.token("60")
    later = imds.time.monotonic() + 61
    monkeypatch.setattr(imds.time, "monotonic", lambda: later)
    assert visit.server.get("/latest/meta-data/instance-id", token)[0] == 401


def test_every_token_is_another_one(visit: Visit) -> None:
    assert visit.token()[1] != visit.token()[1]


@pytest.mark.parametrize("ttl", ["", "0", "21601", "-5", "soon", "1.5"])
def test_a_token_for_no_sensible_time_is_refused(visit: Visit, ttl: str) -> None:
    assert visit.token(ttl)[0] == 400


def test_the_longest_token_is_six_hours(visit: Visit) -> None:
    assert visit.token("21600")[0] == 200


def test_tokens_are_given_at_one_place_only(visit: Visit) -> None:
    assert visit.ask("PUT", "/latest/api/other", **{TTL: "60"})[0] == 404


# ---- documents -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("instance-type", "small"),
        ("instance-life-cycle", "on-demand"),
        ("placement/availability-zone", "z1"),
        ("tags/instance/steady:node", NODE),
        ("tags/instance/steady:incarnation", "2"),
        ("tags/instance/", "steady:fleet\nsteady:incarnation\nsteady:node\nsteady:owner\nsteady:pool"),
    ],
)
def test_the_machine_is_described(visit: Visit, path: str, body: str) -> None:
    assert visit.get(path) == (200, body)


@pytest.mark.parametrize("path", ["nothing", "spot/instance-action", "events/recommendations/rebalance", "../x"])
def test_what_there_is_not_is_404(visit: Visit, path: str) -> None:
    assert visit.get(path)[0] == 404


def test_the_identity_document_names_the_machine(visit: Visit) -> None:
    _, token = visit.token()
    _, body = visit.ask("GET", "/latest/dynamic/instance-identity/document", **{TOKEN: token})
    assert json.loads(body) == {"instanceId": "l-1", "instanceType": "small", "region": "local"}


def test_one_connection_serves_many_questions(visit: Visit) -> None:
    assert [visit.get("instance-id")[0] for _ in range(20)] == [200] * 20


# ---- notices -------------------------------------------------------------------------------------


def test_a_spot_notice_is_an_action_and_a_time(visit: Visit) -> None:
    visit.standing += [notice(Cause.SPOT)]
    action = json.loads(visit.get("spot/instance-action")[1])
    assert action == {"action": "terminate", "time": "2027-01-15T08:01:40.500Z"}
    assert visit.get("spot/termination-time") == (200, action["time"])


def test_rebalance_advice_has_the_time_of_the_advice(visit: Visit) -> None:
    visit.standing += [notice(Cause.REBALANCE, None)]
    body = visit.get("events/recommendations/rebalance")[1]
    assert json.loads(body) == {"noticeTime": "2027-01-15T08:00:00.000Z"}


def test_maintenance_is_a_list_of_events(visit: Visit) -> None:
    visit.standing += [notice(Cause.MAINTENANCE), notice(Cause.MAINTENANCE, at=NOW + 9)]
    events = json.loads(visit.get("events/maintenance/scheduled")[1])
    assert [(event["EventId"], event["State"]) for event in events] == [
        (f"maintenance-{NOW:.0f}", "active"),
        (f"maintenance-{NOW + 9:.0f}", "active"),
    ]


def test_without_maintenance_the_list_is_empty(visit: Visit) -> None:
    assert visit.get("events/maintenance/scheduled") == (200, "[]")


def test_of_two_spot_notices_the_first_stands(visit: Visit) -> None:
    visit.standing += [notice(Cause.SPOT), notice(Cause.SPOT, at=NOW + 50)]
    assert json.loads(visit.get("spot/instance-action")[1])["time"] == "2027-01-15T08:01:40.500Z"

"""The doorbell on AWS: rings and events of instances wake, the rest stays, and nothing ever raises."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from lifecycle.adapters.aws.session import Session
from lifecycle.adapters.aws.wake import QUIET, RING, SqsWake, wakes
from lifecycle.system.clock import SystemClock
from tests.doubles.aws import ACCOUNT, REGION, AwsDouble

ID = "i-0123456789abcdef0"
SPOT = {
    "detail-type": "EC2 Spot Instance Interruption Warning",
    "source": "aws.ec2",
    "resources": [f"arn:aws:ec2:us-east-1b:instance/{ID}"],
    "detail": {"instance-id": ID, "instance-action": "terminate"},
}
KNOWN = {
    "spot": SPOT,
    "rebalance": {**SPOT, "detail-type": "EC2 Instance Rebalance Recommendation", "resources": []},
    "state": {**SPOT, "detail-type": "EC2 Instance State-change Notification", "detail": {"instance-id": ID}},
    "health": {
        "detail-type": "AWS Health Event",
        "detail": {"service": "EC2", "affectedEntities": [{"entityValue": ID}]},
    },
    "health by resource": {"detail-type": "AWS Health Event", "resources": [ID]},
    "ring": {"detail-type": RING},
}
UNKNOWN = {
    "no JSON": "hello",
    "nothing": "",
    "deep": "[" * 100_000,
    "a list": "[1]",
    "another kind": json.dumps({**SPOT, "detail-type": "EC2 Fleet Instance Change"}),
    "a kind that is none": json.dumps({**SPOT, "detail-type": ["x"]}),
    "no instance": json.dumps({**SPOT, "detail": {"instance-id": 7}, "resources": "x"}),
    "health of a volume": json.dumps({"detail-type": "AWS Health Event", "resources": ["vol-1"], "detail": []}),
}


class Counted(SystemClock):
    """Real time, with sleeps noted and passed over by moving the clock."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.ahead += seconds


@pytest.fixture(scope="module")
def session() -> Session:
    """One for all, with one client per service: boto3 takes most of a second to make them."""
    found = Session(REGION)
    found.client = cache(found.client)  # type: ignore[method-assign]
    return found


@pytest.fixture
def queue(aws: AwsDouble, session: Session) -> str:
    return str(session.client("sqs").create_queue(QueueName="q")["QueueUrl"])


@pytest.fixture
def wake(session: Session, queue: str) -> SqsWake:
    return SqsWake(session, queue, Counted())


def send(session: Session, queue: str, *bodies: str) -> None:
    client = session.client("sqs")
    for body in bodies:
        client.send_message(QueueUrl=queue, MessageBody=body)


def left(session: Session, queue: str) -> int:
    """Messages in the queue, those that somebody is reading included."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found: Mapping[str, str] = session.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=names)[
        "Attributes"
    ]
    return sum(int(found[name]) for name in names)


def test_a_ring_is_heard_once(session: Session, wake: SqsWake, queue: str) -> None:
    wake.ring()
    assert (wake.wait(0.1), wake.wait(0.1), left(session, queue)) == (True, False, 0)


def test_a_ring_ends_a_long_wait(session: Session, wake: SqsWake, queue: str) -> None:
    began = time.monotonic()
    threading.Timer(0.5, send, (session, queue, json.dumps(SPOT))).start()
    assert wake.wait(60)
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("kind", KNOWN)
def test_an_event_of_a_known_kind_about_an_instance_wakes_and_goes(
    session: Session, wake: SqsWake, queue: str, kind: str
) -> None:
    send(session, queue, json.dumps(KNOWN[kind]))
    assert (wake.wait(0.1), left(session, queue)) == (True, 0)


@pytest.mark.parametrize("kind", UNKNOWN)
def test_what_is_not_understood_does_not_wake(kind: str) -> None:
    assert not wakes(UNKNOWN[kind])


def test_what_is_not_understood_is_left_for_the_dead_letter_queue(
    session: Session, wake: SqsWake, queue: str
) -> None:
    send(session, queue, "hello", json.dumps(SPOT), UNKNOWN["another kind"])
    assert (wake.wait(0.1), wake.wait(0.1), left(session, queue)) == (True, False, 2)


def test_an_event_comes_by_eventbridge(session: Session, wake: SqsWake, queue: str) -> None:
    events: Any = session.client("events")
    events.put_rule(Name="spot", EventPattern=json.dumps({"source": ["aws.ec2"]}))
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"
    events.put_targets(Rule="spot", Targets=[{"Id": "1", "Arn": arn}])
    detail = json.dumps(SPOT["detail"])
    events.put_events(
        Entries=[{"Source": "aws.ec2", "DetailType": SPOT["detail-type"], "Detail": detail, "Resources": []}]
    )
    assert (wake.wait(3), left(session, queue)) == (True, 0)


def test_a_burst_of_notices_is_one_wake(session: Session, wake: SqsWake, queue: str) -> None:
    send(session, queue, *[json.dumps(SPOT)] * 35)
    assert (wake.wait(0.1), wake.wait(0.1), left(session, queue)) == (True, False, 0)


@pytest.mark.parametrize(("seconds", "asked"), [(0.0, 1), (0.4, 1), (1.5, 1)])
def test_a_short_wait_lasts_its_time(
    aws: AwsDouble, session: Session, queue: str, seconds: float, asked: int
) -> None:
    wake = SqsWake(session, queue, SystemClock())
    wake.wait(0)
    aws.calls.clear()
    began = time.monotonic()
    assert not wake.wait(seconds)
    assert seconds <= time.monotonic() - began < seconds + 0.5
    assert aws.calls["sqs.ReceiveMessage"] == asked


def test_a_queue_that_fails_makes_a_wait_last_its_time(aws: AwsDouble, session: Session, queue: str) -> None:
    clock = Counted()
    wake = SqsWake(session, queue, clock)
    with aws.fault("sqs", status=500, code="InternalError") as met:
        assert not wake.wait(QUIET * 2 - 1)
    assert (met.met, round(sum(clock.slept))) == (2, QUIET * 2 - 1)


def test_an_answer_that_is_lost_is_no_ring(aws: AwsDouble, wake: SqsWake) -> None:
    with aws.fault("sqs.ReceiveMessage", lose_answer=True) as fault:
        assert (wake.wait(1.5), wake.wait(1.5), fault.met) == (False, False, 1)


def test_a_queue_that_answers_again_is_heard_again(aws: AwsDouble, session: Session, queue: str) -> None:
    wake = SqsWake(session, queue, Counted())
    send(session, queue, json.dumps(SPOT))
    with aws.fault("sqs.ReceiveMessage", times=1, status=500):
        assert wake.wait(QUIET * 2)


def test_a_ring_that_fails_is_not_told(aws: AwsDouble, session: Session, wake: SqsWake, queue: str) -> None:
    with aws.fault("sqs.SendMessage", status=500, code="InternalError") as fault:
        wake.ring()
    assert (fault.met, left(session, queue)) == (1, 0)


def test_a_message_that_could_not_be_deleted_wakes_all_the_same(
    aws: AwsDouble, session: Session, wake: SqsWake, queue: str
) -> None:
    wake.ring()
    with aws.fault("sqs.DeleteMessage", status=500, code="InternalError"):
        assert wake.wait(0.1)
    assert left(session, queue) == 1


def test_credentials_of_another_account_do_not_raise(aws: AwsDouble, session: Session, queue: str) -> None:
    wake = SqsWake(Session(REGION, account="999999999999"), queue, Counted())
    wake.ring()
    assert (wake.wait(2), aws.calls["sqs.SendMessage"]) == (False, 0)

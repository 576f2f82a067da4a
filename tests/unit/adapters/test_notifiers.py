"""Telling people outside: what is sent, what is refused, and that no secret is ever shown."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
import jsonschema
import pytest

from lifecycle.adapters import webhook
from lifecycle.adapters.aws.topic import Topic
from lifecycle.adapters.webhook import Webhook
from lifecycle.bootstrap.notifiers import notifiers
from lifecycle.model.errors import SteadyError, WrongUsage
from lifecycle.model.tidings import Message
from tests.doubles.aws import REGION, AwsDouble
from tests.doubles.ear import Ear

SCHEMA = json.loads((Path(__file__).parents[3] / "specs" / "notification.schema.json").read_text())
MESSAGE = Message(
    version=1,
    text="f/t/0: trains on without a save",
    kind="CheckpointStale",
    fleet="f",
    node="f/t/0",
    cause="max_lost_work",
    since=1_800_000_000.0,
    more="steady why f/t/0",
)


@pytest.fixture
def ear() -> Iterator[Ear]:
    built = Ear()
    yield built
    built.close()


def refusal(target: Webhook | Topic) -> str:
    with pytest.raises(SteadyError) as error:
        target.send(MESSAGE)
    assert "s3cret" not in error.value.what + error.value.fix
    return error.value.what


def test_a_webhook_is_sent_the_message_as_its_schema_has_it(ear: Ear) -> None:
    Webhook(ear.url).send(MESSAGE)
    jsonschema.validate(ear.heard[0], SCHEMA)
    assert ear.texts == [MESSAGE.text]


def test_a_webhook_that_answers_an_error_was_not_told(ear: Ear) -> None:
    ear.answers = 500
    assert refusal(Webhook(ear.url)).endswith("was not told: it answers 500")


def test_a_webhook_that_sends_on_is_not_followed(ear: Ear) -> None:
    ear.answers = 302
    assert refusal(Webhook(ear.url)).endswith("it answers 302")
    assert ear.paths == ["/hooks/s3cret"]


def test_a_webhook_that_says_nothing_is_not_waited_for(ear: Ear) -> None:
    ear.silent = True
    with patch.object(webhook, "TIMEOUT", 0.2):
        assert refusal(Webhook(ear.url)).endswith("it does not answer")


def test_a_webhook_that_is_not_there_is_named_without_its_secret() -> None:
    with socket.socket() as gone:
        gone.bind(("127.0.0.1", 0))
        port = gone.getsockname()[1]
        target = Webhook(f"http://127.0.0.1:{port}/s3cret?token=s3cret")
        assert refusal(target) == f"http://127.0.0.1:{port} was not told: Connection refused"


NO_TARGETS = ["ftp://s3cret.example/x", "file:///etc/s3cret", "s3cret", "https://", "http://[s3cret"]
NO_TARGETS += ["https://ann:s3cret@a.example/x", "https://a.example:s3cret/", "sns:arn:aws:sns"]


@pytest.mark.parametrize("target", NO_TARGETS)
def test_what_is_no_target_is_refused(target: str) -> None:
    with pytest.raises(WrongUsage) as error:
        notifiers([target])
    assert "sns:arn:" in error.value.fix
    assert "s3cret" not in error.value.what


def test_a_target_that_is_written_twice_is_one() -> None:
    assert len(notifiers(["https://a.example/x", "https://a.example/y", "https://a.example/x"])) == 2


# ---- SNS -----------------------------------------------------------------------------------------


def a_topic(name: str = "steady") -> tuple[str, Any]:
    """A topic that a queue hears: its ARN, and a function that takes what is there."""
    sns, sqs = boto3.client("sns", region_name=REGION), boto3.client("sqs", region_name=REGION)
    arn, queue = sns.create_topic(Name=name)["TopicArn"], sqs.create_queue(QueueName=name)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=attributes["QueueArn"])
    return arn, lambda: sqs.receive_message(QueueUrl=queue)["Messages"]


def test_a_topic_is_sent_the_message_with_a_subject_for_mails(aws: AwsDouble) -> None:
    arn, take = a_topic()
    (target,) = notifiers([f"sns:{arn}"])
    target.send(MESSAGE)
    (heard,) = (json.loads(message["Body"]) for message in take())
    assert heard["Subject"] == "steady: CheckpointStale: f"
    jsonschema.validate(json.loads(heard["Message"]), SCHEMA)


def test_a_topic_that_is_not_there_was_not_told(aws: AwsDouble) -> None:
    gone = a_topic()[0] + "-gone"
    assert refusal(Topic(gone)).startswith("sns topic steady-gone was not told: ")

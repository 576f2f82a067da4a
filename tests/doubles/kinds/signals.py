"""SQS queues and EventBridge rules."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from tests.doubles.kinds.kind import Kind, Seen, pairs, present, tag_changes, tags_of
from tests.doubles.kinds.properties import Properties

_ATTRIBUTES = {
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "delaySeconds": "DelaySeconds",
    "fifoQueue": "FifoQueue",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "maxMessageSize": "MaximumMessageSize",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "policy": "Policy",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "redriveAllowPolicy": "RedriveAllowPolicy",
    "redrivePolicy": "RedrivePolicy",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
    "visibilityTimeoutSeconds": "VisibilityTimeout",
}
DEFAULT_BUS = "default"


class Queue(Kind):
    """A queue; its id is its URL."""

    token = "aws:sqs/queue:Queue"
    label = "SQS Queue"
    autonamed = "name"
    replaced_by = ("name", "namePrefix", "fifoQueue")
    computed = ("policy", "redriveAllowPolicy", "sqsManagedSseEnabled", "kmsMasterKeyId")
    documents = ("policy", "redrivePolicy", "redriveAllowPolicy")

    def _generated(self, logical: str, seed: bytes, olds: Properties, news: Properties) -> str:
        name = super()._generated(logical, seed, olds, news)
        return f"{name.removesuffix('.fifo')}.fifo" if news.get("fifoQueue") else name

    def create(self, inputs: Properties) -> str:
        attributes = {_ATTRIBUTES[name]: _text(inputs[name]) for name in _ATTRIBUTES if name in inputs}
        tags = present(tags=inputs.get("tags"))
        return str(self.aws.sqs.create_queue(QueueName=inputs["name"], Attributes=attributes, **tags)["QueueUrl"])

    def read(self, known: str, inputs: Properties) -> Seen | None:
        found = self.aws.sqs.get_queue_attributes(QueueUrl=known, AttributeNames=["All"])["Attributes"]
        tags = self.aws.sqs.list_queue_tags(QueueUrl=known).get("Tags", {})
        seen = {
            name: _value(found[theirs], inputs.get(name)) for name, theirs in _ATTRIBUTES.items() if theirs in found
        }
        outputs = {"arn": found["QueueArn"], "url": known, "tagsAll": tags}
        return Seen({**seen, "name": known.rpartition("/")[2], "tags": tags}, outputs)

    def update(self, known: str, old: Properties, new: Properties) -> None:
        changed = [name for name in self.diff(old, new).top_level if name in _ATTRIBUTES]
        attributes = {_ATTRIBUTES[name]: _text(new.get(name, "")) for name in changed}
        if attributes:
            self.aws.sqs.set_queue_attributes(QueueUrl=known, Attributes=attributes)
        added, removed = tag_changes(old, new)
        if removed:
            self.aws.sqs.untag_queue(QueueUrl=known, TagKeys=removed)
        if added:
            self.aws.sqs.tag_queue(QueueUrl=known, Tags=added)

    def delete(self, known: str, inputs: Properties) -> None:
        self.aws.sqs.delete_queue(QueueUrl=known)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _value(text: str, known: Any) -> Any:
    """An attribute in the type the program used for it."""
    if isinstance(known, bool):
        return text == "true"
    return int(text) if isinstance(known, int) else text


class QueuePolicy(Kind):
    """Who may send to a queue."""

    token = "aws:sqs/queuePolicy:QueuePolicy"
    label = "SQS Queue Policy"
    replaced_by = ("queueUrl",)
    documents = ("policy",)

    def create(self, inputs: Properties) -> str:
        self._put(inputs["queueUrl"], inputs["policy"])
        return str(inputs["queueUrl"])

    def _put(self, url: str, policy: str) -> None:
        self.aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})

    def read(self, known: str, inputs: Properties) -> Seen | None:
        found = self.aws.sqs.get_queue_attributes(QueueUrl=known, AttributeNames=["All"]).get("Attributes", {})
        return Seen({"queueUrl": known, "policy": found["Policy"]}) if found.get("Policy") else None

    def update(self, known: str, old: Properties, new: Properties) -> None:
        self._put(known, new["policy"])

    def delete(self, known: str, inputs: Properties) -> None:
        self._put(known, "")


class EventRule(Kind):
    """A rule of the event bus."""

    token = "aws:cloudwatch/eventRule:EventRule"
    label = "EventBridge Rule"
    autonamed = "name"
    defaults: ClassVar[Properties] = {"eventBusName": DEFAULT_BUS, "forceDestroy": False}
    replaced_by = ("name", "namePrefix", "eventBusName")
    computed = ("state", "isEnabled")
    documents = ("eventPattern",)

    def create(self, inputs: Properties) -> str:
        self._put(inputs, present(Tags=pairs(inputs.get("tags"))))
        return str(inputs["name"])

    def _put(self, inputs: Properties, also: dict[str, Any]) -> None:
        self.aws.events.put_rule(
            Name=inputs["name"],
            EventBusName=inputs["eventBusName"],
            State=inputs.get("state", "ENABLED"),
            **present(
                EventPattern=inputs.get("eventPattern"),
                ScheduleExpression=inputs.get("scheduleExpression"),
                Description=inputs.get("description"),
                RoleArn=inputs.get("roleArn"),
            ),
            **also,
        )

    def read(self, known: str, inputs: Properties) -> Seen | None:
        bus = inputs.get("eventBusName", DEFAULT_BUS)
        found = self.aws.events.describe_rule(Name=known, EventBusName=bus)
        tags = tags_of(self.aws.events.list_tags_for_resource(ResourceARN=found["Arn"])["Tags"])
        seen = {
            "name": known,
            "eventBusName": bus,
            **present(
                eventPattern=found.get("EventPattern"),
                scheduleExpression=found.get("ScheduleExpression"),
                description=found.get("Description"),
                roleArn=found.get("RoleArn"),
                state=found.get("State"),
            ),
            "tags": tags,
        }
        return Seen(seen, {"arn": found["Arn"], "tagsAll": tags})

    def update(self, known: str, old: Properties, new: Properties) -> None:
        self._put(new, {})
        added, removed = tag_changes(old, new)
        rule = self.aws.events.describe_rule(Name=known, EventBusName=new["eventBusName"])["Arn"]
        if removed:
            self.aws.events.untag_resource(ResourceARN=rule, TagKeys=removed)
        if added:
            self.aws.events.tag_resource(ResourceARN=rule, Tags=pairs(added))

    def delete(self, known: str, inputs: Properties) -> None:
        self.aws.events.delete_rule(Name=known, EventBusName=inputs.get("eventBusName", DEFAULT_BUS))


class EventTarget(Kind):
    """Where a rule sends what it catches."""

    token = "aws:cloudwatch/eventTarget:EventTarget"
    label = "EventBridge Target"
    defaults: ClassVar[Properties] = {"eventBusName": DEFAULT_BUS, "forceDestroy": False}
    replaced_by = ("rule", "targetId", "eventBusName")
    computed = ("targetId",)
    passed: ClassVar[Properties] = {"arn": "Arn", "input": "Input", "inputPath": "InputPath", "roleArn": "RoleArn"}

    def create(self, inputs: Properties) -> str:
        self.refuse_others(inputs, *self.passed, "rule", "targetId")
        target = inputs.get("targetId") or _generated_id(inputs)
        self._put(target, inputs)
        return f"{inputs['rule']}-{target}"

    def _put(self, target: str, inputs: Properties) -> None:
        given = {theirs: inputs[name] for name, theirs in self.passed.items() if name in inputs}
        self.aws.events.put_targets(
            Rule=inputs["rule"], EventBusName=inputs["eventBusName"], Targets=[{"Id": target, **given}]
        )

    def read(self, known: str, inputs: Properties) -> Seen | None:
        rule, bus = inputs["rule"], inputs.get("eventBusName", DEFAULT_BUS)
        target = known.removeprefix(f"{rule}-")
        listed = self.aws.events.list_targets_by_rule(Rule=rule, EventBusName=bus)["Targets"]
        found = next((one for one in listed if one["Id"] == target), None)
        if found is None:
            return None
        seen = {name: found[theirs] for name, theirs in self.passed.items() if theirs in found}
        return Seen({**seen, "rule": rule, "eventBusName": bus, "targetId": target})

    def update(self, known: str, old: Properties, new: Properties) -> None:
        self._put(known.removeprefix(f"{new['rule']}-"), new)

    def delete(self, known: str, inputs: Properties) -> None:
        target = known.removeprefix(f"{inputs['rule']}-")
        self.aws.events.remove_targets(Rule=inputs["rule"], EventBusName=inputs["eventBusName"], Ids=[target])


def _generated_id(inputs: Properties) -> str:
    return f"terraform-{hashlib.sha256(inputs['arn'].encode()).hexdigest()[:24]}"

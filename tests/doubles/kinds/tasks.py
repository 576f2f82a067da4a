"""What runs a task by a schedule: ECS, EventBridge Scheduler, and the log."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from tests.doubles.kinds.kind import Kind, Seen, pairs, present, tags_of
from tests.doubles.kinds.properties import Properties

TASK = (
    "family",
    "cpu",
    "memory",
    "networkMode",
    "requiresCompatibilities",
    "runtimePlatform",
    "taskRoleArn",
    "executionRoleArn",
    "volumes",
)
"""What ECS calls as Pulumi does."""


class LogGroup(Kind):
    """A log group; its id is its name."""

    token = "aws:cloudwatch/logGroup:LogGroup"
    label = "CloudWatch Log Group"
    autonamed = "name"
    defaults: ClassVar[Properties] = {"skipDestroy": False}
    replaced_by = ("name", "namePrefix")

    def create(self, inputs: Properties) -> str:
        self.refuse_others(inputs, "name", "retentionInDays", "tags")
        self.aws.logs.create_log_group(logGroupName=inputs["name"], **present(tags=inputs.get("tags")))
        self._keep(inputs)
        return str(inputs["name"])

    def _keep(self, inputs: Properties) -> None:
        days = int(inputs.get("retentionInDays", 0))
        if days:
            self.aws.logs.put_retention_policy(logGroupName=inputs["name"], retentionInDays=days)
        else:
            self.aws.logs.delete_retention_policy(logGroupName=inputs["name"])

    def read(self, known: str, inputs: Properties) -> Seen | None:
        listed = self.aws.logs.describe_log_groups(logGroupNamePrefix=known)["logGroups"]
        found = next((one for one in listed if one["logGroupName"] == known), None)
        if found is None:
            return None
        tags = self.aws.logs.list_tags_log_group(logGroupName=known)["tags"]
        seen = {
            "name": known,
            "retentionInDays": found.get("retentionInDays", 0),
            "skipDestroy": False,
            "tags": tags,
        }
        return Seen(seen, {"arn": found["arn"].removesuffix(":*"), "tagsAll": tags})

    def update(self, known: str, old: Properties, new: Properties) -> None:
        self._keep(new)

    def delete(self, known: str, inputs: Properties) -> None:
        self.aws.logs.delete_log_group(logGroupName=known)


class Cluster(Kind):
    """A cluster; its id is its ARN."""

    token = "aws:ecs/cluster:Cluster"
    label = "ECS Cluster"
    autonamed = "name"
    replaced_by = ("name",)
    computed = ("settings",)

    def create(self, inputs: Properties) -> str:
        self.refuse_others(inputs, "name")
        return str(self.aws.ecs.create_cluster(clusterName=inputs["name"])["cluster"]["clusterArn"])

    def read(self, known: str, inputs: Properties) -> Seen | None:
        found = self.aws.ecs.describe_clusters(clusters=[known])["clusters"]
        live = [one for one in found if one["status"] == "ACTIVE"]
        return Seen({"name": live[0]["clusterName"]}, {"arn": known}) if live else None

    def delete(self, known: str, inputs: Properties) -> None:
        self.aws.ecs.delete_cluster(cluster=known)


class TaskDefinition(Kind):
    """A revision of a family. Whatever changes in it makes another one."""

    token = "aws:ecs/taskDefinition:TaskDefinition"
    label = "ECS Task Definition"
    defaults: ClassVar[Properties] = {"skipDestroy": False, "trackLatest": False}
    replaced_by = ("containerDefinitions", *TASK)
    documents = ("containerDefinitions",)
    unordered = ("requiresCompatibilities", "volumes")

    def create(self, inputs: Properties) -> str:
        self.refuse_others(inputs, "containerDefinitions", *TASK)
        given = {name: inputs[name] for name in TASK if name in inputs}
        containers = json.loads(inputs["containerDefinitions"])
        made = self.aws.ecs.register_task_definition(containerDefinitions=containers, **given)
        return str(made["taskDefinition"]["family"])

    def read(self, known: str, inputs: Properties) -> Seen | None:
        found = self.aws.ecs.describe_task_definition(taskDefinition=known)["taskDefinition"]
        if found["status"] != "ACTIVE":
            return None
        seen = {name: found[name] for name in TASK if name in found}
        seen |= {name: inputs[name] for name in self.defaults if name in inputs}
        mine = json.loads(inputs["containerDefinitions"])
        held = [
            {key: theirs.get(key) for key in ours}
            for ours, theirs in zip(mine, found["containerDefinitions"], strict=True)
        ]
        made = {"arn": found["taskDefinitionArn"], "revision": found["revision"]}
        return Seen({**seen, "containerDefinitions": json.dumps(held)}, made)

    def delete(self, known: str, inputs: Properties) -> None:
        newest = self.aws.ecs.describe_task_definition(taskDefinition=known)["taskDefinition"]["taskDefinitionArn"]
        self.aws.ecs.deregister_task_definition(taskDefinition=inputs.get("arn", newest))


class ScheduleGroup(Kind):
    """A group of schedules; its id is its name."""

    token = "aws:scheduler/scheduleGroup:ScheduleGroup"
    label = "EventBridge Scheduler Schedule Group"
    autonamed = "name"
    replaced_by = ("name", "namePrefix")

    def create(self, inputs: Properties) -> str:
        self.refuse_others(inputs, "name", "tags")
        self.aws.scheduler.create_schedule_group(Name=inputs["name"], **present(Tags=pairs(inputs.get("tags"))))
        return str(inputs["name"])

    def read(self, known: str, inputs: Properties) -> Seen | None:
        found = self.aws.scheduler.get_schedule_group(Name=known)
        tags = tags_of(self.aws.scheduler.list_tags_for_resource(ResourceArn=found["Arn"])["Tags"])
        return Seen({"name": known, "tags": tags}, {"arn": found["Arn"], "state": found["State"], "tagsAll": tags})

    def delete(self, known: str, inputs: Properties) -> None:
        self.aws.scheduler.delete_schedule_group(Name=known)


class Schedule(Kind):
    """A schedule; its id is its group and its name."""

    token = "aws:scheduler/schedule:Schedule"
    label = "EventBridge Scheduler Schedule"
    autonamed = "name"
    defaults: ClassVar[Properties] = {
        "scheduleExpressionTimezone": "UTC",
        "state": "ENABLED",
    }
    replaced_by = ("name", "namePrefix", "groupName")
    told: ClassVar[dict[str, str]] = {
        "scheduleExpression": "ScheduleExpression",
        "scheduleExpressionTimezone": "ScheduleExpressionTimezone",
        "state": "State",
    }

    def create(self, inputs: Properties) -> str:
        self.refuse_others(inputs, *self.told, "name", "groupName", "flexibleTimeWindow", "target")
        self.aws.scheduler.create_schedule(**self._asked(inputs))
        return f"{inputs['groupName']}/{inputs['name']}"

    def _asked(self, inputs: Properties) -> dict[str, Any]:
        return {
            **{theirs: inputs[name] for name, theirs in self.told.items() if name in inputs},
            "Name": inputs["name"],
            "GroupName": inputs["groupName"],
            "FlexibleTimeWindow": _capital(inputs["flexibleTimeWindow"]),
            "Target": _target(inputs["target"]),
        }

    def read(self, known: str, inputs: Properties) -> Seen | None:
        group, _, name = known.partition("/")
        found = self.aws.scheduler.get_schedule(GroupName=group, Name=name)
        seen = {ours: found[theirs] for ours, theirs in self.told.items()}
        window, target = _small(found["FlexibleTimeWindow"]), _seen(found["Target"])
        seen |= {"name": name, "groupName": group, "flexibleTimeWindow": window, "target": target}
        return Seen(seen, {"arn": found["Arn"]})

    def update(self, known: str, old: Properties, new: Properties) -> None:
        self.aws.scheduler.update_schedule(**self._asked(new))

    def delete(self, known: str, inputs: Properties) -> None:
        group, _, name = known.partition("/")
        self.aws.scheduler.delete_schedule(GroupName=group, Name=name)


def _target(target: Properties) -> Properties:
    """As the API takes it: the network lies deeper there, and says in words what is a bool here."""
    asked: Properties = _capital(target)
    if network := asked.get("EcsParameters", {}).get("NetworkConfiguration"):
        shown = "ENABLED" if network.pop("AssignPublicIp", False) else "DISABLED"
        asked["EcsParameters"]["NetworkConfiguration"] = {
            "awsvpcConfiguration": {**network, "AssignPublicIp": shown}
        }
    return asked


def _seen(target: Properties) -> Properties:
    seen: Properties = _small(target)
    if network := seen.get("ecsParameters", {}).get("networkConfiguration"):
        inner = network["awsvpcConfiguration"]
        shown = inner["assignPublicIp"] == "ENABLED"
        seen["ecsParameters"]["networkConfiguration"] = {**inner, "assignPublicIp": shown}
    return seen


def _capital(value: Any) -> Any:
    return _renamed(value, str.upper)


def _small(value: Any) -> Any:
    return _renamed(value, str.lower)


def _renamed(value: Any, first: Any) -> Any:
    """The value with the first letter of every key, at all depths, in the other case."""
    if isinstance(value, dict):
        return {first(key[0]) + key[1:]: _renamed(inner, first) for key, inner in value.items()}
    return [_renamed(inner, first) for inner in value] if isinstance(value, list) else value

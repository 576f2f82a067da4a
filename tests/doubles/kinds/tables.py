"""DynamoDB: tables with their indexes, and items that a program owns."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, ClassVar

from tests.doubles.kinds.kind import Kind, Seen, Unsupported, pairs, present, tag_changes, tags_of
from tests.doubles.kinds.properties import Properties


class Table(Kind):
    """A table. A protected one is not deleted: moto refuses it as AWS does."""

    token = "aws:dynamodb/table:Table"
    label = "DynamoDB Table"
    autonamed = "name"
    defaults: ClassVar[Properties] = {"billingMode": "PROVISIONED"}
    replaced_by = ("name", "hashKey", "rangeKey", "localSecondaryIndexes")
    computed = ("serverSideEncryption", "pointInTimeRecovery", "readCapacity", "writeCapacity", "ttl")
    unordered = ("attributes", "globalSecondaryIndexes", "localSecondaryIndexes")

    def create(self, inputs: Properties) -> str:
        name = str(inputs["name"])
        self.aws.dynamodb.create_table(
            TableName=name,
            BillingMode=inputs["billingMode"],
            KeySchema=_keys(inputs),
            AttributeDefinitions=_attributes(inputs),
            DeletionProtectionEnabled=bool(inputs.get("deletionProtectionEnabled")),
            **present(
                GlobalSecondaryIndexes=[
                    _index(index, inputs) for index in inputs.get("globalSecondaryIndexes", ())
                ],
                LocalSecondaryIndexes=[_index(index, {}) for index in inputs.get("localSecondaryIndexes", ())],
                ProvisionedThroughput=_capacity(inputs, inputs),
                SSESpecification=_encryption(inputs),
                StreamSpecification=_stream(inputs),
                Tags=pairs(inputs.get("tags")),
            ),
        )
        self.aws.dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
        self._recovery(name, inputs)
        self._expiry(name, inputs)
        return name

    def _recovery(self, name: str, inputs: Properties) -> None:
        wanted = inputs.get("pointInTimeRecovery")
        if wanted is not None:
            how = present(
                PointInTimeRecoveryEnabled=wanted["enabled"],
                RecoveryPeriodInDays=wanted.get("recoveryPeriodInDays"),
            )
            self.aws.dynamodb.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=how)

    def _expiry(self, name: str, inputs: Properties) -> None:
        wanted = inputs.get("ttl")
        if wanted:
            how = {"Enabled": wanted.get("enabled", True), "AttributeName": wanted["attributeName"]}
            self.aws.dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=how)

    def read(self, known: str, inputs: Properties) -> Seen | None:
        found = self.aws.dynamodb.describe_table(TableName=known)["Table"]
        backups = self.aws.dynamodb.describe_continuous_backups(TableName=known)["ContinuousBackupsDescription"]
        tags = tags_of(self.aws.dynamodb.list_tags_of_resource(ResourceArn=found["TableArn"])["Tags"])
        recovery = backups["PointInTimeRecoveryDescription"]
        seen = {
            "name": known,
            "billingMode": found.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
            **_named_keys(found["KeySchema"]),
            "attributes": [
                {"name": one["AttributeName"], "type": one["AttributeType"]}
                for one in found["AttributeDefinitions"]
            ],
            "globalSecondaryIndexes": [_seen_index(index) for index in found.get("GlobalSecondaryIndexes", ())],
            "localSecondaryIndexes": [_seen_index(index) for index in found.get("LocalSecondaryIndexes", ())],
            "deletionProtectionEnabled": bool(found.get("DeletionProtectionEnabled")),
            "pointInTimeRecovery": present(
                enabled=recovery["PointInTimeRecoveryStatus"] == "ENABLED",
                recoveryPeriodInDays=recovery.get("RecoveryPeriodInDays"),
            ),
            "serverSideEncryption": {"enabled": found.get("SSEDescription", {}).get("Status") == "ENABLED"},
            "readCapacity": found.get("ProvisionedThroughput", {}).get("ReadCapacityUnits", 0),
            "writeCapacity": found.get("ProvisionedThroughput", {}).get("WriteCapacityUnits", 0),
            "tags": tags,
        }
        seen |= {name: inputs[name] for name in ("ttl", "streamEnabled", "streamViewType") if name in inputs}
        stream = {"streamArn": found.get("LatestStreamArn", ""), "streamLabel": found.get("LatestStreamLabel", "")}
        return Seen(seen, {"arn": found["TableArn"], **stream, "tagsAll": tags})

    def update(self, known: str, old: Properties, new: Properties) -> None:
        changed = {*self.diff(old, new).top_level}
        unable = changed & {"streamEnabled", "streamViewType", "tableClass", "replicas"}
        if unable:
            raise Unsupported(f"the provider's double cannot change {sorted(unable)} of a DynamoDB Table in place")
        if {"billingMode", "readCapacity", "writeCapacity"} & changed:
            throughput = present(ProvisionedThroughput=_capacity(new, new))
            self.aws.dynamodb.update_table(TableName=known, BillingMode=new["billingMode"], **throughput)
        if "deletionProtectionEnabled" in changed:
            protected = bool(new.get("deletionProtectionEnabled"))
            self.aws.dynamodb.update_table(TableName=known, DeletionProtectionEnabled=protected)
        if "serverSideEncryption" in changed:
            self.aws.dynamodb.update_table(TableName=known, SSESpecification=_encryption(new))
        self._reindex(known, old, new)
        if "pointInTimeRecovery" in changed:
            self._recovery(known, new)
        if "ttl" in changed:
            self._expiry(known, new)
        self._retag(known, old, new)

    def _reindex(self, known: str, old: Properties, new: Properties) -> None:
        """A changed index is dropped and made anew, one at a time, as AWS demands."""
        before, after = (_by_name(side.get("globalSecondaryIndexes", ())) for side in (old, new))
        gone = [name for name, index in before.items() if after.get(name) != index]
        fresh = [name for name, index in after.items() if before.get(name) != index]
        steps = [{"Delete": {"IndexName": name}} for name in gone]
        steps += [{"Create": _index(after[name], new)} for name in fresh]
        for step in steps:
            self.aws.dynamodb.update_table(
                TableName=known, AttributeDefinitions=_attributes(new), GlobalSecondaryIndexUpdates=[step]
            )

    def _retag(self, known: str, old: Properties, new: Properties) -> None:
        added, removed = tag_changes(old, new)
        if added or removed:
            name = self.aws.dynamodb.describe_table(TableName=known)["Table"]["TableArn"]
            if removed:
                self.aws.dynamodb.untag_resource(ResourceArn=name, TagKeys=removed)
            if added:
                self.aws.dynamodb.tag_resource(ResourceArn=name, Tags=pairs(added))

    def delete(self, known: str, inputs: Properties) -> None:
        self.aws.dynamodb.delete_table(TableName=known)


class TableItem(Kind):
    """An item, after terraform-provider-aws's dynamodb/table_item.go: never written over one that is there."""

    token = "aws:dynamodb/tableItem:TableItem"
    label = "DynamoDB Table Item"
    replaced_by = ("tableName", "hashKey", "rangeKey")
    documents = ("item",)

    def create(self, inputs: Properties) -> str:
        self.refuse_others(inputs, "tableName", "hashKey", "rangeKey", "item")
        self.aws.dynamodb.put_item(
            TableName=inputs["tableName"],
            Item=json.loads(inputs["item"]),
            ConditionExpression="attribute_not_exists(#key)",
            ExpressionAttributeNames={"#key": inputs["hashKey"]},
        )
        return "|".join([inputs["tableName"], *_spelled_key(inputs)])

    def read(self, known: str, inputs: Properties) -> Seen | None:
        """Only what the program wrote is looked at: others may add attributes of their own."""
        names = {f"#{place}": name for place, name in enumerate(sorted(json.loads(inputs["item"])))}
        found = self.aws.dynamodb.get_item(
            TableName=inputs["tableName"],
            Key=_key(inputs),
            ConsistentRead=True,
            ProjectionExpression=", ".join(names),
            ExpressionAttributeNames=names,
        ).get("Item")
        return None if found is None else Seen({**inputs, "item": json.dumps(found, sort_keys=True)})

    def update(self, known: str, old: Properties, new: Properties) -> None:
        if _key(old) != _key(new):
            raise Unsupported("the provider's double cannot change the key of a DynamoDB Table Item")
        before, after, key = json.loads(old["item"]), json.loads(new["item"]), _key(new)
        put = {name: {"Action": "PUT", "Value": value} for name, value in after.items() if name not in key}
        gone = {name: {"Action": "DELETE"} for name in before if name not in after}
        self.aws.dynamodb.update_item(TableName=new["tableName"], Key=key, AttributeUpdates={**put, **gone})

    def delete(self, known: str, inputs: Properties) -> None:
        self.aws.dynamodb.delete_item(TableName=inputs["tableName"], Key=_key(inputs))


def _key(inputs: Properties) -> dict[str, Any]:
    item = json.loads(inputs["item"])
    return {name: item[name] for name in (inputs["hashKey"], inputs.get("rangeKey")) if name}


def _spelled_key(inputs: Properties) -> list[str]:
    return [part for name, value in _key(inputs).items() for part in (name, *value.values())]


def _by_name(indexes: Iterable[Properties]) -> dict[str, Properties]:
    return {index["name"]: index for index in indexes}


def _attributes(inputs: Properties) -> list[dict[str, str]]:
    return [{"AttributeName": one["name"], "AttributeType": one["type"]} for one in inputs.get("attributes", ())]


def _keys(of: Properties) -> list[dict[str, str]]:
    named = (("HASH", of.get("hashKey")), ("RANGE", of.get("rangeKey")))
    return [{"AttributeName": name, "KeyType": kind} for kind, name in named if name]


def _named_keys(schema: Iterable[Any]) -> Properties:
    names = {"HASH": "hashKey", "RANGE": "rangeKey"}
    return {names[key["KeyType"]]: key["AttributeName"] for key in schema}


def _capacity(of: Properties, table: Properties) -> dict[str, int] | None:
    if table.get("billingMode") != "PROVISIONED":
        return None
    return {"ReadCapacityUnits": of.get("readCapacity", 1), "WriteCapacityUnits": of.get("writeCapacity", 1)}


def _index(index: Properties, table: Properties) -> dict[str, Any]:
    projection = present(
        ProjectionType=index.get("projectionType", "ALL"), NonKeyAttributes=index.get("nonKeyAttributes")
    )
    named = {"IndexName": index["name"], "KeySchema": _keys(index), "Projection": projection}
    return {**named, **present(ProvisionedThroughput=_capacity(index, table))}


def _seen_index(index: Any) -> Properties:
    projection = index["Projection"]
    return {
        "name": index["IndexName"],
        **_named_keys(index["KeySchema"]),
        **present(
            projectionType=projection.get("ProjectionType"), nonKeyAttributes=projection.get("NonKeyAttributes")
        ),
    }


def _encryption(inputs: Properties) -> dict[str, Any]:
    wanted = inputs.get("serverSideEncryption") or {}
    kind = "KMS" if wanted.get("enabled") else None
    return present(Enabled=wanted.get("enabled"), SSEType=kind, KMSMasterKeyId=wanted.get("kmsKeyArn"))


def _stream(inputs: Properties) -> dict[str, Any] | None:
    if not inputs.get("streamEnabled"):
        return None
    return {"StreamEnabled": True, "StreamViewType": inputs.get("streamViewType", "NEW_AND_OLD_IMAGES")}

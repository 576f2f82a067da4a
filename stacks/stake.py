"""The fleet's stake in the tracker: an item on which nothing depends, and which depends on nothing.

Its hooks tell people's stacks from previews: made or changed, the spec is the one of record; deleted, the fleet is
to end, and no tick makes machines again. The item itself is read by nobody: it says what it was written for.
"""

from __future__ import annotations

import json
from typing import Any, Protocol

import msgspec
import pulumi
from pulumi_aws import dynamodb

from lifecycle.model.records import SpecRecord
from stacks.hooks import hook
from stacks.names import fleet_partition

KIND = "stack"
"""The kind of its row in the tracker."""


class Register(Protocol):
    """`lifecycle.control.register`, as far as hooks need it. Each method raises SteadyError with what to do."""

    def take(self) -> None:
        """The stake is about to be made: what an update that was cut short left of one goes first."""
        ...

    def adopt(self) -> None: ...

    def leave(self) -> None: ...


def declare(table: str, record: SpecRecord, register: Register) -> dynamodb.TableItem:
    """The stake of the fleet whose spec of record this is, or will be. Hooks' names are kept in the state."""

    def take(_: pulumi.ResourceHookArgs) -> None:
        register.take()

    def adopt(_: pulumi.ResourceHookArgs) -> None:
        register.adopt()

    def leave(_: pulumi.ResourceHookArgs) -> None:
        register.leave()

    bound = pulumi.ResourceHookBinding(
        before_create=[hook("steady-take", take)],
        before_update=[hook("steady-adopt", adopt)],
        before_delete=[hook("steady-leave", leave)],
    )
    return dynamodb.TableItem(
        "record",
        table_name=table,
        hash_key="pk",
        range_key="sk",
        item=json.dumps(item(record), sort_keys=True),
        opts=pulumi.ResourceOptions(delete_before_replace=True, hooks=bound),
    )


def item(record: SpecRecord) -> dict[str, Any]:
    """The row as DynamoDB is asked to hold it, version and token included. It differs for every adoption."""
    said = {"generation": record.generation, "digest": record.digest, "source": record.source}
    body = msgspec.json.encode(said | {"allow_empty": record.allow_empty}).decode()
    return {
        "pk": {"S": fleet_partition(record.fleet)},
        "sk": {"S": f"{KIND}#{record.fleet}"},
        "v": {"N": "1"},
        "b": {"S": body},
        "t": {"S": KIND},
    }

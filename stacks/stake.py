"""The fleet's stake in the tracker: an item that nothing needs, whose hooks tell an update from a preview.

Made or changed, the spec is the one of record; deleted, the fleet is to end, and no tick makes machines again. So
it must go before the first machine does: the engine deletes level by level, what stands on most first, and within a
component that stands on all that machines stand on the stake is one level above them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import msgspec
import pulumi
from pulumi_aws import dynamodb

from lifecycle.model.records import SpecRecord
from lifecycle.tracker.rows import STACK
from stacks.hooks import hook
from stacks.names import fleet_partition

KIND = STACK
"""The kind of its row in the tracker."""


class Register(Protocol):
    """`lifecycle.control.register`, as far as hooks need it. Each method raises SteadyError with what to do."""

    def take(self) -> None:
        """The stake is about to be made: what an update that was cut short left of one goes first."""
        ...

    def adopt(self) -> None: ...

    def leave(self) -> None: ...


class Stake(NamedTuple):
    """In the tracker's `table`: for the spec that is of record, or will be."""

    table: str
    record: SpecRecord
    register: Register


def declare(stake: Stake, needed: Sequence[pulumi.Resource]) -> dynamodb.TableItem:
    """`needed` is what machines stand on. Hooks' names are kept in the state: they are never renamed."""
    register = stake.register

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
    above = pulumi.ComponentResource(
        "steady:index:Stake", "stake", opts=pulumi.ResourceOptions(depends_on=list(needed))
    )
    return dynamodb.TableItem(
        "record",
        table_name=stake.table,
        hash_key="pk",
        range_key="sk",
        item=json.dumps(item(stake.record), sort_keys=True),
        opts=pulumi.ResourceOptions(parent=above, delete_before_replace=True, hooks=bound),
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

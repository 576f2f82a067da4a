"""Where each row lives in the one DynamoDB table, and what its item looks like.

| partition (pk)        | sk              | what lies there, and who writes it |
|-----------------------|-----------------|------------------------------------|
| `fleet#<fleet>`       | `kind#name`     | every other row: the controller, the operator's verbs |
| `node#<instance ARN>` | `kind#name`     | reports and receipts: that node |
|                       | `journal#place` | its journal entries: that node |
| `journal#<fleet>`     | `journal#place` | journal entries: the controller |
| `fleets`              | fleet           | which fleets there may be: the controller |

Attributes: `v` version, `b` body, `t` token of the last writer, `w` when it was written (ns). `f` (fleet) is on
what a node may write, and `n` (`fleet#node`) on journal entries about a node: the two indexes hold these alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from secrets import token_hex
from typing import Any, NamedTuple

from lifecycle.model.errors import SteadyError

BY_FLEET, BY_NODE = "by-fleet", "by-node"
FLEETS, JOURNAL = "fleets", "journal"

NODE_KINDS = frozenset({"report", "receipt"})
"""Kinds of rows that a node writes. They lie in its own partition and are found through `by-fleet`."""

LARGEST = 400_000
"""DynamoDB refuses from 409,600 bytes on, counted its way; this leaves a margin."""

_BESIDE_THE_BODY = 1024
"""Room for keys, names of attributes, version and token; generous."""

Wire = dict[str, Any]
"""An item or a key as the client speaks it: `{"pk": {"S": "fleet#f"}}`."""


class Key(NamedTuple):
    pk: str
    sk: str

    @property
    def wire(self) -> Wire:
        return {"pk": {"S": self.pk}, "sk": {"S": self.sk}}

    @property
    def name(self) -> str:
        """What follows the kind: the row's name, or an entry's place."""
        return self.sk.partition("#")[2]


class Item(NamedTuple):
    """A stored item. `version` 0 and no token: it is no row (a journal entry, a fleet's registration)."""

    key: Key
    version: int
    body: bytes
    token: str
    written: int
    fleet: str | None


class Span(NamedTuple):
    """A part of a partition: a condition on `sk`, and its values."""

    condition: str
    values: Mapping[str, str]


EVERYTHING = Span("", {})


def beginning(prefix: str) -> Span:
    return Span(" AND begins_with(sk, :low)", {":low": prefix})


def exactly(sk: str) -> Span:
    return Span(" AND sk = :low", {":low": sk})


def journal_beyond(place: str) -> Span:
    """All entries after this place; places are equally long, so none lies between a place and its `!`."""
    if not place:
        return beginning(f"{JOURNAL}#")
    return Span(" AND sk BETWEEN :low AND :high", {":low": f"{JOURNAL}#{place}!", ":high": f"{JOURNAL}#~"})


def of_fleet(fleet: str) -> str:
    return f"fleet#{fleet}"


def of_writer(instance_arn: str) -> str:
    return f"node#{instance_arn}"


def writer_of(key: Key) -> str:
    """The id of the machine whose partition this is; empty for one that is no machine's."""
    kind, _, arn = key.pk.partition("#")
    return arn.rpartition("/")[2] if kind == "node" else ""


def row_sk(kind: str, name: str) -> str:
    return f"{kind}#{name}"


def about_node(fleet: str, node: str) -> str:
    return f"{fleet}#{node}"


def parsed(wire: Wire) -> Item:
    return Item(
        key=Key(wire["pk"]["S"], wire["sk"]["S"]),
        version=int(wire.get("v", {"N": "0"})["N"]),
        body=wire.get("b", {"S": ""})["S"].encode(),
        token=wire.get("t", {"S": ""})["S"],
        written=int(wire.get("w", {"N": "0"})["N"]),
        fleet=wire["f"]["S"] if "f" in wire else None,
    )


def fitting(key: Key, body: bytes) -> str:
    """The body as it is stored. Raises SteadyError when DynamoDB would not take it: nothing was written."""
    size = len(body) + len(key.pk.encode()) + len(key.sk.encode()) + _BESIDE_THE_BODY
    if size > LARGEST:
        raise SteadyError(
            f"{key.sk}: {len(body) // 1024} KB is more than DynamoDB keeps in one row (400 KB)",
            fix="make it smaller: a spec with fewer pools or shorter texts, split into several fleets",
        )
    return body.decode()


class _Growing:
    """The time in ns, never the same twice and never backwards within this process."""

    def __init__(self) -> None:
        self._lock, self._last = threading.Lock(), 0

    def now(self) -> int:
        with self._lock:
            self._last = max(time.time_ns(), self._last + 1)
            return self._last


_GROWING = _Growing()
moment = _GROWING.now


def new_place() -> str:
    """A place in the journal: sorts by time, and by order of appending within a process."""
    return f"{moment():020d}-{token_hex(4)}"


def definition(name: str) -> Wire:
    """The arguments of `create_table`: on demand, with both indexes."""
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk", "f", "n")],
        "KeySchema": _keys("pk"),
        "GlobalSecondaryIndexes": [_index(BY_FLEET, "f"), _index(BY_NODE, "n")],
    }


def _index(name: str, attribute: str) -> Wire:
    return {"IndexName": name, "KeySchema": _keys(attribute), "Projection": {"ProjectionType": "ALL"}}


def _keys(partition: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]

"""The tracker's table in DynamoDB. Where things lie is in `items`, how one is written in `writes`.

Rows of the controller are read consistently. Rows of nodes are found through an index that lags by up to some
seconds, except by the handle that wrote them.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, groupby, islice
from secrets import token_hex
from typing import Any

from botocore.exceptions import ClientError

from lifecycle.adapters.aws import writes
from lifecycle.adapters.aws.items import (
    BY_FLEET,
    BY_NODE,
    EVERYTHING,
    FLEETS,
    JOURNAL,
    NODE_KINDS,
    Item,
    Key,
    Span,
    Wire,
    about_node,
    beginning,
    definition,
    exactly,
    fitting,
    journal_beyond,
    new_place,
    of_fleet,
    of_writer,
    parsed,
    row_sk,
    writer_of,
)
from lifecycle.adapters.aws.session import answers, code_of
from lifecycle.adapters.aws.writes import PAUSES, Change, Fate, Outcome
from lifecycle.model.errors import Conflict, LostLease, StateUnusable, Unreadable
from lifecycle.ports.tracker import Beside, Guard, Row

__all__ = ["DynamoTable", "definition"]

_BATCH = 100
_PAGE = 1000
_OVERTAKEN_AT_MOST = 50
"""How often others may be faster than an unconditional write before it gives up."""


class DynamoTable:
    """Implements `ports.tracker.Table` on one table. Safe for threads, as clients are.

    With `writer`, an instance's ARN, it is that node's handle: its reports, receipts and journal entries go
    to its own partition, the only one that its credentials may write. Without, it is the controller's.
    A write whose answer was lost is looked up, never guessed: when others have written since, so that nobody
    can tell, it raises Unreadable and not Conflict.
    """

    def __init__(self, client: Any, table: str, writer: str | None = None) -> None:
        self._client, self._table, self._writer = client, table, writer
        self._registered: set[str] = set()

    # ---- reading ---------------------------------------------------------------------------------

    def get(self, fleet: str, kind: str, name: str) -> Row | None:
        if kind in NODE_KINDS:
            found = self._of_nodes(fleet, exactly(row_sk(kind, name)))
            return _row(found[0]) if found else None
        item = self._item(Key(of_fleet(fleet), row_sk(kind, name)))
        return _row(item) if item else None

    def get_many(self, fleet: str, kind: str, names: Collection[str]) -> Sequence[Row]:
        wanted = sorted(set(names))
        if kind in NODE_KINDS:
            return [row for name in wanted if (row := self.get(fleet, kind, name))]
        keys = [Key(of_fleet(fleet), row_sk(kind, name)).wire for name in wanted]
        batches = (keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH))
        return [_row(item) for batch in batches for item in self._batch(batch)]

    def scan(self, fleet: str, kinds: Collection[str]) -> Mapping[str, Sequence[Row]]:
        """The nodes' kinds are read first: what caused them is then seen as well."""
        found: dict[str, Sequence[Row]] = dict.fromkeys(kinds, ())
        for kind in sorted(found, key=lambda kind: kind not in NODE_KINDS):
            found[kind] = [_row(item)._replace(writer=writer_of(item.key)) for item in self._all(fleet, kind)]
        return found

    def _all(self, fleet: str, kind: str) -> Iterable[Item]:
        if kind not in NODE_KINDS:
            return self._rows(fleet, kind, "", backwards=False)
        copies = self._copies(fleet, beginning(row_sk(kind, "")))
        return sorted(copies, key=lambda item: (item.key.sk, item.written))

    def newest(self, fleet: str, kind: str, prefix: str, limit: int) -> Sequence[Row]:
        found = self._rows(fleet, kind, prefix, backwards=True, limit=limit)
        return [_row(item) for item in islice(found, limit)]

    def entries(self, fleet: str, node: str | None, limit: int, after: str = "") -> Sequence[tuple[str, bytes]]:
        span = journal_beyond(after)
        if node is not None:
            found = self._query(BY_NODE, about_node(fleet, node), span, backwards=True, limit=limit)
            return [(item.key.name, item.body) for item in islice(found, limit)][::-1]
        everyones = self._query(BY_FLEET, of_fleet(fleet), span, backwards=True, limit=limit)
        own = self._query(None, self._journal(fleet), span, backwards=True, limit=limit)
        told = chain(islice(everyones, limit), islice(_only(fleet, own), limit))
        places = {item.key.name: item.body for item in told}
        return sorted(places.items())[-limit:]

    def fleets(self) -> Sequence[str]:
        named = [item.key.sk for item in self._query(None, FLEETS, EVERYTHING)]
        return [fleet for fleet in named if self._has_rows(fleet)]

    def _has_rows(self, fleet: str) -> bool:
        own = self._query(None, of_fleet(fleet), EVERYTHING, limit=1)
        nodes = (
            self._query(BY_FLEET, of_fleet(fleet), beginning(row_sk(kind, "")), limit=1) for kind in NODE_KINDS
        )
        return any(True for _ in chain(own, chain.from_iterable(nodes)))

    def _rows(
        self, fleet: str, kind: str, prefix: str, *, backwards: bool, limit: int | None = None
    ) -> Iterator[Item]:
        span = beginning(row_sk(kind, prefix))
        if kind in NODE_KINDS:
            return iter(self._of_nodes(fleet, span, backwards=backwards, limit=limit))
        return self._query(None, of_fleet(fleet), span, backwards=backwards, limit=limit)

    def _of_nodes(self, fleet: str, span: Span, *, backwards: bool = False, limit: int | None = None) -> list[Item]:
        """Rows of nodes by name; of what several machines wrote under one name, the latest."""
        latest: dict[str, Item] = {}
        for item in sorted(self._copies(fleet, span, backwards, limit), key=lambda item: item.written):
            latest[item.key.sk] = item
        return [item for _, item in sorted(latest.items(), reverse=backwards)]

    def _copies(
        self, fleet: str, span: Span, backwards: bool = False, limit: int | None = None
    ) -> Collection[Item]:
        """What each machine wrote, as the index shows it; what this handle's partition holds, as it is."""
        shown = self._query(BY_FLEET, of_fleet(fleet), span, backwards=backwards, limit=limit)
        names = islice(groupby(shown, key=lambda item: item.key.sk), limit)
        own = self._query(None, self._home(fleet), span, backwards=backwards, limit=limit)
        items = chain(chain.from_iterable(same for _, same in names), islice(_only(fleet, own), limit))
        return {item.key: item for item in items}.values()

    # ---- writing ---------------------------------------------------------------------------------

    def put(
        self,
        fleet: str,
        kind: str,
        name: str,
        body: bytes,
        *,
        expect: int | None = None,
        guard: Guard | None = None,
        beside: Beside | None = None,
    ) -> int:
        self._register(fleet)
        key = self._place_of(fleet, kind, name)
        text = fitting(key, body)
        listed = of_fleet(fleet) if kind in NODE_KINDS else None
        other = _unconditional(fleet, beside) if beside is not None else None
        if expect is not None:
            change = writes.update(key, text, expect, token_hex(8), listed)
            return self._written(fleet, change, expect, guard, other)
        for _ in range(_OVERTAKEN_AT_MOST):
            seen = self._item(key)
            version = seen.version if seen else 0
            try:
                change = writes.update(key, text, version, token_hex(8), listed)
                return self._written(fleet, change, version, guard, other)
            except Conflict:
                continue
        raise _overtaken(key)

    def remove(self, fleet: str, kind: str, name: str, *, guard: Guard | None = None) -> None:
        home = self._place_of(fleet, kind, name)
        keys = {home}
        if kind in NODE_KINDS and self._writer is None:
            keys |= {item.key for item in self._copies(fleet, exactly(home.sk))}
        for key in sorted(keys):
            self._remove(fleet, key, guard)

    def drop_overshadowed(self, fleet: str, kind: str, age: float, *, guard: Guard | None = None) -> int:
        copies = sorted(self._copies(fleet, beginning(row_sk(kind, ""))), key=lambda item: item.written)
        shown = {item.key.sk: item.written for item in copies}
        old = [item for item in copies if item.written < shown[item.key.sk] - int(age * 1e9)][:_BATCH]
        for item in old:  # one that was written again meanwhile is refused, and stays
            if self._carried_out(fleet, writes.delete(item.key, item), guard).fate is Fate.FENCED:
                raise LostLease.of(fleet)
        return len(old)

    def append(self, fleet: str, node: str | None, body: bytes) -> None:
        key = Key(self._journal(fleet), row_sk(JOURNAL, new_place()))
        item = {**key.wire, "b": {"S": fitting(key, body)}}
        if self._writer is not None:
            item["f"] = {"S": of_fleet(fleet)}
        if node is not None:
            item["n"] = {"S": about_node(fleet, node)}
        with self._asking():
            self._client.put_item(TableName=self._table, Item=item)

    def _register(self, fleet: str) -> None:
        """Names the fleet before its first row, so that no row lies in a fleet nobody lists."""
        if self._writer is not None or fleet in self._registered:
            return
        with self._asking():
            self._client.put_item(TableName=self._table, Item=Key(FLEETS, fleet).wire)
        self._registered.add(fleet)

    def _written(self, fleet: str, change: Change, expect: int, guard: Guard | None, beside: Change | None) -> int:
        outcome = self._carried_out(fleet, change, guard, beside)
        if outcome.fate is Fate.DONE:
            return expect + 1
        standing = None if outcome.sure else self._item(change.key)
        if standing is not None and standing.token == change.values[":token"]["S"]:
            return expect + 1
        if outcome.fate is Fate.FENCED:
            raise LostLease.of(fleet)
        if not outcome.sure and (standing is None or standing.version > expect + 1):
            raise Unreadable(
                f"{change.key.sk}: an answer of DynamoDB was lost, and others have written since",
                fix="read it again: it may have been written before theirs",
            )
        raise Conflict(f"{' '.join(change.key.sk.split('#', 1))} has changed", fix="read it again")

    def _remove(self, fleet: str, key: Key, guard: Guard | None) -> None:
        for _ in range(_OVERTAKEN_AT_MOST):
            seen = self._item(key)
            if seen is None and guard is None:
                return
            outcome = self._carried_out(fleet, writes.delete(key, seen), guard)
            if outcome.fate is Fate.DONE or (seen and not outcome.sure and self._gone(key, seen)):
                return
            if outcome.fate is Fate.FENCED:
                raise LostLease.of(fleet)
        raise _overtaken(key)

    def _gone(self, key: Key, seen: Item) -> bool:
        """Whether this row was deleted since it was seen; versions of one made anew begin at 1 again."""
        standing = self._item(key)
        return standing is None or (standing.token != seen.token and standing.version <= seen.version)

    def _carried_out(
        self, fleet: str, change: Change, guard: Guard | None, beside: Change | None = None
    ) -> Outcome:
        fence = None
        if guard is not None:
            fence = writes.check(Key(of_fleet(fleet), row_sk(guard.kind, guard.name)), guard.version)
        with self._asking():
            return writes.carried_out(self._client, self._table, change, fence, beside)

    # ---- where things are, and asking for them ---------------------------------------------------

    def _home(self, fleet: str) -> str:
        """The partition of what this handle writes in the nodes' kinds."""
        return of_fleet(fleet) if self._writer is None else of_writer(self._writer)

    def _journal(self, fleet: str) -> str:
        return f"{JOURNAL}#{fleet}" if self._writer is None else of_writer(self._writer)

    def _place_of(self, fleet: str, kind: str, name: str) -> Key:
        """Where this handle writes the row: the controller writes a node's row where it found it."""
        sk = row_sk(kind, name)
        if kind not in NODE_KINDS:
            return Key(of_fleet(fleet), sk)
        found = self._of_nodes(fleet, exactly(sk)) if self._writer is None else []
        return found[0].key if found else Key(self._home(fleet), sk)

    def _item(self, key: Key) -> Item | None:
        with self._asking():
            answer = self._client.get_item(TableName=self._table, Key=key.wire, ConsistentRead=True)
        return parsed(answer["Item"]) if "Item" in answer else None

    def _batch(self, keys: list[Wire]) -> Iterator[Item]:
        """All that exist of at most a hundred keys. Raises Unreadable when no more of them are answered."""
        wanted: Wire = {self._table: {"Keys": keys, "ConsistentRead": True}}
        pauses = iter(PAUSES)
        while True:
            with self._asking():
                answer = self._client.batch_get_item(RequestItems=wanted)
            found = answer["Responses"].get(self._table, [])
            yield from map(parsed, found)
            wanted = answer.get("UnprocessedKeys", {})
            if not wanted:
                return
            pauses = iter(PAUSES) if found else pauses
            time.sleep(_next(pauses))

    def _query(
        self, index: str | None, partition: str, span: Span, *, backwards: bool = False, limit: int | None = None
    ) -> Iterator[Item]:
        """Page after page, in the order of `sk`; `limit` is what the reader will probably stop after."""
        ask = _ask(self._table, index, partition, span)
        ask |= {"ScanIndexForward": not backwards, "Limit": min(limit or _PAGE, _PAGE)}
        while True:
            with self._asking():
                answer = self._client.query(**ask)
            yield from map(parsed, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            ask["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    @contextmanager
    def _asking(self) -> Iterator[None]:
        with answers("DynamoDB"):
            try:
                yield
            except ClientError as error:
                if code_of(error) != "ResourceNotFoundException":
                    raise
                raise StateUnusable(
                    f"there is no DynamoDB table {self._table} in this account and region",
                    fix="deploy the foundation stack, or name the region that it is in",
                ) from None


def _unconditional(fleet: str, beside: Beside) -> Change:
    """Safe to send again: it goes through only with the row that is expected as it is."""
    key = Key(of_fleet(fleet), row_sk(beside.kind, beside.name))
    return writes.update(key, fitting(key, beside.body), None, token_hex(8))


def _ask(table: str, index: str | None, partition: str, span: Span) -> Wire:
    """A query of a partition of the table, read consistently, or of an index."""
    attribute = {None: "pk", BY_FLEET: "f", BY_NODE: "n"}[index]
    values = {":partition": partition, **span.values}
    where = {"IndexName": index} if index else {"ConsistentRead": True}
    return {
        "TableName": table,
        "KeyConditionExpression": f"{attribute} = :partition{span.condition}",
        "ExpressionAttributeValues": {name: {"S": value} for name, value in values.items()},
        **where,
    }


def _next(pauses: Iterator[float]) -> float:
    for pause in pauses:
        return pause
    raise Unreadable("DynamoDB leaves rows unread", fix="it is tried again by the next tick")


def _only(fleet: str, items: Iterator[Item]) -> Iterator[Item]:
    return (item for item in items if item.fleet in (None, of_fleet(fleet)))


def _row(item: Item) -> Row:
    return Row(item.key.name, item.version, item.body)


def _overtaken(key: Key) -> Unreadable:
    return Unreadable(f"{key.sk}: others were faster every time", fix="it is tried again by the next tick")

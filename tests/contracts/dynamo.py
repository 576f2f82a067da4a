"""The tracker's table in the DynamoDB of the AWS double, for tests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Any

from lifecycle.adapters.aws.session import Session
from lifecycle.adapters.aws.table import definition
from lifecycle.ports.tracker import Guard, Row, Table
from tests.doubles.aws import REGION, AwsDouble

NAME = "steadyfleet"
MACHINE = "arn:aws:ec2:us-east-1:123456789012:instance/i-0aaaaaaaaaaaaaaaa"
ANOTHER = "arn:aws:ec2:us-east-1:123456789012:instance/i-0bbbbbbbbbbbbbbbb"


def made(aws: AwsDouble) -> Any:
    """A client of an AWS in which the table now is, and empty."""
    client = _client_of(aws.endpoint)
    client.create_table(**definition(NAME))
    aws.calls.clear()
    return client


@cache
def _client_of(endpoint: str) -> Any:
    """One for all tests: making a session takes a tenth of a second."""
    return Session(REGION).client("dynamodb")


class NodesKinds:
    """The contract's kinds, renamed so that its stories are told of the rows that nodes write."""

    NAMES: Mapping[str, str] = {"order": "receipt", "attempt": "receipt", "report": "report", "receipt": "attempt"}

    def __init__(self, table_of: Callable[[str], Table]) -> None:
        """`table_of` a fleet: the handle that is used for it."""
        self._of = table_of

    def _kind(self, kind: str) -> str:
        return self.NAMES.get(kind, kind)

    def get(self, fleet: str, kind: str, name: str) -> Row | None:
        return self._of(fleet).get(fleet, self._kind(kind), name)

    def get_many(self, fleet: str, kind: str, names: Collection[str]) -> Sequence[Row]:
        return self._of(fleet).get_many(fleet, self._kind(kind), names)

    def scan(self, fleet: str, kinds: Collection[str]) -> Mapping[str, Sequence[Row]]:
        found = self._of(fleet).scan(fleet, [self._kind(kind) for kind in kinds])
        return {kind: found[self._kind(kind)] for kind in kinds}

    def newest(self, fleet: str, kind: str, prefix: str, limit: int) -> Sequence[Row]:
        return self._of(fleet).newest(fleet, self._kind(kind), prefix, limit)

    def put(self, fleet: str, kind: str, name: str, body: bytes, **how: Any) -> int:
        return self._of(fleet).put(fleet, self._kind(kind), name, body, **how)

    def remove(self, fleet: str, kind: str, name: str, *, guard: Guard | None = None) -> None:
        self._of(fleet).remove(fleet, self._kind(kind), name, guard=guard)

    def drop_overshadowed(self, fleet: str, kind: str, age: float, *, guard: Guard | None = None) -> int:
        return self._of(fleet).drop_overshadowed(fleet, self._kind(kind), age, guard=guard)

    def append(self, fleet: str, node: str | None, body: bytes) -> None:
        self._of(fleet).append(fleet, node, body)

    def entries(self, fleet: str, node: str | None, limit: int, after: str = "") -> Sequence[tuple[str, bytes]]:
        return self._of(fleet).entries(fleet, node, limit, after)

    def fleets(self) -> Sequence[str]:
        return self._of("").fleets()

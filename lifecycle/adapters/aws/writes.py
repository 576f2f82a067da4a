"""One conditional write to DynamoDB, alone, fenced by another row or with one beside it, and what became of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from lifecycle.adapters.aws.items import Item, Key, Wire, moment
from lifecycle.adapters.aws.session import code_of
from lifecycle.model.errors import Unreadable

PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds to wait after each time that another transaction was in the way."""

_IN_THE_WAY = frozenset(
    {"TransactionConflict", "ThrottlingError", "ThrottlingException", "ProvisionedThroughputExceeded"}
)
_FAILED = "ConditionalCheckFailed"

_ABSENT = "attribute_not_exists(pk)"


class Fate(Enum):
    DONE = auto()
    REFUSED = auto()
    """The row is not as expected."""
    FENCED = auto()
    """The guard's row is not as expected, whatever the row is like."""
    IN_THE_WAY = auto()
    """Somebody else's write was under way; nothing was written."""


class Outcome(NamedTuple):
    """`sure` False: the client tried more than once, and an earlier try may have gone through unheard."""

    fate: Fate
    sure: bool


class Change(NamedTuple):
    """What to do to one item, and on what condition, if any."""

    verb: str
    """`Update`, `Delete` or `ConditionCheck`."""
    key: Key
    condition: str
    values: Mapping[str, Wire]
    update: str = ""

    def wire(self, table: str) -> Wire:
        wire: Wire = {"TableName": table, "Key": self.key.wire}
        if self.condition:
            wire["ConditionExpression"] = self.condition
        if self.values:
            wire["ExpressionAttributeValues"] = self.values
        if self.update:
            wire["UpdateExpression"] = self.update
        return wire


def update(key: Key, body: str, expect: int | None, token: str, fleet: str | None = None) -> Change:
    """Writes the body and adds one to the version, which is to be `expect`, or any when None.

    `fleet` also lists the row under its fleet.
    """
    condition, expected = ("", {}) if expect is None else _versioned(expect)
    values = {
        ":one": {"N": "1"},
        ":body": {"S": body},
        ":token": {"S": token},
        ":now": {"N": str(moment())},
        **expected,
    }
    listed = ""
    if fleet is not None:
        listed, values[":fleet"] = ", f = :fleet", {"S": fleet}
    return Change("Update", key, condition, values, f"SET b = :body, t = :token, w = :now{listed} ADD v :one")


def delete(key: Key, seen: Item | None) -> Change:
    """Deletes the row as it was seen; None: only makes sure that there is none."""
    if seen is None:
        return Change("Delete", key, _ABSENT, {})
    return Change("Delete", key, "t = :token", {":token": {"S": seen.token}})


def check(key: Key, version: int) -> Change:
    """Holds while this row has this version."""
    condition, values = _versioned(version)
    return Change("ConditionCheck", key, condition, values)


def _versioned(expect: int) -> tuple[str, dict[str, Wire]]:
    return ("v = :expect", {":expect": {"N": str(expect)}}) if expect else (_ABSENT, {})


def carried_out(
    client: Any, table: str, change: Change, guard: Change | None, beside: Change | None = None
) -> Outcome:
    """Sends the change, and with it the one `beside`; again when another write was in the way.

    Raises ClientError for what is neither done nor refused, Unreadable when others never let it through.
    """
    sure = True
    for pause in PAUSES:
        outcome = _sent(client, table, change, guard, beside)
        sure = sure and outcome.sure
        if outcome.fate is not Fate.IN_THE_WAY:
            return Outcome(outcome.fate, sure)
        time.sleep(pause)
    raise Unreadable(
        f"DynamoDB: other writes kept {change.key.sk} from being written", fix="it is tried again by the next tick"
    )


def _sent(client: Any, table: str, change: Change, guard: Change | None, beside: Change | None) -> Outcome:
    together = [each for each in (guard, change, beside) if each is not None]
    try:
        if len(together) > 1:
            items = [{each.verb: each.wire(table)} for each in together]
            answer = client.transact_write_items(TransactItems=items)
        else:
            send = client.update_item if change.verb == "Update" else client.delete_item
            answer = send(**change.wire(table))
    except ClientError as error:
        fate = _fate(error, fenced=guard is not None)
        if fate is None:
            raise
        return Outcome(fate, _tried_once(error.response))
    return Outcome(Fate.DONE, _tried_once(answer))


def _tried_once(answer: Any) -> bool:
    return not answer.get("ResponseMetadata", {}).get("RetryAttempts", 0)


def _fate(error: ClientError, *, fenced: bool) -> Fate | None:
    code = code_of(error)
    if code == "ConditionalCheckFailedException":
        return Fate.REFUSED
    if code == "TransactionConflictException":
        return Fate.IN_THE_WAY
    if code == "TransactionCanceledException":
        return _why_cancelled(error, fenced=fenced)
    return None


def _why_cancelled(error: ClientError, *, fenced: bool) -> Fate | None:
    """A guard is the first of the reasons; while it could not be looked at, nothing is said of the row."""
    response: Any = error.response
    reasons = [reason.get("Code") for reason in response.get("CancellationReasons", ())]
    if fenced and _FAILED in reasons[:1]:
        return Fate.FENCED
    if _IN_THE_WAY.intersection(reasons):
        return Fate.IN_THE_WAY
    return Fate.REFUSED if _FAILED in reasons else None

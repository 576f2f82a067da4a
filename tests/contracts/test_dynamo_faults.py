"""Races, throttles, server errors and lost answers: no wrong Conflict, nothing lost, nothing written twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.retries.standard import ExponentialBackoff

from lifecycle.adapters.aws.session import Session
from lifecycle.adapters.aws.table import DynamoTable
from lifecycle.adapters.aws.writes import PAUSES
from lifecycle.model.errors import Conflict, LostLease, SteadyError, Unreadable
from lifecycle.ports.tracker import Guard, Row
from tests.contracts.dynamo import MACHINE, NAME, made
from tests.doubles.aws import REGION, AwsDouble, Fault

WRITES = "UpdateItem|TransactWriteItems|DeleteItem|PutItem"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's pauses between tries are short."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.01)


@pytest.fixture
def client(aws: AwsDouble) -> Any:
    return made(aws)


@pytest.fixture
def table(client: Any) -> DynamoTable:
    """One that has named its fleet: what follows is about rows."""
    table = DynamoTable(client, NAME)
    table._register("f")
    return table


@pytest.fixture
def rival(client: Any) -> DynamoTable:
    """Another handle, whose client's calls are not counted with ours."""
    return DynamoTable(Session(REGION).client("dynamodb"), NAME)


def a_guard(table: DynamoTable) -> Guard:
    return Guard("lease", "f", table.put("f", "lease", "f", b"me"))


@contextmanager
def before_second_try(client: Any, operation: str, do: Callable[[], object]) -> Iterator[None]:
    """Something happens after the client's first try of a call, and before its second."""
    tries = 0

    def sent(**_: Any) -> None:
        nonlocal tries
        tries += 1
        if tries == 2:
            do()

    client.meta.events.register(f"before-send.dynamodb.{operation}", sent)
    yield
    client.meta.events.unregister(f"before-send.dynamodb.{operation}", sent)
    assert tries == 2


def _with_a_rival_after_the_look(
    table: DynamoTable, monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]
) -> None:
    """Something happens between the first look at a row and the write that follows from it."""
    look, due = table._item, iter([True])

    def slow(key: Any) -> Any:
        seen = look(key)
        if next(due, False):
            do()
        return seen

    monkeypatch.setattr(table, "_item", slow)


# ---- a lost answer -------------------------------------------------------------------------------


@pytest.mark.parametrize("writer", [None, MACHINE])
@pytest.mark.parametrize("kind", ["order", "receipt"])
@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize("expect", [None, 0, 1])
def test_a_write_whose_answer_is_lost_is_written_once_and_told_so(
    aws: AwsDouble,
    client: Any,
    table: DynamoTable,
    expect: int | None,
    guarded: bool,
    kind: str,
    writer: str | None,
) -> None:
    guard = a_guard(table) if guarded else None
    handle = DynamoTable(client, NAME, writer)
    handle._register("f")
    before = handle.put("f", kind, "a", b"before") if expect else 0
    with aws.fault(WRITES, times=1, lose_answer=True) as lost:
        assert handle.put("f", kind, "a", b"after", expect=expect, guard=guard) == before + 1
    assert (lost.met, handle.get("f", kind, "a")) == (1, Row("a", before + 1, b"after"))


@pytest.mark.parametrize("guarded", [False, True])
def test_a_removal_whose_answer_is_lost_is_told_as_done(aws: AwsDouble, table: DynamoTable, guarded: bool) -> None:
    guard = a_guard(table) if guarded else None
    table.put("f", "order", "a", b"")
    with aws.fault(WRITES, times=1, lose_answer=True):
        table.remove("f", "order", "a", guard=guard)
    assert table.get("f", "order", "a") is None


def test_an_entry_whose_answer_is_lost_is_there_once(aws: AwsDouble, table: DynamoTable) -> None:
    with aws.fault(WRITES, times=2, lose_answer=True):
        table.append("f", None, b"once")
    assert [body for _, body in table.entries("f", None, 9)] == [b"once"]


@pytest.mark.parametrize("guarded", [False, True])
def test_a_write_of_which_nothing_is_ever_heard_is_unknown_and_done_at_most_once(
    aws: AwsDouble, table: DynamoTable, guarded: bool
) -> None:
    guard = a_guard(table) if guarded else None
    with aws.fault("UpdateItem|Transact", lose_answer=True), pytest.raises(Unreadable):
        table.put("f", "order", "a", b"x", guard=guard)
    assert table.get("f", "order", "a") == Row("a", 1, b"x")


@pytest.mark.parametrize("expect", [None, 1])
def test_nobody_says_conflict_when_others_have_written_over_a_write_that_was_lost(
    aws: AwsDouble, client: Any, table: DynamoTable, rival: DynamoTable, expect: int | None
) -> None:
    table.put("f", "order", "a", b"before")
    overwrite = before_second_try(client, "UpdateItem", lambda: rival.put("f", "order", "a", b"theirs"))
    with aws.fault("UpdateItem", times=1, lose_answer=True), overwrite, pytest.raises(Unreadable, match="lost"):
        table.put("f", "order", "a", b"ours", expect=expect)
    assert table.get("f", "order", "a") == Row("a", 3, b"theirs")


def test_a_row_that_was_removed_after_a_lost_write_is_unknown(
    aws: AwsDouble, client: Any, table: DynamoTable, rival: DynamoTable
) -> None:
    table.put("f", "order", "a", b"before")
    remove = before_second_try(client, "UpdateItem", lambda: rival.remove("f", "order", "a"))
    with aws.fault("UpdateItem", times=1, lose_answer=True), remove, pytest.raises(Unreadable, match="lost"):
        table.put("f", "order", "a", b"ours", expect=1)


def test_a_throttled_write_that_another_overtook_is_a_conflict(
    aws: AwsDouble, client: Any, table: DynamoTable, rival: DynamoTable
) -> None:
    table.put("f", "order", "a", b"before")
    overtake = before_second_try(client, "UpdateItem", lambda: rival.put("f", "order", "a", b"theirs"))
    throttle = aws.fault("UpdateItem", times=1, status=400, code="ProvisionedThroughputExceededException")
    with throttle, overtake, pytest.raises(Conflict):
        table.put("f", "order", "a", b"ours", expect=1)
    assert table.get("f", "order", "a") == Row("a", 2, b"theirs")


def test_an_unconditional_write_that_another_overtook_goes_on_top(
    table: DynamoTable, rival: DynamoTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_a_rival_after_the_look(table, monkeypatch, lambda: rival.put("f", "order", "a", b"theirs"))
    assert table.put("f", "order", "a", b"ours") == 2


def test_a_fenced_write_that_went_through_before_the_lease_was_lost_is_told_as_written(
    aws: AwsDouble, client: Any, table: DynamoTable, rival: DynamoTable
) -> None:
    guard = a_guard(table)
    take = before_second_try(client, "TransactWriteItems", lambda: rival.put("f", "lease", "f", b"theirs"))
    with aws.fault("Transact", times=1, lose_answer=True), take:
        assert table.put("f", "order", "a", b"ours", guard=guard) == 1
    with pytest.raises(LostLease):
        table.put("f", "order", "a", b"ours", guard=guard)


def test_a_fenced_removal_that_went_through_before_the_lease_was_lost_is_told_as_done(
    aws: AwsDouble, client: Any, table: DynamoTable, rival: DynamoTable
) -> None:
    guard = a_guard(table)
    table.put("f", "order", "a", b"")
    take = before_second_try(client, "TransactWriteItems", lambda: rival.put("f", "lease", "f", b"theirs"))
    with aws.fault("Transact", times=1, lose_answer=True), take:
        table.remove("f", "order", "a", guard=guard)
    assert table.get("f", "order", "a") is None


@pytest.mark.parametrize("guarded", [False, True])
def test_a_row_made_anew_after_a_lost_removal_stays(
    aws: AwsDouble, client: Any, table: DynamoTable, rival: DynamoTable, guarded: bool
) -> None:
    guard = a_guard(table) if guarded else None
    table.put("f", "order", "a", b"old")
    operation = "TransactWriteItems" if guarded else "DeleteItem"
    anew = before_second_try(client, operation, lambda: rival.put("f", "order", "a", b"new", expect=0))
    with aws.fault(operation, times=1, lose_answer=True), anew:
        table.remove("f", "order", "a", guard=guard)
    assert table.get("f", "order", "a") == Row("a", 1, b"new")


def test_a_row_that_was_written_between_look_and_removal_is_removed(
    table: DynamoTable, rival: DynamoTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.put("f", "order", "a", b"old")
    _with_a_rival_after_the_look(table, monkeypatch, lambda: rival.put("f", "order", "a", b"theirs"))
    table.remove("f", "order", "a")
    assert rival.get("f", "order", "a") is None


# ---- an AWS that is busy or broken ---------------------------------------------------------------


@pytest.mark.parametrize(("status", "code"), [(400, "ThrottlingException"), (500, "InternalServerError")])
def test_two_refusals_are_ridden_out_and_written_once(
    aws: AwsDouble, table: DynamoTable, status: int, code: str
) -> None:
    guard = a_guard(table)
    for operation, with_guard in (("UpdateItem", None), ("Transact", guard)):
        with aws.fault(operation, times=2, status=status, code=code):
            version = table.put("f", "order", operation, b"x", expect=0, guard=with_guard)
        assert (version, table.get("f", "order", operation)) == (1, Row(operation, 1, b"x"))


READS: dict[str, Callable[[DynamoTable], object]] = {
    "GetItem": lambda table: table.get("f", "order", "a"),
    "BatchGetItem": lambda table: table.get_many("f", "order", ["a"]),
    "Query": lambda table: table.get("f", "report", "a"),
    "Query of a scan": lambda table: table.scan("f", ["order"]),
    "Query of the newest": lambda table: table.newest("f", "order", "", 1),
    "Query of the journal": lambda table: table.entries("f", None, 1),
    "Query of fleets": lambda table: table.fleets(),
}


@pytest.mark.parametrize("what", READS)
def test_a_read_that_is_not_answered_is_unreadable_and_never_empty(
    aws: AwsDouble, table: DynamoTable, what: str
) -> None:
    table.put("f", "order", "a", b"")
    with aws.fault(what.split()[0], status=500, code="InternalServerError"), pytest.raises(Unreadable):
        READS[what](table)


def test_a_second_page_that_is_not_answered_makes_the_whole_unreadable(
    aws: AwsDouble, table: DynamoTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        table.put("f", "order", f"{number}", b"x" * 300_000)
    standing = Fault("dynamodb.Query", status=500, code="InternalServerError")
    pages = table._query

    def then_broken(*args: Any, **how: Any) -> Iterator[Any]:
        for item in pages(*args, **how):
            if standing not in aws.faults:
                aws.faults.append(standing)
            yield item

    monkeypatch.setattr(table, "_query", then_broken)
    with pytest.raises(Unreadable):
        table.scan("f", ["order"])


def test_a_refused_write_writes_nothing(aws: AwsDouble, table: DynamoTable) -> None:
    with aws.fault(WRITES, status=500, code="InternalServerError"), pytest.raises(Unreadable):
        table.put("f", "order", "a", b"x", expect=0)
    assert table.get("f", "order", "a") is None


class Instead:
    """A client of which one operation answers otherwise at first: with what `answers` yields, while it does."""

    def __init__(self, client: Any, operation: str, answers: Iterator[Callable[..., Any]]) -> None:
        self._client, self._operation, self._answers = client, operation, answers

    def __getattr__(self, name: str) -> Any:
        honest = getattr(self._client, name)
        return next(self._answers, honest) if name == self._operation else honest


def cancelled(*codes: str) -> Callable[..., Any]:
    """A transaction that was cancelled for these reasons: the guard's, the row's."""
    response: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": "cancelled"},
        "CancellationReasons": [{"Code": code} for code in codes],
    }

    def refuse(**_: Any) -> None:
        raise ClientError(response, "TransactWriteItems")

    return refuse


FAILED, BUSY, FINE = "ConditionalCheckFailed", "TransactionConflict", "None"


@pytest.mark.parametrize(
    "reasons", [(BUSY, FINE), (FINE, BUSY), (BUSY, FAILED), (FINE, "ThrottlingError"), ("ThrottlingError", FAILED)]
)
def test_a_transaction_that_another_was_in_the_way_of_is_sent_again(
    client: Any, table: DynamoTable, reasons: tuple[str, str]
) -> None:
    guard = a_guard(table)
    busy = DynamoTable(Instead(client, "transact_write_items", iter([cancelled(*reasons)] * 2)), NAME)
    assert busy.put("f", "order", "a", b"x", expect=0, guard=guard) == 1


def test_a_write_that_a_transaction_is_in_the_way_of_is_sent_again(client: Any) -> None:
    response: Any = {"Error": {"Code": "TransactionConflictException", "Message": "busy"}}

    def refuse(**_: Any) -> None:
        raise ClientError(response, "UpdateItem")

    busy = DynamoTable(Instead(client, "update_item", iter([refuse])), NAME)
    assert busy.put("f", "order", "a", b"x", expect=0) == 1


@pytest.mark.parametrize(
    ("reasons", "told"),
    [
        ((FAILED, FINE), LostLease),
        ((FAILED, FAILED), LostLease),
        ((FAILED, BUSY), LostLease),
        ((FINE, FAILED), Conflict),
        ((FINE, "ValidationError"), Unreadable),
        ((), Unreadable),
    ],
)
def test_a_cancelled_transaction_is_told_by_its_reasons(
    client: Any, table: DynamoTable, reasons: tuple[str, ...], told: type[SteadyError]
) -> None:
    guard = a_guard(table)
    refused = DynamoTable(Instead(client, "transact_write_items", iter([cancelled(*reasons)])), NAME)
    with pytest.raises(SteadyError) as raised:
        refused.put("f", "order", "a", b"x", expect=0, guard=guard)
    assert type(raised.value) is told


def test_others_that_are_always_in_the_way_make_it_unreadable_not_stuck(client: Any, table: DynamoTable) -> None:
    guard = a_guard(table)
    always = iter([cancelled(BUSY, FINE)] * len(PAUSES))
    with pytest.raises(Unreadable, match="other writes"):
        DynamoTable(Instead(client, "transact_write_items", always), NAME).put("f", "order", "a", b"", guard=guard)


def test_keys_that_a_batch_left_out_are_asked_for_again(client: Any, table: DynamoTable) -> None:
    def three_at_a_time(RequestItems: Any) -> Any:  # noqa: N803
        keys = RequestItems[NAME]["Keys"]
        assert RequestItems[NAME]["ConsistentRead"]
        answer = client.batch_get_item(RequestItems={NAME: {"Keys": keys[:3], "ConsistentRead": True}})
        answer["UnprocessedKeys"] = {NAME: {"Keys": keys[3:], "ConsistentRead": True}} if keys[3:] else {}
        return answer

    names = [f"{number:02d}" for number in range(30)]
    for name in names:
        table.put("f", "order", name, b"")
    partial = DynamoTable(Instead(client, "batch_get_item", iter([three_at_a_time] * 10)), NAME)
    assert sorted(row.name for row in partial.get_many("f", "order", names)) == names


def test_keys_that_are_left_out_for_ever_make_it_unreadable(client: Any) -> None:
    def none(RequestItems: Any) -> Any:  # noqa: N803
        return {"Responses": {}, "UnprocessedKeys": RequestItems}

    stuck = DynamoTable(Instead(client, "batch_get_item", iter([none] * 100)), NAME)
    with pytest.raises(Unreadable, match="unread"):
        stuck.get_many("f", "order", ["a"])

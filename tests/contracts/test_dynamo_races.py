"""Many writers of one DynamoDB table at once, in fair weather and foul."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.retries.standard import ExponentialBackoff

from lifecycle.adapters.aws.table import DynamoTable
from lifecycle.model.errors import Conflict, LostLease, Unreadable
from lifecycle.ports.tracker import Guard, Row
from tests.contracts.dynamo import NAME, made
from tests.doubles.aws import AwsDouble, Fault

WRITES = "UpdateItem|TransactWriteItems"
WEATHER = (
    {"lose_answer": True},
    {"status": 400, "code": "ThrottlingException"},
    {"status": 500, "code": "InternalServerError"},
)


@pytest.fixture
def open_table(aws: AwsDouble, monkeypatch: pytest.MonkeyPatch) -> Callable[[], DynamoTable]:
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0.01)
    client = made(aws)
    return lambda: DynamoTable(client, NAME)


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What so many threads give back that begin at the same time."""
    line = threading.Barrier(count)

    def begin(number: int) -> Any:
        line.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


@contextmanager
def foul_weather(aws: AwsDouble) -> Iterator[list[Fault]]:
    """Now and then a write is throttled, fails, or its answer is lost; at most one such fault is in store."""
    over, met, choose = threading.Event(), [], random.Random(7)

    def blow() -> None:
        while not over.wait(choose.uniform(0.0, 0.03)):
            if met and not met[-1].met:
                continue
            fault = Fault(WRITES, times=1, **choose.choice(WEATHER))
            aws.faults.append(fault)
            met.append(fault)

    blowing = threading.Thread(target=blow)
    blowing.start()
    try:
        yield met
    finally:
        over.set()
        blowing.join()
        aws.faults.clear()


def claims(table: DynamoTable, me: int, count: int) -> list[int]:
    """The keys that this one won. What it cannot know it looks up."""
    won = []
    for key in range(count):
        try:
            table.put("f", "claim", f"{key:02d}", b"%d" % me, expect=0)
            won.append(key)
        except Conflict:
            pass
        except Unreadable:
            row = table.get("f", "claim", f"{key:02d}")
            won += [key] if row and row.body == b"%d" % me else []
    return won


def marks(table: DynamoTable, me: int, count: int, guard: Guard | None = None) -> None:
    """Adds so many marks of its own to a list that all share, each once."""
    for number in range(count):
        mark = f"{me}.{number}"
        while not _marked(table, mark, guard):
            pass


def _marked(table: DynamoTable, mark: str, guard: Guard | None) -> bool:
    try:
        row = table.get("f", "sum", "all")
        told, version = (json.loads(row.body), row.version) if row else ([], 0)
        if mark in told:
            return True
        table.put("f", "sum", "all", json.dumps([*told, mark]).encode(), expect=version, guard=guard)
    except Conflict:
        assert mark not in json.loads(table.get("f", "sum", "all").body), "a wrong Conflict"
        return False
    except Unreadable:
        return False
    return True


def all_marks(writers: int, count: int) -> list[str]:
    return sorted(f"{me}.{number}" for me in range(writers) for number in range(count))


@pytest.mark.parametrize("shared", [True, False], ids=["one handle", "a handle each"])
def test_each_key_has_one_winner_among_eight_threads(open_table: Callable[[], DynamoTable], shared: bool) -> None:
    one = open_table()
    won = together(8, lambda me: claims(one if shared else open_table(), me, 12))
    assert sorted(key for keys in won for key in keys) == list(range(12))
    for me, keys in enumerate(won):
        assert all(one.get("f", "claim", f"{key:02d}") == Row(f"{key:02d}", 1, b"%d" % me) for key in keys)


def test_each_key_has_one_winner_in_foul_weather(aws: AwsDouble, open_table: Callable[[], DynamoTable]) -> None:
    with foul_weather(aws) as faults:
        won = together(6, lambda me: claims(open_table(), me, 20))
    rows = [open_table().get("f", "claim", f"{key:02d}") for key in range(20)]
    held = [[key for key, row in enumerate(rows) if row and row.body == b"%d" % me] for me in range(6)]
    assert sorted(key for keys in held for key in keys) == list(range(20))
    assert all(set(keys) <= set(held[me]) for me, keys in enumerate(won)), "two of them won one key"
    assert sum(fault.met for fault in faults) > 5


@pytest.mark.parametrize("guarded", [False, True])
def test_every_mark_of_six_threads_is_kept_once_in_foul_weather(
    aws: AwsDouble, open_table: Callable[[], DynamoTable], guarded: bool
) -> None:
    table = open_table()
    guard = Guard("lease", "f", table.put("f", "lease", "f", b"")) if guarded else None
    with foul_weather(aws) as faults:
        together(6, lambda me: marks(open_table(), me, 8, guard))
    row = table.get("f", "sum", "all")
    assert sorted(json.loads(row.body)) == all_marks(6, 8)
    assert row.version == 48
    assert sum(fault.met for fault in faults if fault.lose_answer) > 3


def test_unconditional_writes_of_many_threads_all_count(open_table: Callable[[], DynamoTable]) -> None:
    table = open_table()
    versions = together(6, lambda me: [table.put("f", "tick", "f", b"%d" % me) for _ in range(5)])
    assert sorted(version for each in versions for version in each) == list(range(1, 31))


def test_nothing_is_written_under_an_overtaken_guard_while_others_take_the_lease(
    open_table: Callable[[], DynamoTable],
) -> None:
    """Two fenced writers, each again and again with a fresh lease: a written row has its writer's lease."""
    table = open_table()

    def work(me: int) -> int:
        mine, written = open_table(), 0
        for _ in range(25):
            guard = Guard("lease", "f", mine.put("f", "lease", "f", b"%d" % me))
            try:
                mine.put("f", "fenced", f"{guard.version:03d}", b"%d" % me, expect=0, guard=guard)
                written += 1
            except LostLease:
                pass
        return written

    assert sum(together(3, work)) == len(table.newest("f", "fenced", "", 99))
    assert table.get("f", "lease", "f").version == 75


def test_entries_of_many_threads_are_all_kept_each_handle_in_its_order(
    open_table: Callable[[], DynamoTable],
) -> None:
    table = open_table()
    together(5, lambda me: [table.append("f", None, b"%d.%03d" % (me, number)) for number in range(20)])
    told = [body.decode() for _, body in table.entries("f", None, 200)]
    assert sorted(told) == sorted(f"{me}.{number:03d}" for me in range(5) for number in range(20))
    for me in range(5):
        own = [body for body in told if body.startswith(f"{me}.")]
        assert own == sorted(own)


RIVAL = """
import sys
from lifecycle.adapters.aws.session import Session
from lifecycle.adapters.aws.table import DynamoTable
from tests.contracts.test_dynamo_races import claims, marks
table = DynamoTable(Session("us-east-1").client("dynamodb"), "steadyfleet")
table.get("f", "claim", "x")
print("ready", flush=True)
sys.stdin.readline()
marks(table, int(sys.argv[1]), 6)
print(*claims(table, int(sys.argv[1]), 15), flush=True)
"""


def test_processes_are_fenced_from_each_other_as_threads_are(
    aws: AwsDouble, open_table: Callable[[], DynamoTable]
) -> None:
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = {**os.environ, **aws.env, "PYTHONPATH": os.pathsep.join(sys.path)}
    begun = [subprocess.Popen([sys.executable, "-c", RIVAL, str(me)], env=environment, **pipes) for me in range(3)]
    try:
        assert [rival.stdout.readline() for rival in begun] == ["ready\n"] * 3
        won = [rival.communicate()[0].split() for rival in _all_told(begun)]
    finally:
        for rival in begun:
            rival.kill()
            rival.communicate()
    assert sorted(int(key) for keys in won for key in keys) == list(range(15))
    row = open_table().get("f", "sum", "all")
    assert (sorted(json.loads(row.body)), row.version) == (all_marks(3, 6), 18)


def _all_told(begun: list[Any]) -> list[Any]:
    """Lets them all go before any is waited for."""
    for rival in begun:
        rival.stdin.write("go\n")
        rival.stdin.flush()
    return begun

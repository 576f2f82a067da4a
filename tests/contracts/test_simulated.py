"""The simulated table and store keep the contracts; and what only they can get wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lifecycle.adapters.simulated.store import MemoryStore
from lifecycle.adapters.simulated.table import MemoryTable, Storage
from lifecycle.adapters.simulated.timeline import Timeline
from lifecycle.ports.checkpoints import ObjectStore
from lifecycle.ports.tracker import Table
from tests.contracts.object_store import ObjectStoreContract
from tests.contracts.table import TableContract


class TestMemoryTable(TableContract):
    @pytest.fixture
    def open_table(self) -> Callable[[], Table]:
        storage = Storage(Timeline())
        return lambda: MemoryTable(storage)


class TestMemoryStore(ObjectStoreContract):
    @pytest.fixture
    def store(self) -> ObjectStore:
        return MemoryStore()

    @pytest.fixture
    def away(self) -> ObjectStore:
        store = MemoryStore()
        store.away = True
        return store

    test_leftovers_end_below_the_prefix_once_they_are_old_enough = None  # a put is whole here, or it never was


def test_what_a_node_writes_is_seen_late_by_others_and_at_once_by_itself() -> None:
    timeline = Timeline()
    storage = Storage(timeline, lag=lambda: 5.0)
    node, controller = MemoryTable(storage, "i-1"), MemoryTable(storage)
    node.put("f", "report", "f/t/0", b"news")
    assert (node.get("f", "report", "f/t/0") is None, controller.get("f", "report", "f/t/0")) == (False, None)
    timeline.run_for(5.0)
    assert [row.writer for row in controller.scan("f", ["report"])["report"]] == ["i-1"]


def test_two_machines_of_a_node_each_have_their_own_report_the_latest_last() -> None:
    storage = Storage(Timeline())
    for writer in ("i-2", "i-1"):
        MemoryTable(storage, writer).put("f", "report", "f/t/0", writer.encode())
    found = MemoryTable(storage).scan("f", ["report"])["report"]
    assert [(row.writer, row.version) for row in found] == [("i-2", 1), ("i-1", 1)]

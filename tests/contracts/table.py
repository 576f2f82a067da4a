"""What every `ports.tracker.Table` promises. A storage proves itself by a subclass with one fixture.

class TestMyTable(TableContract):
    @pytest.fixture
    def open_table(self, ...) -> Callable[[], Table]:
        ...  # each call: another handle on the same, at first empty, storage
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from lifecycle.model.errors import Conflict, LostLease
from lifecycle.ports.tracker import Beside, Guard, Row, Table

OpenTable = Callable[[], Table]


class TableContract:
    """The promises, one by one. Rows are of fleet `f`, kind `order` unless the story needs another."""

    @pytest.fixture
    def table(self, open_table: OpenTable) -> Table:
        return open_table()

    # ---- rows and versions -----------------------------------------------------------------------

    def test_a_row_that_was_never_written_is_none(self, table: Table) -> None:
        assert table.get("f", "order", "a") is None

    def test_a_row_is_read_back_as_it_was_written(self, table: Table) -> None:
        body = '{"what":"größer, 検証"}'.encode()
        version = table.put("f", "order", "f/t/0", body)
        assert table.get("f", "order", "f/t/0") == Row("f/t/0", version, body)

    def test_versions_grow_by_one_with_every_write(self, table: Table) -> None:
        assert [table.put("f", "order", "a", b"x") for _ in range(3)] == [1, 2, 3]

    def test_a_write_is_seen_through_every_other_handle(self, table: Table, open_table: OpenTable) -> None:
        other = open_table()
        assert other.get("f", "order", "a") is None
        table.put("f", "order", "a", b"x")
        assert other.get("f", "order", "a") == Row("a", 1, b"x")

    def test_the_same_name_in_another_fleet_or_kind_is_another_row(self, table: Table) -> None:
        table.put("f", "order", "a", b"mine")
        table.put("g", "order", "a", b"theirs")
        table.put("f", "report", "a", b"other")
        assert table.get("f", "order", "a") == Row("a", 1, b"mine")

    # ---- conditional writes ----------------------------------------------------------------------

    def test_expecting_none_creates(self, table: Table) -> None:
        assert table.put("f", "order", "a", b"x", expect=0) == 1

    def test_expecting_none_where_there_is_one_is_a_conflict_and_writes_nothing(self, table: Table) -> None:
        table.put("f", "order", "a", b"first")
        with pytest.raises(Conflict):
            table.put("f", "order", "a", b"second", expect=0)
        assert table.get("f", "order", "a") == Row("a", 1, b"first")

    def test_expecting_the_version_that_stands_replaces_it(self, table: Table) -> None:
        version = table.put("f", "order", "a", b"first")
        assert table.put("f", "order", "a", b"second", expect=version) == version + 1

    def test_expecting_a_stale_version_is_a_conflict_and_writes_nothing(self, table: Table) -> None:
        stale = table.put("f", "order", "a", b"first")
        table.put("f", "order", "a", b"second")
        with pytest.raises(Conflict):
            table.put("f", "order", "a", b"third", expect=stale)
        assert table.get("f", "order", "a") == Row("a", 2, b"second")

    def test_expecting_a_version_where_there_is_no_row_is_a_conflict(self, table: Table) -> None:
        with pytest.raises(Conflict):
            table.put("f", "order", "a", b"x", expect=1)
        assert table.get("f", "order", "a") is None

    # ---- the fence -------------------------------------------------------------------------------

    def test_a_guard_that_holds_lets_the_write_through(self, table: Table) -> None:
        held = Guard("lease", "f", table.put("f", "lease", "f", b"me"))
        assert table.put("f", "order", "a", b"x", guard=held) == 1

    def test_an_overtaken_guard_is_a_lost_lease_and_writes_nothing(self, table: Table) -> None:
        held = Guard("lease", "f", table.put("f", "lease", "f", b"me"))
        table.put("f", "lease", "f", b"another")
        with pytest.raises(LostLease):
            table.put("f", "order", "a", b"x", guard=held)
        assert table.get("f", "order", "a") is None

    def test_a_guard_whose_row_is_gone_no_longer_holds(self, table: Table) -> None:
        held = Guard("lease", "f", table.put("f", "lease", "f", b"me"))
        table.remove("f", "lease", "f")
        with pytest.raises(LostLease):
            table.put("f", "order", "a", b"x", guard=held)

    def test_a_lost_lease_is_told_before_a_conflict(self, table: Table) -> None:
        table.put("f", "order", "a", b"x")
        with pytest.raises(LostLease):
            table.put("f", "order", "a", b"y", expect=7, guard=Guard("lease", "f", 1))

    def test_an_overtaken_guard_keeps_a_row_from_being_removed(self, table: Table) -> None:
        table.put("f", "order", "a", b"x")
        with pytest.raises(LostLease):
            table.remove("f", "order", "a", guard=Guard("lease", "f", 1))
        assert table.get("f", "order", "a") == Row("a", 1, b"x")

    # ---- two rows in one write -------------------------------------------------------------------

    def test_a_row_is_written_with_another_one_beside_it(self, table: Table) -> None:
        table.put("f", "hold", "b", b"old")
        assert table.put("f", "run", "a", b"x", beside=Beside("hold", "b", b"y")) == 1
        assert (table.get("f", "run", "a"), table.get("f", "hold", "b")) == (
            Row("a", 1, b"x"),
            Row("b", 2, b"y"),
        )

    def test_a_conflict_writes_neither(self, table: Table) -> None:
        with pytest.raises(Conflict):
            table.put("f", "run", "a", b"x", expect=1, beside=Beside("hold", "b", b"y"))
        assert (table.get("f", "run", "a"), table.get("f", "hold", "b")) == (None, None)

    def test_nor_does_a_lost_lease(self, table: Table) -> None:
        with pytest.raises(LostLease):
            table.put("f", "run", "a", b"x", guard=Guard("lease", "f", 1), beside=Beside("hold", "b", b"y"))
        assert (table.get("f", "run", "a"), table.get("f", "hold", "b")) == (None, None)

    def test_a_guard_that_holds_lets_both_through(self, table: Table) -> None:
        held = Guard("lease", "f", table.put("f", "lease", "f", b"me"))
        table.put("f", "run", "a", b"x", guard=held, beside=Beside("hold", "b", b"y"))
        assert (table.get("f", "run", "a"), table.get("f", "hold", "b")) == (
            Row("a", 1, b"x"),
            Row("b", 1, b"y"),
        )

    # ---- removing --------------------------------------------------------------------------------

    def test_a_removed_row_is_gone(self, table: Table) -> None:
        table.put("f", "order", "a", b"x")
        table.remove("f", "order", "a")
        assert table.get("f", "order", "a") is None

    def test_removing_what_is_not_there_is_fine(self, table: Table) -> None:
        table.remove("f", "order", "a")

    def test_a_guard_that_holds_lets_a_row_be_removed(self, table: Table) -> None:
        held = Guard("lease", "f", table.put("f", "lease", "f", b"me"))
        table.put("f", "order", "a", b"x")
        table.remove("f", "order", "a", guard=held)
        assert table.get("f", "order", "a") is None

    def test_a_refused_write_does_not_stand_in_the_way_of_the_next(self, table: Table) -> None:
        with pytest.raises(Conflict):
            table.put("f", "order", "a", b"x", expect=1)
        assert table.put("f", "order", "a", b"x", expect=0) == 1

    def test_of_what_is_overshadowed_the_row_itself_is_none(self, table: Table) -> None:
        for name in ("a", "b"):
            table.put("f", "report", name, b"x")
        assert table.drop_overshadowed("f", "report", 0.0) == 0
        assert [row.name for row in table.scan("f", ["report"])["report"]] == ["a", "b"]

    # ---- reading many ----------------------------------------------------------------------------

    def test_get_many_gives_the_rows_that_exist(self, table: Table) -> None:
        for name in "abc":
            table.put("f", "order", name, name.encode())
        found = table.get_many("f", "order", {"a", "c", "missing"})
        assert sorted(found) == [Row("a", 1, b"a"), Row("c", 1, b"c")]

    def test_get_many_of_no_names_is_nothing(self, table: Table) -> None:
        table.put("f", "order", "a", b"x")
        assert list(table.get_many("f", "order", [])) == []

    def test_a_scan_gives_every_asked_for_kind_sorted_by_name(self, table: Table) -> None:
        for kind, name in (("order", "b"), ("report", "z"), ("order", "a"), ("run", "x")):
            table.put("f", kind, name, b"")
        found = table.scan("f", ("order", "report", "hold"))
        names = {kind: [row.name for row in rows] for kind, rows in found.items()}
        assert names == {"order": ["a", "b"], "report": ["z"], "hold": []}

    def test_a_scan_never_shows_a_report_without_its_order(self, table: Table, open_table: OpenTable) -> None:
        """An order is always written before its report; the first page is full without either."""
        for number in range(30):
            table.put("f", "order", f"before-{number}", b"x" * 30_000)
        with Writing(open_table, ("order", "report")) as rounds:
            while rounds.done < 40:
                order, report = last_versions(table)
                assert report <= order

    def test_newest_is_by_name_greatest_first_and_at_most_the_limit(self, table: Table) -> None:
        for name in ("r/000002", "r/000010", "r/000001"):
            table.put("f", "attempt", name, b"")
        found = table.newest("f", "attempt", "r/", 2)
        assert [row.name for row in found] == ["r/000010", "r/000002"]

    @pytest.mark.parametrize("neighbour", ["a", "a-/1", "a.1", "a0/1", "a0", "b/1", "A/1", "aa/1"])
    def test_newest_never_reaches_over_the_edge_of_its_prefix(self, table: Table, neighbour: str) -> None:
        table.put("f", "attempt", neighbour, b"theirs")
        table.put("f", "attempt", "a/1", b"mine")
        assert [row.name for row in table.newest("f", "attempt", "a/", 10)] == ["a/1"]

    def test_newest_reads_any_text_after_the_prefix(self, table: Table) -> None:
        for name in ("a/é", "a/\U0001f600", "a/~"):
            table.put("f", "attempt", name, b"")
        assert [row.name for row in table.newest("f", "attempt", "a/", 10)] == ["a/\U0001f600", "a/é", "a/~"]

    def test_newest_knows_its_fleet_and_its_kind(self, table: Table) -> None:
        table.put("g", "attempt", "a/1", b"")
        table.put("f", "receipt", "a/1", b"")
        assert list(table.newest("f", "attempt", "a/", 10)) == []

    # ---- the journal -----------------------------------------------------------------------------

    def test_the_journal_is_read_oldest_first(self, table: Table) -> None:
        for number in range(3):
            table.append("f", None, b"%d" % number)
        assert [body for _, body in table.entries("f", None, 10)] == [b"0", b"1", b"2"]

    def test_a_limit_gives_the_last_entries(self, table: Table) -> None:
        for number in range(5):
            table.append("f", None, b"%d" % number)
        assert [body for _, body in table.entries("f", None, 2)] == [b"3", b"4"]

    def test_entries_of_a_node_are_its_own_only(self, table: Table) -> None:
        for node in ("f/t/0", "f/t/1", None, "f/t/0"):
            table.append("f", node, f"{node}".encode())
        assert [body for _, body in table.entries("f", "f/t/0", 10)] == [b"f/t/0", b"f/t/0"]

    def test_entries_of_the_fleet_are_those_of_all_its_nodes(self, table: Table) -> None:
        table.append("f", "f/t/0", b"node")
        table.append("f", None, b"fleet")
        table.append("g", None, b"another")
        assert [body for _, body in table.entries("f", None, 10)] == [b"node", b"fleet"]

    def test_after_a_place_only_what_came_later_is_given(self, table: Table) -> None:
        table.append("f", None, b"old")
        ((place, _),) = table.entries("f", None, 10)
        table.append("f", None, b"new")
        assert [body for _, body in table.entries("f", None, 10, after=place)] == [b"new"]

    def test_places_sort_as_the_entries_do(self, table: Table) -> None:
        for number in range(12):
            table.append("f", None, b"%d" % number)
        places = [place for place, _ in table.entries("f", None, 20)]
        assert places == sorted(set(places))

    def test_equal_entries_are_all_kept(self, table: Table) -> None:
        table.append("f", None, b"same")
        table.append("f", None, b"same")
        assert len(table.entries("f", None, 10)) == 2

    # ---- fleets ----------------------------------------------------------------------------------

    def test_fleets_are_those_that_have_rows_sorted(self, table: Table) -> None:
        for fleet in ("zebra", "ant", "zebra"):
            table.put(fleet, "spec", fleet, b"")
        assert list(table.fleets()) == ["ant", "zebra"]

    def test_a_fleet_whose_last_row_went_is_gone(self, table: Table) -> None:
        table.put("f", "spec", "f", b"")
        table.remove("f", "spec", "f")
        assert list(table.fleets()) == []


def last_versions(table: Table) -> tuple[int, int]:
    """Of the order and the report that `Writing` writes, as one scan shows them; 0: not there."""
    found = table.scan("f", ("order", "report"))
    order, report = (
        [row.version for row in found[kind] if row.name == "last"] or [0] for kind in ("order", "report")
    )
    return order[0], report[0]


class Writing:
    """Somebody else writes one row of each kind, in this order, over and over."""

    def __init__(self, open_table: OpenTable, kinds: tuple[str, ...]) -> None:
        self._open, self._kinds = open_table, kinds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self.done = 0

    def _work(self) -> None:
        table = self._open()
        while not self._stop.is_set():
            for kind in self._kinds:
                table.put("f", kind, "last", b"")
            self.done += 1

    def __enter__(self) -> Writing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

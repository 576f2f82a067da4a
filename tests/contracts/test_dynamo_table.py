"""The tracker's table in DynamoDB keeps the contract, for controllers and for nodes, and through faults."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.adapters.aws import writes
from lifecycle.adapters.aws.items import exactly
from lifecycle.adapters.aws.session import Session
from lifecycle.adapters.aws.table import DynamoTable
from lifecycle.model.errors import Conflict, LeaseHeld, LostLease, NotAuthorised, StateUnusable, SteadyError
from lifecycle.ports.tracker import Guard, Row, Table
from lifecycle.system.processes import myself
from lifecycle.tracker.controller import ControllerTracker
from lifecycle.tracker.lease import LEASE_SECONDS, Leases
from lifecycle.tracker.node import NodeTracker
from tests.builders import NODE, RUN, a_receipt, a_report, an_attempt, an_idle_report, an_incarnation
from tests.contracts.dynamo import ANOTHER, MACHINE, NAME, NodesKinds, made
from tests.contracts.table import OpenTable, TableContract
from tests.doubles.aws import REGION, AwsDouble
from tests.unit.agent.doubles import HandClock

ID, OTHER_ID = (arn.rpartition("/")[2] for arn in (MACHINE, ANOTHER))


@pytest.fixture
def client(aws: AwsDouble) -> Any:
    return made(aws)


@pytest.fixture
def table(client: Any) -> DynamoTable:
    return DynamoTable(client, NAME)


@pytest.fixture
def node(client: Any) -> DynamoTable:
    return DynamoTable(client, NAME, writer=MACHINE)


@pytest.fixture
def another(client: Any) -> DynamoTable:
    return DynamoTable(client, NAME, writer=ANOTHER)


def items(client: Any) -> list[dict[str, str]]:
    """Everything in the table, attributes by name."""
    pages = client.get_paginator("scan").paginate(TableName=NAME)
    found = [item for page in pages for item in page["Items"]]
    return [{name: next(iter(value.values())) for name, value in item.items()} for item in found]


# ---- the contract --------------------------------------------------------------------------------


class TestDynamoTable(TableContract):
    @pytest.fixture
    def open_table(self, client: Any) -> OpenTable:
        return lambda: DynamoTable(client, NAME)


class TestNodesKindsThroughTheController(TableContract):
    @pytest.fixture
    def open_table(self, client: Any) -> OpenTable:
        return lambda: NodesKinds(lambda _: DynamoTable(client, NAME))

    def test_a_scan_never_shows_a_report_without_its_order(self, table: Table, open_table: OpenTable) -> None:
        """Both would be nodes' rows here: told in TestDynamoTable."""


class TestNodesKindsThroughANode(TestNodesKindsThroughTheController):
    """A machine is of one fleet for as long as it lives."""

    @pytest.fixture
    def open_table(self, client: Any) -> OpenTable:
        def handle(fleet: str) -> Table:
            return DynamoTable(client, NAME, writer=f"{MACHINE}-{fleet}")

        for fleet in ("ant", "zebra"):
            DynamoTable(client, NAME)._register(fleet)
        return lambda: NodesKinds(handle)

    def test_fleets_are_those_that_have_rows_sorted(self, table: Table) -> None:
        """The controller named them; the rows are of nodes."""
        for fleet in ("zebra", "ant"):
            table.put(fleet, "report", fleet, b"")
        assert list(table.fleets()) == ["ant", "zebra"]


# ---- who writes where ----------------------------------------------------------------------------


def test_the_past_of_a_fleet_is_what_nodes_and_controller_wrote(client: Any, node: DynamoTable) -> None:
    tracker, agent = ControllerTracker(DynamoTable(client, NAME)), NodeTracker(node, NODE)
    tracker.give_out("f", an_attempt(), None)
    tracker.claim_incarnation("f", an_incarnation(), None)
    agent.receive(a_receipt(20))
    agent.receive(a_receipt(100))
    past = tracker.past("f")
    assert (past.attempts, past.claims) == ({RUN: (an_attempt(),)}, {NODE: (an_incarnation(),)})
    assert past.receipts == {RUN: (a_receipt(20), a_receipt(100))}


def test_a_node_writes_only_into_its_own_partition(client: Any, node: DynamoTable) -> None:
    agent = NodeTracker(node, NODE)
    agent.report(a_report())
    agent.report(a_report())
    agent.receive(a_receipt())
    node.append("f", NODE, b"started")
    node.append("f", None, b"of the fleet")
    node.remove("f", "report", NODE)
    assert {item["pk"] for item in items(client)} == {f"node#{MACHINE}"}


def test_the_controller_writes_its_rows_into_its_fleets_partition(client: Any, table: DynamoTable) -> None:
    table.put("f", "order", NODE, b"")
    table.append("f", NODE, b"")
    assert {item["pk"] for item in items(client)} == {"fleet#f", "journal#f", "fleets"}


def test_only_what_nodes_write_is_listed_by_fleet(client: Any, table: DynamoTable, node: DynamoTable) -> None:
    table.put("f", "order", NODE, b"")
    table.append("f", NODE, b"")
    node.put("f", "report", NODE, b"")
    node.append("f", NODE, b"")
    assert {item["pk"] for item in items(client) if "f" in item} == {f"node#{MACHINE}"}


def test_what_a_node_writes_the_controller_reads(table: DynamoTable, node: DynamoTable) -> None:
    agent, told = NodeTracker(node, NODE), a_report(instance=ID)
    agent.report(told)
    agent.receive(a_receipt())
    controller = ControllerTracker(table)
    assert controller.observe("f").reports == {NODE: told}
    assert controller.receipts("f", RUN, 10) == (a_receipt(),)


def test_a_repeated_receipt_is_one_row_of_one_version(client: Any, node: DynamoTable) -> None:
    for _ in range(3):
        NodeTracker(node, NODE).receive(a_receipt())
    assert [(item["v"], item["pk"]) for item in items(client)] == [("1", f"node#{MACHINE}")]


def test_pruning_writes_the_nodes_row_where_it_lies(client: Any, table: DynamoTable, node: DynamoTable) -> None:
    NodeTracker(node, NODE).receive(a_receipt())
    guard = Guard("lease", "f", table.put("f", "lease", "f", b"me"))
    ControllerTracker(table).mark_pruned("f", a_receipt(), guard)
    assert ControllerTracker(table).receipts("f", RUN, 10) == (a_receipt(pruned=True),)
    assert [i["pk"] for i in items(client) if i["sk"].startswith("receipt#")] == [f"node#{MACHINE}"]


def test_of_two_machines_in_one_node_each_is_heard(
    table: DynamoTable, node: DynamoTable, another: DynamoTable
) -> None:
    mine, its = a_report(instance=ID), an_idle_report(instance=OTHER_ID)
    for writer, report in ((node, mine), (another, its), (node, mine)):
        NodeTracker(writer, NODE).report(report)
    seen = ControllerTracker(table).observe("f")
    assert (seen.reports, seen.heard) == ({NODE: mine}, {ID: mine, OTHER_ID: its})


def test_a_machine_that_speaks_for_another_is_not_heard(
    table: DynamoTable, node: DynamoTable, another: DynamoTable
) -> None:
    NodeTracker(node, NODE).report(a_report(instance=ID))
    NodeTracker(another, NODE).report(an_idle_report(instance=ID))
    assert ControllerTracker(table).observe("f").heard == {ID: a_report(instance=ID)}


def test_of_two_machines_under_one_name_the_latest_word_counts(
    table: DynamoTable, node: DynamoTable, another: DynamoTable
) -> None:
    for writer, said in ((node, b"first"), (another, b"second"), (node, b"third")):
        writer.put("f", "report", NODE, said)
        assert table.get("f", "report", NODE).body == said
    assert [row.body for row in table.scan("f", ["report"])["report"]] == [b"second", b"third"]
    assert [row.body for row in table.newest("f", "report", "", 5)] == [b"third"]


def test_a_new_machine_reads_its_predecessors_last_report(node: DynamoTable, another: DynamoTable) -> None:
    NodeTracker(node, NODE).report(a_report())
    assert NodeTracker(another, NODE).last_report() == a_report()


def test_a_row_that_two_machines_wrote_is_removed_whole(
    table: DynamoTable, node: DynamoTable, another: DynamoTable
) -> None:
    for writer in (node, another):
        writer.put("f", "report", NODE, b"")
    table.remove("f", "report", NODE)
    assert table.get("f", "report", NODE) is None


def reported(monkeypatch: pytest.MonkeyPatch, *said: tuple[DynamoTable, float]) -> None:
    """Each of these machines reports of the node, so many seconds after the beginning."""
    for writer, at in said:
        monkeypatch.setattr(writes, "moment", lambda at=at: 10**18 + int(at * 1e9))
        writer.put("f", "report", NODE, b"%d" % at)
        writer.put("f", "receipt", NODE, b"%d" % at)


def test_what_a_machine_long_gone_reported_is_dropped_and_its_receipts_stay(
    client: Any, table: DynamoTable, node: DynamoTable, another: DynamoTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported(monkeypatch, (node, 0), (another, 86401))
    assert [table.drop_overshadowed("f", "report", 86400.0) for _ in range(2)] == [1, 0]
    assert table.get("f", "report", NODE).body == b"86401"
    left = [(item["pk"], item["sk"]) for item in items(client) if item["pk"].startswith("node#")]
    assert [each for each in left if each[0] == f"node#{MACHINE}"] == [(f"node#{MACHINE}", f"receipt#{NODE}")]


def test_what_a_machine_reported_a_moment_ago_is_not_dropped(
    client: Any, table: DynamoTable, node: DynamoTable, another: DynamoTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported(monkeypatch, (node, 0), (another, 86399))
    assert table.drop_overshadowed("f", "report", 86400.0) == 0
    assert len([item for item in items(client) if item["sk"] == f"report#{NODE}"]) == 2


def test_a_machine_that_reports_again_meanwhile_keeps_its_report(
    table: DynamoTable, node: DynamoTable, another: DynamoTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported(monkeypatch, (node, 0), (another, 100))
    seen = list(table._copies("f", exactly(f"report#{NODE}")))
    reported(monkeypatch, (node, 200))
    monkeypatch.setattr(DynamoTable, "_copies", lambda *_: seen)
    table.drop_overshadowed("f", "report", 50.0)
    monkeypatch.undo()
    assert table.get("f", "report", NODE).body == b"200"


def test_an_overtaken_controller_drops_no_report(
    client: Any, table: DynamoTable, node: DynamoTable, another: DynamoTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported(monkeypatch, (node, 0), (another, 100))
    with pytest.raises(LostLease):
        table.drop_overshadowed("f", "report", 50.0, guard=Guard("lease", "f", 7))
    assert len([item for item in items(client) if item["sk"] == f"report#{NODE}"]) == 2


def test_newest_counts_names_and_not_machines(table: DynamoTable, node: DynamoTable, another: DynamoTable) -> None:
    for name in "abc":
        for writer in (node, another):
            writer.put("f", "receipt", name, b"")
    assert [row.name for row in table.newest("f", "receipt", "", 2)] == ["c", "b"]


def test_a_handle_sees_its_own_rows_while_the_index_lags(
    node: DynamoTable, table: DynamoTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_index(monkeypatch)
    for handle in (node, table):
        handle.put("f", "report", NODE, b"x")
        handle.append("f", NODE, b"said")
        assert handle.get("f", "report", NODE) == Row(NODE, 1, b"x")
        assert [body for _, body in handle.entries("f", None, 5)] == [b"said"]


def test_what_others_wrote_is_missing_while_the_index_lags_and_nothing_else(
    node: DynamoTable, table: DynamoTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    _without_index(monkeypatch)
    node.put("f", "report", NODE, b"x")
    table.put("f", "order", NODE, b"x")
    found = table.scan("f", ["order", "report"])
    assert {kind: len(rows) for kind, rows in found.items()} == {"order": 1, "report": 0}


def _without_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if nothing had reached the indexes yet."""
    ask = DynamoTable._query

    def lagging(self: DynamoTable, index: str | None, *args: Any, **how: Any) -> Any:
        return iter(()) if index else ask(self, index, *args, **how)

    monkeypatch.setattr(DynamoTable, "_query", lagging)


def test_journals_of_controller_and_nodes_are_one_in_order(
    table: DynamoTable, node: DynamoTable, another: DynamoTable
) -> None:
    for number in range(9):
        (table, node, another)[number % 3].append("f", (NODE, None)[number % 2], b"%d" % number)
    bodies = [b"%d" % number for number in range(9)]
    told = table.entries("f", None, 9)
    assert [body for _, body in told] == bodies
    assert [body for _, body in table.entries("f", None, 4)] == bodies[-4:]
    assert [body for _, body in table.entries("f", None, 9, after=told[5][0])] == bodies[6:]
    assert [body for _, body in table.entries("f", NODE, 9, after=told[3][0])] == [b"4", b"6", b"8"]


def test_a_nodes_own_entries_for_another_fleet_are_not_told_in_this_one(node: DynamoTable) -> None:
    node.append("g", None, b"theirs")
    node.append("f", None, b"ours")
    assert [body for _, body in node.entries("f", None, 5)] == [b"ours"]


def test_a_scan_reads_the_nodes_kinds_before_what_caused_them(
    table: DynamoTable, node: DynamoTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An order and its report are written between the reading of two kinds."""
    rows, due = table._all, iter([True])

    def then_written(*args: Any, **how: Any) -> Any:
        found = list(rows(*args, **how))
        if next(due, False):
            table.put("f", "order", NODE, b"")
            node.put("f", "report", NODE, b"")
        return iter(found)

    monkeypatch.setattr(table, "_all", then_written)
    found = table.scan("f", ["order", "report"])
    assert {kind: len(rows) for kind, rows in found.items()} == {"order": 1, "report": 0}


def test_a_clock_that_is_set_back_moves_no_entry(table: DynamoTable, monkeypatch: pytest.MonkeyPatch) -> None:
    table.append("f", None, b"before")
    monkeypatch.setattr("time.time_ns", lambda: 1_000)
    table.append("f", None, b"after")
    assert [body for _, body in table.entries("f", None, 5)] == [b"before", b"after"]


def test_a_fleet_of_which_only_a_node_has_rows_is_listed(table: DynamoTable, node: DynamoTable) -> None:
    table.put("f", "order", NODE, b"")
    node.put("f", "report", NODE, b"")
    table.remove("f", "order", NODE)
    assert list(table.fleets()) == ["f"]


def test_a_fleet_with_a_journal_alone_is_not_listed(table: DynamoTable, node: DynamoTable) -> None:
    table.put("f", "order", NODE, b"")
    table.remove("f", "order", NODE)
    table.append("f", None, b"")
    node.append("f", None, b"")
    assert list(table.fleets()) == []


def test_a_fleet_is_named_once_by_a_handle(aws: AwsDouble, table: DynamoTable) -> None:
    for name in "abc":
        table.put("f", "order", name, b"", expect=0)
    assert aws.calls["dynamodb.PutItem"] == 1


# ---- leases --------------------------------------------------------------------------------------


def leases(client: Any, clock: HandClock, who: str) -> tuple[DynamoTable, Leases]:
    table = DynamoTable(client, NAME)
    return table, Leases(table, clock, host=who, process=myself(), who=who)


def test_a_lease_is_held_by_one_of_two_controllers(client: Any) -> None:
    clock = HandClock()
    (table, mine), (_, theirs) = leases(client, clock, "ann"), leases(client, clock, "bob")
    with mine.held("f") as guard:
        with pytest.raises(LeaseHeld, match="ann is acting"), theirs.held("f"):
            pass
        assert table.put("f", "order", NODE, b"", guard=guard) == 1
    with theirs.held("f") as guard:
        assert guard.version == 3


def test_an_overtaken_controller_writes_nothing_more(client: Any) -> None:
    clock = HandClock()
    (table, mine), (rival, theirs) = leases(client, clock, "ann"), leases(client, clock, "bob")
    with mine.held("f") as stale:
        table.put("f", "order", NODE, b"ann's", guard=stale)
        clock.sleep(LEASE_SECONDS + 1)
        with theirs.held("f") as fresh:
            rival.put("f", "order", NODE, b"bob's", guard=fresh)
            with pytest.raises(LostLease):
                table.put("f", "order", NODE, b"late", guard=stale)
            with pytest.raises(LostLease):
                table.remove("f", "order", NODE, guard=stale)
            with pytest.raises(LostLease):
                table.remove("f", "order", "never there", guard=stale)
    assert table.get("f", "order", NODE).body == b"bob's"


def test_the_overtaken_one_does_not_free_the_lease_of_the_other(client: Any) -> None:
    clock = HandClock()
    (_, mine), (_, theirs), (_, third) = (leases(client, clock, who) for who in ("ann", "bob", "cy"))
    first = mine.held("f")
    first.__enter__()
    clock.sleep(LEASE_SECONDS + 1)
    with theirs.held("f"):
        first.__exit__(None, None, None)
        with pytest.raises(LeaseHeld, match="bob"), third.held("f"):
            pass


# ---- sizes and pages -----------------------------------------------------------------------------


def filled(client: Any, prefix: str, count: int) -> None:
    """So many small rows of fleet `f`, written faster than the table would."""
    keys = [{"pk": {"S": "fleet#f"}, "sk": {"S": f"{prefix}{number:04d}"}} for number in range(count)]
    puts = [{"PutRequest": {"Item": {**key, "v": {"N": "1"}}}} for key in keys]
    for start in range(0, count, 25):
        client.batch_write_item(RequestItems={NAME: puts[start : start + 25]})


def test_more_than_a_page_is_read_whole(aws: AwsDouble, table: DynamoTable, node: DynamoTable) -> None:
    """A page ends at 1 MB."""
    body = b"x" * 300_000
    for number in range(8):
        table.put("f", "attempt", f"r/{number}", body)
        node.put("f", "receipt", f"r/{number}", body)
        table.append("f", NODE, body)
        node.append("f", NODE, body)
    names = [f"r/{number}" for number in range(8)]
    found = table.scan("f", ["attempt", "receipt"])
    assert {kind: [row.name for row in rows] for kind, rows in found.items()} == dict.fromkeys(found, names)
    for kind in found:
        assert [row.name for row in table.newest("f", kind, "r/", 100)] == names[::-1]
    assert [len(table.entries("f", who, 100)) for who in (None, NODE)] == [16, 16]


def test_more_names_than_a_batch_are_read_whole(aws: AwsDouble, client: Any, table: DynamoTable) -> None:
    filled(client, "incarnation#", 203)
    names = [f"{number:04d}" for number in range(250)]
    assert len(table.get_many("f", "incarnation", [*names, *names])) == 203
    assert aws.calls["dynamodb.BatchGetItem"] == 3


def test_more_rows_than_one_page_counts_are_read_whole(client: Any, table: DynamoTable) -> None:
    filled(client, "attempt#r/", 1100)
    assert len(table.newest("f", "attempt", "r/", 1_000_000)) == 1100


@pytest.mark.parametrize("kind", ["spec", "receipt"])
def test_a_body_just_below_the_limit_is_kept(table: DynamoTable, kind: str) -> None:
    body = b"x" * 398_000
    table.put("f", kind, "f", body)
    assert table.get("f", kind, "f").body == body


def test_a_body_beyond_it_is_refused_with_a_fix_and_nothing_is_written(table: DynamoTable) -> None:
    with pytest.raises(SteadyError, match="more than DynamoDB keeps") as refused:
        table.put("f", "spec", "f", b"x" * 409_600)
    assert ("smaller" in refused.value.fix, table.get("f", "spec", "f")) == (True, None)
    with pytest.raises(SteadyError, match="more than DynamoDB keeps"):
        table.append("f", None, "ö".encode() * 205_000)
    assert list(table.entries("f", None, 1)) == []


# ---- what a person can mend ----------------------------------------------------------------------


def test_a_table_that_is_not_there_is_unusable_and_says_what_to_do(aws: AwsDouble) -> None:
    table = DynamoTable(Session(REGION).client("dynamodb"), "elsewhere")
    for use in (
        lambda: table.get("f", "order", "a"),
        lambda: table.fleets(),
        lambda: table.put("f", "order", "a", b""),
    ):
        with pytest.raises(StateUnusable, match="no DynamoDB table elsewhere") as refused:
            use()
        assert "foundation" in refused.value.fix


def test_a_right_that_is_missing_is_told_as_such(aws: AwsDouble, node: DynamoTable) -> None:
    denied = aws.fault("UpdateItem", status=400, code="AccessDeniedException")
    with denied, pytest.raises(NotAuthorised, match="refuses UpdateItem"):
        node.put("f", "report", NODE, b"")


def test_a_conflict_names_the_row(table: DynamoTable) -> None:
    with pytest.raises(Conflict, match="order f/t/0 has changed"):
        table.put("f", "order", NODE, b"", expect=3)

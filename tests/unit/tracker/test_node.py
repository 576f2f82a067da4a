"""The node's side of the tracker: it reads its instructions, and writes only what is its own."""

from __future__ import annotations

import pytest

from lifecycle.adapters.local.table import SqliteTable
from lifecycle.model.journal import Entry, EntryKind
from lifecycle.tracker.controller import ControllerTracker
from lifecycle.tracker.node import NodeTracker
from tests.builders import NODE, NOW, RUN, a_claim, a_receipt, a_report, an_incarnation, an_order, but


@pytest.fixture
def table() -> SqliteTable:
    return SqliteTable(None)


@pytest.fixture
def controller(table: SqliteTable) -> ControllerTracker:
    return ControllerTracker(table)


@pytest.fixture
def node(table: SqliteTable) -> NodeTracker:
    return NodeTracker(table, NODE)


def test_a_node_without_instructions_reads_none(node: NodeTracker) -> None:
    assert (node.order(), node.drain(), node.incarnation(1), node.last_report()) == (None, None, None, None)


def test_a_node_reads_its_order_its_drain_and_its_claim(node: NodeTracker, controller: ControllerTracker) -> None:
    controller.order("f", an_order(), None)
    controller.claim_drain("f", a_claim(), None)
    controller.claim_incarnation("f", an_incarnation(), None)
    assert (node.order(), node.drain(), node.incarnation(1)) == (an_order(), a_claim(), an_incarnation())


def test_what_has_not_changed_is_not_decoded_again(node: NodeTracker, controller: ControllerTracker) -> None:
    controller.order("f", an_order(), None)
    before = node.order()
    assert node.order() is before
    controller.order("f", an_order(number=2), None)
    assert node.order() == an_order(number=2)


def test_a_node_never_reads_what_is_said_to_another(node: NodeTracker, controller: ControllerTracker) -> None:
    controller.order("f", an_order(node="f/t/00"), None)
    controller.claim_drain("f", a_claim(node="f/t/1"), None)
    controller.claim_incarnation("f", an_incarnation(number=2), None)
    assert (node.order(), node.drain(), node.incarnation(1)) == (None, None, None)


def test_the_last_report_stands(node: NodeTracker) -> None:
    node.report(a_report(step=1))
    node.report(a_report(step=2))
    assert node.last_report() == a_report(step=2)


def test_a_receipt_is_received_once_however_often_it_is_sent(
    node: NodeTracker, controller: ControllerTracker
) -> None:
    node.receive(a_receipt(100))
    node.receive(but(a_receipt(100), at=NOW + 99))
    assert controller.receipts("f", RUN, 10) == (a_receipt(100),)


def test_a_late_repeat_does_not_undo_the_mark_of_a_pruned_receipt(
    node: NodeTracker, controller: ControllerTracker
) -> None:
    node.receive(a_receipt(100))
    controller.mark_pruned("f", a_receipt(100), None)
    node.receive(a_receipt(100))
    assert controller.receipts("f", RUN, 10)[0].pruned


def test_what_a_node_tells_stands_in_the_journal_under_its_name(
    node: NodeTracker, controller: ControllerTracker
) -> None:
    node.journal(Entry(at=NOW, kind=EntryKind.OBSERVED, what="saved", node=NODE))
    assert [entry.what for entry in controller.entries("f", NODE)] == ["saved"]

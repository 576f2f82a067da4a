"""The controller's side of the tracker: what is written is observed, and what may be written once is."""

from __future__ import annotations

import pytest

from lifecycle.adapters.local.table import SqliteTable
from lifecycle.adapters.simulated.table import MemoryTable, Storage
from lifecycle.adapters.simulated.timeline import Timeline
from lifecycle.model.corrections import Correction
from lifecycle.model.errors import Conflict, LostLease
from lifecycle.model.holds import Allowance
from lifecycle.model.journal import Entry, EntryKind, Tick
from lifecycle.model.records import Incarnation, Outcome, Report
from lifecycle.model.world import Observed
from lifecycle.ports.tracker import Guard
from lifecycle.tracker import readings
from lifecycle.tracker.controller import ControllerTracker
from lifecycle.tracker.node import NodeTracker
from tests.builders import (
    NODE,
    NOW,
    RUN,
    a_claim,
    a_hold,
    a_placement,
    a_proof,
    a_receipt,
    a_record,
    a_report,
    a_run,
    an_attempt,
    an_incarnation,
    an_order,
    but,
)


@pytest.fixture
def table() -> SqliteTable:
    return SqliteTable(None)


@pytest.fixture
def tracker(table: SqliteTable) -> ControllerTracker:
    return ControllerTracker(table)


@pytest.fixture
def node(table: SqliteTable) -> NodeTracker:
    return NodeTracker(table, NODE)


def a_tick() -> Tick:
    return Tick(fleet="f", at=NOW, by="somebody", generation=1, actions=0, refused=0, waiting=0)


def an_allowance() -> Allowance:
    return Allowance(instance="m1", reason="a test", by="somebody", at=NOW)


# ---- observing -----------------------------------------------------------------------------------


def test_nothing_written_is_an_empty_observation(tracker: ControllerTracker) -> None:
    assert tracker.observe("f") == Observed(fleet="f")


PUT_BACK = Correction(node=NODE, field="power", times=(NOW,), generation=1)


def test_all_that_was_written_is_observed(tracker: ControllerTracker, node: NodeTracker) -> None:
    tracker.set_spec(a_record(), None)
    tracker.place("f", a_placement(), None)
    tracker.claim_drain("f", a_claim(), None)
    tracker.order("f", an_order(), None)
    node.report(a_report())
    tracker.put_run("f", a_run(), None)
    tracker.hold("f", a_hold())
    tracker.allow_loss("f", an_allowance())
    tracker.reject("f", a_receipt(90), None)
    tracker.put_proof("f", a_proof(), None)
    tracker.note_correction("f", PUT_BACK, None)
    tracker.tick(a_tick(), None)
    assert tracker.observe("f") == Observed(
        fleet="f",
        record=a_record(),
        placements={NODE: a_placement()},
        drains={NODE: a_claim()},
        orders={NODE: an_order()},
        reports={NODE: a_report()},
        heard={"m1": a_report()},
        runs={RUN: a_run()},
        holds=(a_hold(),),
        allowances={"m1": an_allowance()},
        rejections=frozenset({a_receipt(90).digest}),
        proofs={"f/t": a_proof()},
        corrections=(PUT_BACK,),
        last_tick=a_tick(),
    )


def test_what_was_taken_back_is_observed_no_longer(tracker: ControllerTracker) -> None:
    tracker.set_spec(a_record(), None)
    tracker.claim_drain("f", a_claim(), None)
    tracker.hold("f", a_hold())
    tracker.allow_loss("f", an_allowance())
    tracker.note_correction("f", PUT_BACK, None)
    tracker.remove_spec("f", None)
    tracker.release_drain("f", NODE, None)
    tracker.lift("f", a_hold())
    tracker.spend_allowance("f", "m1", None)
    tracker.forget_correction("f", PUT_BACK, None)
    assert tracker.observe("f") == Observed(fleet="f")


def test_another_fleet_is_not_observed(tracker: ControllerTracker) -> None:
    tracker.place("g", a_placement(node="g/t/0"), None)
    assert tracker.observe("f") == Observed(fleet="f")


def test_a_fleet_is_listed_once_something_is_written_of_it(tracker: ControllerTracker) -> None:
    tracker.set_spec(a_record(), None)
    assert list(tracker.fleets()) == ["f"]


# ---- creation claims -----------------------------------------------------------------------------


def test_an_incarnation_is_claimed_once(tracker: ControllerTracker) -> None:
    tracker.claim_incarnation("f", an_incarnation(instance=None), None)
    with pytest.raises(Conflict, match="incarnation 1 was claimed before"):
        tracker.claim_incarnation("f", an_incarnation(instance=None, claimed_by="another"), None)
    assert tracker.incarnations("f", [(NODE, 1)])[NODE, 1].claimed_by == "controller"


def test_a_used_incarnation_is_never_claimed_again(tracker: ControllerTracker) -> None:
    tracker.claim_incarnation("f", an_incarnation(instance=None), None)
    tracker.put_incarnation("f", an_incarnation(ended_at=NOW), None)
    with pytest.raises(Conflict):
        tracker.claim_incarnation("f", an_incarnation(instance=None), None)


def test_only_the_wanted_claims_are_given(tracker: ControllerTracker) -> None:
    for number in (1, 2, 3):
        tracker.claim_incarnation("f", an_incarnation(number=number), None)
    assert set(tracker.incarnations("f", [(NODE, 2), ("f/t/9", 1)])) == {(NODE, 2)}


def test_the_history_of_a_node_is_its_own_oldest_first(tracker: ControllerTracker) -> None:
    for name, number in (("f/t/1", 10), ("f/t/1", 2), ("f/t/10", 1), ("f/t/1", 1)):
        tracker.claim_incarnation("f", an_incarnation(node=name, number=number), None)
    assert [claim.number for claim in tracker.history_of("f", "f/t/1")] == [1, 2, 10]


# ---- attempts ------------------------------------------------------------------------------------


def test_an_epoch_is_given_out(tracker: ControllerTracker) -> None:
    assert tracker.give_out("f", an_attempt(), None) == an_attempt()
    assert tracker.attempt("f", RUN, 1) == an_attempt()


def test_a_repeat_returns_the_attempt_that_stands_and_changes_nothing(tracker: ControllerTracker) -> None:
    tracker.give_out("f", an_attempt(incarnation=1), None)
    assert tracker.give_out("f", an_attempt(incarnation=2), None) == an_attempt(incarnation=1)
    assert tracker.past("f").attempts.get(RUN, ()) == (an_attempt(incarnation=1),)


def test_an_overtaken_controller_gives_nothing_out(tracker: ControllerTracker) -> None:
    with pytest.raises(LostLease):
        tracker.give_out("f", an_attempt(), Guard("lease", "f", 3))
    assert tracker.attempt("f", RUN, 1) is None


def test_a_run_is_written_with_the_attempt_it_is_in(tracker: ControllerTracker) -> None:
    ended = but(an_attempt(), outcome=Outcome.STOPPED, to_step=120)
    tracker.put_run("f", a_run(ended), None)
    assert tracker.past("f").attempts == {RUN: (ended,)}


def test_attempts_are_read_oldest_first_and_of_their_run_only(tracker: ControllerTracker) -> None:
    for run, number in ((RUN, 10), (RUN, 9), (f"{RUN}0", 1), (RUN, 1)):
        tracker.give_out("f", an_attempt(run=run, number=number), None)
    assert [attempt.number for attempt in tracker.past("f").attempts.get(RUN, ())] == [1, 9, 10]


def test_the_past_is_all_of_it_by_run_and_by_node_oldest_first(
    tracker: ControllerTracker, node: NodeTracker
) -> None:
    for number in (10, 9):
        tracker.give_out("f", an_attempt(number=number), None)
        tracker.claim_incarnation("f", an_incarnation(number=number), None)
        node.receive(a_receipt(number, epoch=number))
    past = tracker.past("f")
    assert [attempt.number for attempt in past.attempts[RUN]] == [9, 10]
    assert [receipt.step for receipt in past.receipts[RUN]] == [9, 10]
    assert [claim.number for claim in past.claims[NODE]] == [9, 10]


def test_what_every_rank_of_a_gang_tells_is_one_receipt_of_the_past() -> None:
    storage = Storage(Timeline())
    for writer in ("m1", "m2"):
        NodeTracker(MemoryTable(storage, writer), NODE).receive(a_receipt(7))
    past = ControllerTracker(MemoryTable(storage)).past("f")
    assert past.receipts == {RUN: (a_receipt(7),)}


def test_the_past_is_one_reading_however_many_runs_there_are(
    tracker: ControllerTracker, table: SqliteTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(5):
        tracker.give_out("f", an_attempt(run=f"f.t.main.{index}"), None)
    asked: list[str] = []
    monkeypatch.setattr(table, "_open", table._open)
    table._open.set_trace_callback(asked.append)
    assert len(tracker.past("f").attempts) == 5
    assert len(asked) == 1


def test_what_machines_of_before_reported_is_not_kept_for_ever() -> None:
    storage = Storage(Timeline())
    tracker = ControllerTracker(MemoryTable(storage))
    for writer in ("m1", "m2", "m3"):
        NodeTracker(MemoryTable(storage, writer), NODE).report(a_report(instance=writer))
        storage.timeline.run_for(10.0)
        tracker.forget_old_reports("f", 5.0, None)
        tracker.observe("f")
    assert list(tracker._readings._read[Report][NODE]) == ["m3"]


def test_nor_is_what_is_read_no_more(tracker: ControllerTracker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "REMEMBERED", 3)
    for number in range(1, 9):
        tracker.claim_incarnation("f", an_incarnation(number=number), None)
        tracker.incarnations("f", [(NODE, number)])
    assert len(tracker._readings._read[Incarnation]) < 5


# ---- drains --------------------------------------------------------------------------------------


def test_a_drain_that_nobody_claimed_may_be_claimed(tracker: ControllerTracker) -> None:
    tracker.claim_drain("f", a_claim(), None)
    assert tracker.observe("f").drains == {NODE: a_claim()}


def test_the_live_claim_of_another_is_respected(tracker: ControllerTracker) -> None:
    tracker.claim_drain("f", a_claim(by="pulumi up (pid 7)", drain="theirs"), None)
    with pytest.raises(Conflict, match=r"being drained by pulumi up \(pid 7\)"):
        tracker.claim_drain("f", a_claim(drain="ours"), None)
    assert tracker.observe("f").drains[NODE].drain == "theirs"


def test_the_claim_of_another_that_has_run_out_is_replaced(tracker: ControllerTracker) -> None:
    tracker.claim_drain("f", a_claim(by="pulumi up", drain="theirs", expires_at=NOW), None)
    tracker.claim_drain("f", a_claim(drain="ours", asked_at=NOW), None)
    assert tracker.observe("f").drains[NODE].drain == "ours"


def test_our_own_claim_gives_way_to_one_to_another_end(tracker: ControllerTracker) -> None:
    tracker.claim_drain("f", a_claim(), None)
    tracker.claim_drain("f", a_claim(drain="m1.manual.1.loss"), None)
    assert tracker.observe("f").drains[NODE].drain == "m1.manual.1.loss"


def test_a_claim_is_renewed_by_whoever_asks_for_the_same_drain(tracker: ControllerTracker) -> None:
    tracker.claim_drain("f", a_claim(), None)
    tracker.claim_drain("f", a_claim(expires_at=NOW + 9000), None)
    assert tracker.observe("f").drains[NODE].expires_at == NOW + 9000


# ---- receipts ------------------------------------------------------------------------------------


def test_receipts_are_greatest_epoch_and_step_first(tracker: ControllerTracker, node: NodeTracker) -> None:
    for step, epoch in ((900, 1), (1000, 1), (5, 2), (20, 10)):
        node.receive(a_receipt(step, epoch=epoch))
    ranks = [receipt.rank for receipt in tracker.receipts("f", RUN, 10)]
    assert ranks == [(10, 20), (2, 5), (1, 1000), (1, 900)]


def test_a_limit_gives_the_newest_receipts(tracker: ControllerTracker, node: NodeTracker) -> None:
    for step in range(100, 600, 100):
        node.receive(a_receipt(step))
    assert [receipt.step for receipt in tracker.receipts("f", RUN, 2)] == [500, 400]


def test_receipts_are_those_of_the_run(tracker: ControllerTracker, node: NodeTracker) -> None:
    node.receive(a_receipt(100, run=f"{RUN}0"))
    assert tracker.receipts("f", RUN, 10) == ()


def test_two_saves_of_one_step_are_two_receipts(tracker: ControllerTracker, node: NodeTracker) -> None:
    for digest in ("one", "two"):
        node.receive(a_receipt(100, digest=digest))
    assert {receipt.digest for receipt in tracker.receipts("f", RUN, 10)} == {"one", "two"}


def test_a_pruned_receipt_stays_as_history(tracker: ControllerTracker, node: NodeTracker) -> None:
    node.receive(a_receipt(100))
    tracker.mark_pruned("f", a_receipt(100), None)
    assert tracker.receipts("f", RUN, 10) == (but(a_receipt(100), pruned=True),)


# ---- the fence and the journal -------------------------------------------------------------------

WRITES = {
    "spec": lambda t, g: t.set_spec(a_record(), g),
    "no spec": lambda t, g: t.remove_spec("f", g),
    "placement": lambda t, g: t.place("f", a_placement(), g),
    "creation claim": lambda t, g: t.claim_incarnation("f", an_incarnation(), g),
    "incarnation": lambda t, g: t.put_incarnation("f", an_incarnation(), g),
    "drain": lambda t, g: t.claim_drain("f", a_claim(), g),
    "no drain": lambda t, g: t.release_drain("f", NODE, g),
    "order": lambda t, g: t.order("f", an_order(), g),
    "attempt": lambda t, g: t.give_out("f", an_attempt(), g),
    "run": lambda t, g: t.put_run("f", a_run(), g),
    "rejection": lambda t, g: t.reject("f", a_receipt(), g),
    "pruned": lambda t, g: t.mark_pruned("f", a_receipt(), g),
    "hold": lambda t, g: t.hold("f", a_hold(), g),
    "no hold": lambda t, g: t.lift("f", a_hold(), g),
    "no allowance": lambda t, g: t.spend_allowance("f", "m1", g),
    "tick": lambda t, g: t.tick(a_tick(), g),
}


@pytest.mark.parametrize("write", WRITES)
def test_no_write_of_an_overtaken_controller_goes_through(
    table: SqliteTable, tracker: ControllerTracker, write: str
) -> None:
    with pytest.raises(LostLease):
        WRITES[write](tracker, Guard("lease", "f", 3))
    assert list(table.fleets()) == []


def test_the_journal_is_read_back_of_one_node_or_of_all(tracker: ControllerTracker) -> None:
    for what, name in (("one", NODE), ("two", None), ("three", "f/t/1")):
        tracker.journal("f", Entry(at=NOW, kind=EntryKind.OBSERVED, what=what, node=name))
    assert [entry.what for entry in tracker.entries("f")] == ["one", "two", "three"]
    assert [entry.what for entry in tracker.entries("f", NODE)] == ["one"]


def test_news_are_the_entries_beyond_a_place(tracker: ControllerTracker) -> None:
    tracker.journal("f", Entry(at=NOW, kind=EntryKind.OBSERVED, what="old"))
    ((place, _),) = tracker.news("f")
    tracker.journal("f", Entry(at=NOW, kind=EntryKind.OBSERVED, what="new"))
    assert [entry.what for _, entry in tracker.news("f", after=place)] == ["new"]

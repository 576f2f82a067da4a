"""Real stops prove, or disprove, that a trainer saves when it is asked to."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.holds import HoldKind
from lifecycle.model.proving import SaveOutcome, SaveProof, pool_key, proven
from lifecycle.model.records import DrainOutcome, Outcome, Status
from lifecycle.model.states import Cause
from lifecycle.model.world import Observed
from lifecycle.planning.attempts import fingerprint
from lifecycle.planning.proving import condition, proofs, saves
from lifecycle.planning.settle import apply_facts, settle
from tests.builders import (
    NODE,
    NOW,
    a_hold,
    a_proof,
    a_receipt,
    a_report,
    a_spec,
    an_answer,
    an_end,
    an_idle_report,
    training,
)

DRAIN = "m1.manual.1"
SAVED = a_receipt(130, request=DRAIN, at=NOW - 2)


def stopped(**changes: Any) -> Observed:
    """Asked five seconds ago, saved three seconds later."""
    end = an_end(**{"receipt": SAVED, "request": DRAIN, "asked_at": NOW - 5, **changes})
    return training(reports={NODE: an_idle_report(ended=end)})


def refused(**changes: Any) -> Observed:
    answer = an_answer(outcome=DrainOutcome.REFUSED, receipt=None, **changes)
    return training(reports={NODE: a_report(drained=answer)})


def the_proof(observed: Observed) -> SaveProof:
    (found,) = proofs(observed)
    return found


def test_a_stop_that_saved_is_a_proof_with_its_seconds_and_bytes() -> None:
    assert the_proof(stopped()) == a_proof(at=NOW - 2)


def test_a_notice_that_was_met_is_a_proof_too() -> None:
    found = the_proof(stopped(outcome=Outcome.INTERRUPTED, cause=Cause.SPOT))
    assert (found.outcome, found.by) == (SaveOutcome.SAVED, "spot")


def test_a_refused_drain_says_that_it_does_not_save() -> None:
    found = the_proof(refused())
    assert (found.outcome, found.seconds, found.request) == (SaveOutcome.REFUSED, None, DRAIN)


@pytest.mark.parametrize(
    "end",
    [
        {"forced": True},
        {"receipt": a_receipt(100)},
        {"receipt": None},
    ],
    ids=["forced", "only an older checkpoint", "no checkpoint"],
)
def test_an_end_without_the_save_it_was_asked_for_says_so(end: dict[str, Any]) -> None:
    assert the_proof(stopped(**end)).outcome is SaveOutcome.FAILED


@pytest.mark.parametrize(
    "end",
    [
        {"request": None, "asked_at": None},
        {"outcome": Outcome.COMPLETED},
        {"receipt": a_receipt(130)},
        {"attempt": 7},
    ],
    ids=["nobody asked", "it completed meanwhile", "saved before it was asked", "of another attempt"],
)
def test_other_ends_prove_nothing(end: dict[str, Any]) -> None:
    assert proofs(stopped(**end)) == ()


def test_a_refusal_of_an_earlier_attempt_is_not_held_against_this_one() -> None:
    assert proofs(refused(at=NOW - 4000)) == ()


@pytest.mark.parametrize(("at", "count"), [(NOW - 3, 1), (NOW - 2, 0), (NOW, 0)])
def test_only_what_is_newer_than_the_proof_on_record_is_told(at: float, count: int) -> None:
    seen = stopped()
    known = {"f/t": a_proof(at=at, outcome=SaveOutcome.REFUSED)}
    assert len(proofs(training(reports=seen.reports, proofs=known))) == count


def test_of_two_nodes_the_later_one_counts() -> None:
    first, later = stopped().reports[NODE], refused(at=NOW - 1).reports[NODE]
    seen = training(reports={"f/t/1": first, NODE: later})
    assert the_proof(seen).outcome is SaveOutcome.REFUSED


def test_a_rehearsal_is_named_as_what_it_is() -> None:
    hold = a_hold(HoldKind.REHEARSE, id="rehearse-4")
    seen = stopped(request="m1.manual.rehearse-4")
    assert the_proof(training(reports=seen.reports, holds=(hold,))).by == "rehearsal by somebody"


def test_a_proof_is_a_fact_that_the_next_look_knows() -> None:
    seen = stopped()
    facts = settle(seen, NOW)
    assert apply_facts(seen, facts).proofs == {"f/t": a_proof(at=NOW - 2)}
    assert settle(apply_facts(seen, facts), NOW).proofs == ()


@pytest.mark.parametrize(
    ("proof", "status"),
    [
        (None, Status.UNKNOWN),
        (a_proof(), Status.TRUE),
        (a_proof(outcome=SaveOutcome.REFUSED), Status.FALSE),
        (a_proof(outcome=SaveOutcome.FAILED), Status.FALSE),
        (a_proof(a_spec(train={"env": {"A": "1"}})), Status.UNKNOWN),
    ],
    ids=["never asked", "saved", "refused", "failed", "of another train section"],
)
def test_what_is_known_of_a_train_section(proof: SaveProof | None, status: Status) -> None:
    assert proven(proof, fingerprint(a_spec().pools["t"])) is status


def test_proofs_are_kept_by_pool() -> None:
    assert pool_key("f/t/10") == "f/t"


# ---- what is told of them ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proof", "told"),
    [
        (
            a_proof(),
            (
                "True",
                "Saved",
                "saved 1,000 bytes in 3.0s (operator, 2027-01-15 07:59 UTC)",
            ),
        ),
        (
            a_proof(outcome=SaveOutcome.REFUSED),
            ("False", "Refused", "asked to save and stop, nothing came in time (operator, 2027-01-15 07:59 UTC)"),
        ),
        (
            a_proof(outcome=SaveOutcome.FAILED),
            ("False", "Failed", "asked to save and stop, it ended without a save (operator, 2027-01-15 07:59 UTC)"),
        ),
        (
            a_proof(fingerprint="another"),
            (
                "Unknown",
                "NotSeen",
                "its trainer has not been seen to save when asked to stop with this train section;"
                " `steady rehearse SPEC` tries it",
            ),
        ),
    ],
    ids=["saved", "refused", "failed", "changed"],
)
def test_the_condition_of_a_pool_says_what_was_seen(proof: SaveProof, told: tuple[str, str, str]) -> None:
    found = condition("f/t", a_spec().pools["t"], training(proofs={"f/t": proof}))
    assert (found.status, found.reason, found.message) == told


def test_a_plan_warns_of_a_spot_pool_that_was_not_seen_to_save() -> None:
    (told,) = saves(a_spec(), training())
    assert (told.pool, told.status) == ("f/t", Status.UNKNOWN)
    assert "needs 42s of 120s: detect 2s + save 30s + reserve 10s" in told.message


def test_a_plan_counts_with_measured_seconds() -> None:
    (told,) = saves(a_spec(), training(proofs={"f/t": a_proof(seconds=115.0)}))
    assert (told.status, told.fits) == (Status.TRUE, False)
    assert "save and upload 115s (measured)" in told.message


@pytest.mark.parametrize("pool", [{"market": "on_demand"}, {"nodes": 0}])
def test_a_pool_that_gets_no_notices_is_not_spoken_of(pool: dict[str, Any]) -> None:
    assert saves(a_spec(**pool), training()) == ()

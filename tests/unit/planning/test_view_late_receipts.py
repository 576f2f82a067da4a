"""A receipt that is read late is a resume point all the same, once its attempt is known to have saved it."""

from __future__ import annotations

import msgspec

from lifecycle.model.records import Attempt, Receipt
from lifecycle.model.world import Observed
from lifecycle.planning.view import views
from tests.builders import NODE, NOW, RUN, a_placement, a_receipt, a_record, a_run, a_spec, an_ended_attempt


def resumable(attempt: Attempt, *read: Receipt, rejected: tuple[str, ...] = ()) -> list[Receipt]:
    """The resume points of the node's run when these receipts were read."""
    observed = Observed(
        fleet="f",
        record=a_record(),
        placements={NODE: a_placement()},
        runs={RUN: a_run(attempt)},
        receipts={RUN: read} if read else {},
        rejections=frozenset(rejected),
    )
    (view,) = views(a_spec(), observed, NOW)
    return list(view.receipts)


def test_the_attempts_own_receipt_counts_before_it_is_read() -> None:
    assert resumable(an_ended_attempt()) == [a_receipt(100)]


def test_it_goes_before_older_ones_that_were_read() -> None:
    assert resumable(an_ended_attempt(), a_receipt(50)) == [a_receipt(100), a_receipt(50)]


def test_it_counts_once_when_it_was_read_as_well() -> None:
    assert resumable(an_ended_attempt(), a_receipt(100), a_receipt(50)) == [a_receipt(100), a_receipt(50)]


def test_what_was_read_says_whether_it_is_pruned() -> None:
    assert resumable(an_ended_attempt(), a_receipt(100, pruned=True), a_receipt(50)) == [a_receipt(50)]


def test_a_rejected_one_does_not_come_back() -> None:
    assert resumable(an_ended_attempt(), rejected=(a_receipt(100).digest,)) == []


def test_one_of_an_older_epoch_that_came_too_late_stays_history() -> None:
    assert resumable(an_ended_attempt(number=2)) == []


def test_one_of_an_older_epoch_that_came_in_time_counts() -> None:
    attempt = an_ended_attempt(number=2, earlier=(a_receipt(100).digest,))
    assert resumable(attempt) == [a_receipt(100)]


def test_one_of_another_run_is_none() -> None:
    another = msgspec.structs.replace(a_receipt(100), run="f.t.other.0")
    assert resumable(an_ended_attempt(receipt=another)) == []


def test_an_attempt_without_one_has_what_was_read() -> None:
    assert resumable(an_ended_attempt(receipt=None), a_receipt(50)) == [a_receipt(50)]

"""Which checkpoint is a resume point, and which stay."""

from __future__ import annotations

import pytest

from lifecycle.planning.receipts import eligible, retained
from tests.builders import NOW, a_receipt, an_attempt

NONE: frozenset[str] = frozenset()


def test_the_greatest_epoch_and_step_comes_first() -> None:
    receipts = (a_receipt(300, epoch=1), a_receipt(50, epoch=2), a_receipt(90, epoch=2))
    assert [r.rank for r in eligible(receipts, NONE, None)] == [(2, 90), (2, 50), (1, 300)]


def test_of_one_step_saved_twice_the_later_counts() -> None:
    early, late = a_receipt(90, digest="early", at=NOW - 60), a_receipt(90, digest="late", at=NOW)
    assert eligible((early, late), NONE, None)[0].digest == "late"


def test_a_rejected_checkpoint_is_no_resume_point() -> None:
    found = eligible((a_receipt(90), a_receipt(100)), frozenset({"digest-1-100"}), None)
    assert [r.step for r in found] == [90]


def test_a_pruned_checkpoint_is_no_resume_point() -> None:
    found = eligible((a_receipt(90), a_receipt(100, pruned=True)), NONE, None)
    assert [r.step for r in found] == [90]


def test_a_receipt_of_the_newest_epoch_is_in_time() -> None:
    assert eligible((a_receipt(10, epoch=2),), NONE, an_attempt(number=2))


def test_a_receipt_of_an_older_epoch_that_came_late_is_history() -> None:
    assert eligible((a_receipt(900, epoch=1),), NONE, an_attempt(number=2)) == ()


def test_a_receipt_that_was_there_when_the_epoch_was_given_out_stays_eligible() -> None:
    known, late = a_receipt(100), a_receipt(900)
    attempt = an_attempt(number=2, earlier=(known.digest,))
    assert eligible((late, known), NONE, attempt) == (known,)


def test_a_late_receipt_never_outranks_what_the_newer_epoch_saved() -> None:
    late, newer = a_receipt(900, epoch=1), a_receipt(120, epoch=2)
    assert eligible((late, newer), NONE, an_attempt(number=3, earlier=(newer.digest,))) == (newer,)


@pytest.mark.parametrize(("keep", "stay"), [(0, 2), (1, 2), (2, 2), (3, 3), (9, 4)])
def test_never_fewer_than_two_are_kept(keep: int, stay: int) -> None:
    receipts = tuple(a_receipt(step) for step in (400, 300, 200, 100))
    assert retained(receipts, keep) == receipts[:stay]

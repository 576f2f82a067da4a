"""Figures and moments as people read them."""

from __future__ import annotations

from lifecycle.report import words

AT = 1_795_748_999.0


def test_moments_are_utc() -> None:
    assert (words.moment(AT), words.exactly(AT)) == ("27 Nov 03:09", "2026-11-27 03:09:59 UTC")


def test_a_sum_that_is_not_exact_says_so() -> None:
    assert words.dollars(1203.4, exact=False) == "~$1,203.40"


def test_a_loss_has_its_sign_before_the_dollar() -> None:
    assert words.dollars(-2) == "-$2.00"


def test_what_is_not_known_is_called_unknown() -> None:
    assert [f(None) for f in (words.count, words.share, words.moment)] == ["unknown"] * 3


def test_sizes_have_the_largest_unit_that_fits() -> None:
    assert [words.size(n) for n in (5, 2048, 3 * 1024**3)] == ["5 B", "2.0 KiB", "3.0 GiB"]


def test_causes_come_with_the_most_first() -> None:
    assert words.by_cause({"hardware": 1, "spot": 2000}) == "spot 2,000, hardware 1"
    assert words.by_cause({}) == "none"

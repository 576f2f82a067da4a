"""Notice arithmetic: detect + save + upload + reserve against the two minutes that EC2 gives."""

from __future__ import annotations

import pytest

from lifecycle.model.codec import convert
from lifecycle.model.fleet import Checkpoint
from lifecycle.model.notice import NoticeArithmetic
from tests.builders import a_proof


def sums(**checkpoint: str) -> NoticeArithmetic:
    return NoticeArithmetic.of(convert(checkpoint, Checkpoint))


def test_without_a_size_only_the_save_counts() -> None:
    assert sums(save_time="30s").needed == 2 + 30 + 10


def test_a_size_is_uploaded_at_a_quarter_gigabyte_a_second() -> None:
    assert sums(save_time="30s", size="26GB").needed == 2 + 30 + 100 + 10


@pytest.mark.parametrize(("save_time", "fits"), [("0s", True), ("108s", True), ("109s", False), ("10m", False)])
def test_a_save_fits_within_two_minutes_or_does_not(save_time: str, fits: bool) -> None:
    assert sums(save_time=save_time).fits is fits


@pytest.mark.parametrize(("size", "fits"), [("20GB", True), ("20280MB", True), ("21GB", False)])
def test_a_checkpoint_is_small_enough_for_a_notice_or_is_not(size: str, fits: bool) -> None:
    assert sums(save_time="30s", size=size).fits is fits


def test_the_sentence_shows_the_sum() -> None:
    assert sums(save_time="30s", size="26GB").sentence() == (
        "a save under a spot notice needs 142s of 120s: detect 2s + save 30s + upload 100s (26GB at 0.26 GB/s)"
        " + reserve 10s; the newest complete checkpoint will be what is kept"
    )


def test_the_sentence_leaves_out_an_upload_of_unknown_size() -> None:
    assert "upload" not in sums(save_time="3m").sentence()


def test_what_was_measured_counts_in_place_of_the_estimates() -> None:
    estimate = convert({"save_time": "10m", "size": "26GB"}, Checkpoint)
    seen = NoticeArithmetic.of(estimate, a_proof(seconds=34.2))
    assert seen.sentence() == (
        "a save under a spot notice needs 47s of 120s: detect 2s + save and upload 35s (measured) + reserve 10s"
    )


def test_a_proof_without_a_measurement_leaves_the_estimate() -> None:
    assert NoticeArithmetic.of(Checkpoint(), a_proof(seconds=None)).needed == sums().needed

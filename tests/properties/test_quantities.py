"""Durations and sizes: what is written is read back, and nothing else is read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.model.quantities import Duration, Size, spoken

UNITS = st.sampled_from(["s", "m", "h", "d"])
BYTES = st.sampled_from(["B", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"])


@given(st.integers(0, 999_999_999), UNITS)
def test_a_duration_is_written_back_as_the_same_span(count: int, unit: str) -> None:
    parsed = Duration.parse(f"{count}{unit}")
    assert Duration.parse(str(parsed)) == parsed


@given(st.integers(0, 999_999_999), BYTES)
def test_a_size_is_written_back_as_the_same_number_of_bytes(count: int, unit: str) -> None:
    parsed = Size.parse(f"{count}{unit}")
    assert int(parsed) == int(Size.parse(f"1{unit}")) * count


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        parsed = Duration.parse(text)
    except ValueError as error:
        parsed, said = None, str(error)
    assert repr(text) in said if parsed is None else parsed >= 0


@given(st.floats(allow_nan=False))
def test_every_span_can_be_said(seconds: float) -> None:
    assert spoken(seconds)


@pytest.mark.parametrize("text", ["90s\n", " 90s", "90 s", "+90s", "٣s", "1e3s", "-5s", "90S"])
def test_what_only_looks_like_a_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        Duration.parse(text)

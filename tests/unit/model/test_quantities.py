"""Durations and sizes: read as people write them, written back as they were, refused otherwise."""

from __future__ import annotations

import math

import pytest

from lifecycle.model.quantities import Duration, Size, spoken

GIB = 1024**3


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("1s", 1), ("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86400), ("never", math.inf)],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert Duration.parse(text) == seconds


@pytest.mark.parametrize("text", ["0s", "1s", "59s", "90s", "10m", "61m", "2h", "25h", "1d", "400d", "never"])
def test_a_duration_is_written_as_it_was_read(text: str) -> None:
    assert str(Duration.parse(text)) == text


@pytest.mark.parametrize(("text", "shorter"), [("60s", "1m"), ("120m", "2h"), ("24h", "1d"), ("0d", "0s")])
def test_a_duration_is_written_in_the_greatest_whole_unit(text: str, shorter: str) -> None:
    assert str(Duration.parse(text)) == shorter


@pytest.mark.parametrize(
    "text",
    ["", "90", "s", "1.5h", "-1s", "+1s", "01s", "1 s", " 1s", "1s\n", "1w", "1S", "1h30m", "inf", "Never", "١s"],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration such as 90s, 10m, 2h or 1d"):
        Duration.parse(text)


def test_a_duration_of_ten_digits_is_refused() -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        Duration.parse("1000000000s")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0B", 0),
        ("1B", 1),
        ("500MB", 500_000_000),
        ("12GiB", 12 * GIB),
        ("1KB", 1000),
        ("1KiB", 1024),
        ("2TiB", 2048 * GIB),
    ],
)
def test_a_size_is_read_in_bytes(text: str, size: int) -> None:
    assert Size.parse(text) == size


@pytest.mark.parametrize(
    "text", ["0B", "1B", "999B", "1KB", "1KiB", "500MB", "12GiB", "200GiB", "1TB", "2TiB", "1000KiB"]
)
def test_a_size_is_written_as_it_was_read(text: str) -> None:
    assert str(Size.parse(text)) == text


@pytest.mark.parametrize(("text", "shorter"), [("1024MiB", "1GiB"), ("1000GB", "1TB"), ("0GiB", "0B")])
def test_a_size_is_written_in_the_greatest_whole_unit(text: str, shorter: str) -> None:
    assert str(Size.parse(text)) == shorter


@pytest.mark.parametrize(
    "text", ["", "12", "GiB", "1.5GiB", "-1B", "01B", "1 GiB", "1gib", "1Gi", "1PB", "1kB", "1iB", "never"]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size such as 12GiB or 500MB"):
        Size.parse(text)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0s"),
        (0, "0s"),
        (8.4, "8s"),
        (59.4, "59s"),
        (60, "1m"),
        (3599, "59m"),
        (3600, "1h"),
        (12_000, "3h 20m"),
        (86_400, "1d"),
        (187_200, "2d 4h"),
        (math.inf, "never"),
    ],
)
def test_a_span_is_spoken_in_at_most_two_units(seconds: float, words: str) -> None:
    assert spoken(seconds) == words

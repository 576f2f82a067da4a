"""The one codec: what is written is read back the same, in the form that people wrote."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lifecycle.model.codec import convert, decode, encode, plain
from lifecycle.model.fleet import FleetSpec, Pool, Train
from lifecycle.model.quantities import Duration, Size
from lifecycle.model.records import Attempt, DrainClaim, Order, Report, Run, SpecRecord
from tests.builders import a_claim, a_record, a_report, a_run, a_spec, an_ended_attempt, an_order


@pytest.mark.parametrize("text", ["0s", "90s", "10m", "1d", "never"])
def test_a_duration_keeps_its_written_form(text: str) -> None:
    assert encode(decode(f'"{text}"', Duration)) == f'"{text}"'.encode()


@pytest.mark.parametrize("text", ["0B", "12GiB", "500MB"])
def test_a_size_keeps_its_written_form(text: str) -> None:
    assert encode(decode(f'"{text}"', Size)) == f'"{text}"'.encode()


def test_never_is_read_back_as_without_end() -> None:
    assert decode(encode(Duration.parse("never")), Duration) == float("inf")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (
            SpecRecord,
            a_record(a_spec(checkpoint={"max_lost_work": "20m", "size": "12GiB"}, unreachable_after="never")),
        ),
        (Run, a_run(an_ended_attempt(), hyperparameters={"lr": 0.1}, failures={"spot": 2}, mark=(1, 100))),
        (Attempt, an_ended_attempt(forced=(100, 130))),
        (Order, an_order()),
        (Report, a_report()),
        (DrainClaim, a_claim()),
    ],
)
def test_a_record_is_read_back_as_it_was_written(kind: type, value: Any) -> None:
    assert decode(encode(value), kind) == value


def test_a_plain_document_becomes_the_same_spec_again() -> None:
    spec = a_spec(stop={"grace": "2m"}, disk="100GiB")
    assert convert(plain(spec), FleetSpec) == spec


def test_plain_values_show_quantities_as_people_write_them() -> None:
    assert plain(Pool(train=Train(command=("a",))).stop) == {"grace": "90s", "without_checkpoint": "refuse"}


@pytest.mark.parametrize("data", ['"90"', "90", "null", '"1.5h"', "{"])
def test_what_is_no_duration_is_an_error_of_decoding(data: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(data, Duration)


def test_a_spec_refuses_a_field_that_it_does_not_know() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `colour`"):
        convert({**plain(a_spec()), "colour": "red"}, FleetSpec)


def test_a_record_ignores_a_field_of_a_neighbouring_version() -> None:
    written = encode({**plain(a_claim()), "colour": "red"})
    assert decode(written, DrainClaim) == a_claim()


def test_a_value_without_a_json_form_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="no JSON form for complex"):
        encode(1j)

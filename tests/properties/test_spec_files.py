"""Whatever is in a file, reading it ends in a spec or in faults with places; never in another error."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.model.errors import SpecError
from lifecycle.specfile import SpecFile, parse

EXAMPLES = Path(__file__).parents[2] / "specs" / "examples"
SOUND = [yaml.safe_load(path.read_text()) for path in sorted(EXAMPLES.glob("*.yaml"))]
PRINTABLE = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Co", "Cn"]), max_size=12)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    PRINTABLE,
    st.sampled_from(
        ["never", "0s", "999999999d", "trainers/0", "trainers/99999", "..", "on_demand", "a\nb", "local"]
    ),
)
JUNK = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PRINTABLE, inner, max_size=3)
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """(container, key) of everything in a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    here = [(value, key) for key, _ in items]
    return here + [place for container, key in here for place in places(container[key])]


@st.composite
def spoiled(draw: st.DrawFn) -> str:
    """A sound spec in which one to three values are something else."""
    document = copy.deepcopy(draw(st.sampled_from(SOUND)))
    for _ in range(draw(st.integers(1, 3))):
        container, key = draw(st.sampled_from(places(document)))
        container[key] = draw(JUNK)
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False)


def read(data: bytes) -> SpecFile | tuple[str, ...]:
    try:
        return parse("fleet.yaml", data, EXAMPLES)
    except SpecError as error:
        faults = error.faults
    assert faults
    assert all(fault.line >= 1 and fault.column >= 1 for fault in faults)
    return tuple(str(fault) for fault in faults)


@settings(max_examples=300)
@given(spoiled())
def test_a_spoiled_spec_is_a_spec_or_faults_with_places(text: str) -> None:
    assert read(text.encode())


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_are_faults_with_places(data: bytes) -> None:
    assert isinstance(read(data), tuple)


@settings(max_examples=200)
@given(st.text("abc:-{}[]\"'#&*!|>%@ \n\t0159.", max_size=60))
def test_any_yaml_is_faults_with_places(text: str) -> None:
    assert isinstance(read(text.encode()), tuple)


@settings(max_examples=100)
@given(spoiled())
def test_reading_twice_says_the_same(text: str) -> None:
    first, second = read(text.encode()), read(text.encode())
    assert (first.spec if isinstance(first, SpecFile) else first) == (
        second.spec if isinstance(second, SpecFile) else second
    )

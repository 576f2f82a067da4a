"""A sound spec with every field in it, spoiled in one place at a time: each is refused, with that place.

The spec is made of the schema's own examples, so a new field is spoiled as soon as it is described. With the
hand-made files of `specs/invalid` these are more than five hundred.
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lifecycle.cli.entry import main
from lifecycle.specfile import parse
from tests.unit.specfile.test_schema import resolved, schema
from tests.unit.test_invalid_specs import FILES

Place = tuple[str | int, ...]

FREE = ("env", "hyperparameters", "secrets")
"""Mappings whose keys, and in part whose values, are the user's own."""

SPOILINGS = {
    "twice": r"\g<0>\n\g<0>",
    "anchored": r"\1&a \2",
    "tagged": r"\1!!str \2",
    "ringing": "\\1\\2\x07",
    "unclosed": r'\1"\2',
    "tabbed": r"\t\1\2",
}
"""What may be done to a line `key: value`, by name."""


def example(node: dict[str, Any]) -> Any:
    """What the schema's examples say, field by field."""
    node = resolved(node)
    if "properties" in node:
        return {name: example(field) for name, field in node["properties"].items()}
    inner = {kind: resolved(node[kind]) for kind in ("items", "additionalProperties") if _is_schema(node.get(kind))}
    if "properties" in inner.get("additionalProperties", {}):
        return {"trainers": example(inner["additionalProperties"])}
    if "properties" in inner.get("items", {}):
        return [example(inner["items"])]
    return copy.deepcopy(node["examples"][0])


def _is_schema(found: Any) -> bool:
    return isinstance(found, dict)


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield (*at, key)
        if key != "hyperparameters":
            yield from places(below, (*at, key))


SOUND = example(schema())


def spoiled(seed: int) -> Iterator[tuple[str, str]]:
    """(name, text) of specs that nobody may accept."""
    chance = random.Random(seed)
    for place in places(SOUND):
        yield (
            f"wrong-{_spelt(place)}",
            _text(_changed(place, wrong=chance.choice([[[]], {"no_such_field": 1}, 7.5]))),
        )
        if isinstance(place[-1], str) and not {*FREE} & {*place[:-1]}:
            yield f"misnamed-{_spelt(place)}", _text(_changed(place))
    lines = _text(SOUND).splitlines()
    for number, line in enumerate(lines):
        match = re.fullmatch(r"( *[A-Za-z_]+: )(\S.*)", line)
        for what in chance.sample(sorted(SPOILINGS), 2) if match else ():
            text = match.expand(SPOILINGS[what]) if match else ""
            yield f"{what}-{number}", "\n".join([*lines[:number], text, *lines[number + 1 :]])


def _changed(place: Place, wrong: Any = None) -> Any:
    """The sound spec with something of another kind at `place`; without that, its key is misspelt."""
    document = copy.deepcopy(SOUND)
    container: Any = document
    for step in place[:-1]:
        container = container[step]
    if wrong is None:
        container[f"{place[-1]}_"] = container.pop(place[-1])
    else:
        container[place[-1]] = "of no such kind" if isinstance(container[place[-1]], int | float) else wrong
    return document


def _spelt(place: Place) -> str:
    return "-".join(str(step) for step in place)


def _text(document: Any) -> str:
    return yaml.safe_dump(document, sort_keys=False)


def test_the_spec_that_is_spoiled_is_sound() -> None:
    assert parse("sound.yaml", _text(SOUND).encode(), Path()).spec.fleet == SOUND["fleet"]


def test_every_spoiled_spec_is_refused_with_its_place_in_one_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = {f"{name}.yaml": text for name, text in spoiled(seed=5)}
    for name, text in texts.items():
        Path(name).write_text(text)
    assert (len(texts) + len(FILES) >= 500, main(["validate", *texts])) == (True, 1)
    out, err = capsys.readouterr()
    *faults, error, fix, _ = err.splitlines()
    told = {match[1] for fault in faults if (match := re.match(r"(.+?):[1-9][0-9]*:[1-9][0-9]*: ", fault))}
    assert (sorted({*texts} - told), out) == ([], "")
    assert (error.startswith("error: "), fix.startswith("fix: "), "Traceback" in err) == (True, True, False)

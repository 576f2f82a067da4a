"""Does a document have the shape of `specs/fleet.schema.json`? Each fault in words, with its place.

The schema says more than jsonschema reads: `x-says` is the sentence for a pattern that does not match.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path as FilePath
from typing import Any

from jsonschema import Draft202012Validator, TypeChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from lifecycle.specfile.reader import Document, Path

_TYPES = {
    "object": "a mapping",
    "array": "a list",
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}


@cache
def schema_file() -> FilePath:
    """The schema: beside the package in a checkout, inside it once installed."""
    package = FilePath(__file__).parent.parent
    inside = package / "specs" / "fleet.schema.json"
    return inside if inside.exists() else package.parent / "specs" / "fleet.schema.json"


@cache
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(schema_file().read_text())
    return found


def _whole(_: TypeChecker, value: Any) -> bool:
    """A whole number is written as one: `2.0` and `1e3` are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def _one_line(_: Any, pattern: str, value: Any, __: Any) -> Iterator[ValidationError]:
    """Patterns hold for the whole string: Python's `$` would let a line break follow."""
    if isinstance(value, str) and ("\n" in value or not re.search(pattern, value)):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


_Strict: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    validators={"pattern": _one_line},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _whole),
)


def check(document: Document) -> None:
    """Adds a fault to `document` for every departure from the schema."""
    for error in _Strict(schema()).iter_errors(document.value):
        path: Path = tuple(error.absolute_path)
        for at, by_key, message in _TELL.get(error.validator, _other)(error, path):
            place = document.key_place(at) if by_key else document.place(at)
            document.fault(place, message, at)


Told = Iterator[tuple[Path, bool, str]]


def _unknown_keys(error: Any, path: Path) -> Told:
    known = list(error.schema.get("properties", ()))
    for key in error.instance:
        if key not in known:
            yield (*path, key), True, f"unknown field{nearest(key, known)}"


def _missing(error: Any, path: Path) -> Told:
    missing = [key for key in error.validator_value if key not in error.instance]
    named = error.message.split("'")[1]
    if named in missing:
        yield path, True, f"{named!r} is missing"


def _wrong_type(error: Any, path: Path) -> Told:
    wanted = error.validator_value
    names = [wanted] if isinstance(wanted, str) else [name for name in wanted if name != "null"]
    hint = ""
    if names == ["string"] and isinstance(error.instance, bool | int | float):
        hint = "; quote it"
    if names == ["boolean"] and isinstance(error.instance, str):
        hint = "; YAML 1.2 knows only true and false"
    yield path, False, f"{shown(error.instance)} is not {' or '.join(_TYPES[name] for name in names)}{hint}"


def _not_listed(error: Any, path: Path) -> Told:
    words = [str(word) for word in error.validator_value]
    instance = error.instance
    if not isinstance(instance, type(error.validator_value[0])):
        return  # its type is the fault, and is told
    says = f"; {error.schema['x-says']}" if "x-says" in error.schema else nearest(str(instance), words)
    yield path, False, f"{shown(instance)} is not one of {', '.join(words)}{says}"


def _pattern(error: Any, path: Path) -> Told:
    says = error.schema.get("x-says", f"does not match {error.validator_value}")
    yield path, _names_a_key(error), f"{shown(error.instance)} {says}"


def _names_a_key(error: Any) -> bool:
    return "propertyNames" in error.absolute_schema_path


def _key_name(error: Any, path: Path) -> Told:
    yield (*path, error.instance), True, str(error.message)


def _bound(error: Any, path: Path) -> Told:
    relation = {
        "minimum": "at least",
        "maximum": "at most",
        "exclusiveMinimum": "more than",
        "exclusiveMaximum": "less than",
    }[error.validator]
    yield path, False, f"{shown(error.instance)} must be {relation} {error.validator_value}"


def _too_few(error: Any, path: Path) -> Told:
    says = error.schema.get(f"x-says-{error.validator}", "is empty")
    yield path, False, says


def _repeated(error: Any, path: Path) -> Told:
    seen: list[Any] = []
    for index, item in enumerate(error.instance):
        if item in seen:
            yield (*path, index), False, f"{shown(item)} stands in the list twice"
        seen.append(item)


def _other(error: Any, path: Path) -> Told:
    yield path, False, error.message


_TELL: dict[str, Callable[[Any, Path], Told]] = {
    "additionalProperties": _unknown_keys,
    "required": _missing,
    "type": _wrong_type,
    "enum": _not_listed,
    "pattern": _pattern,
    "minimum": _bound,
    "maximum": _bound,
    "exclusiveMinimum": _bound,
    "exclusiveMaximum": _bound,
    "minItems": _too_few,
    "minProperties": _too_few,
    "minLength": _too_few,
    "uniqueItems": _repeated,
}


def shown(value: Any) -> str:
    """A value as it looks in a message: short, and strings in quotes."""
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if value is None:
        return "nothing"
    text = repr(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def nearest(word: str, known: list[str]) -> str:
    """`; did you mean 'spot'?`, when something known is close."""
    found = difflib.get_close_matches(word.lower().replace("-", "_"), known, n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""

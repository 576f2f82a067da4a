"""The schema that people read and the model that the code uses say the same."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from lifecycle.model.codec import convert, plain
from lifecycle.model.fleet import FleetSpec, Pool, Train
from lifecycle.model.quantities import Duration, Size
from lifecycle.specfile.shape import schema


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """The node with its reference followed; what stands beside the reference wins."""
    reference = node.get("$ref")
    if reference is None:
        return node
    target = schema()["$defs"][reference.rpartition("/")[2]]
    return {**resolved(target), **{key: value for key, value in node.items() if key != "$ref"}}


def fields(kind: type, node: dict[str, Any], path: str) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """(path, struct field, schema) for every field of a struct and of the structs below it."""
    node = resolved(node)
    declared = {field.name: field for field in msgspec.structs.fields(kind)}
    assert set(declared) == set(node["properties"]), path
    assert node["additionalProperties"] is False, path
    for name, field in declared.items():
        below = f"{path}.{name}".removeprefix(".")
        yield below, field, resolved(node["properties"][name])
        for struct, child in structs(field.type, resolved(node["properties"][name])):
            yield from fields(struct, child, below)


def structs(kind: Any, node: dict[str, Any]) -> Iterator[tuple[type, dict[str, Any]]]:
    """The structs that a field holds: itself, in a list, or in a mapping by name."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind, node
    elif typing.get_origin(kind) in (tuple, dict):
        inner = "items" if typing.get_origin(kind) is tuple else "additionalProperties"
        for argument in typing.get_args(kind):
            if isinstance(node.get(inner), dict):
                yield from structs(argument, resolved(node[inner]))
    else:
        for argument in typing.get_args(kind):
            yield from structs(argument, node)


ALL = list(fields(FleetSpec, schema(), ""))
IDS = [path for path, _, _ in ALL]


@pytest.mark.parametrize(("path", "field", "node"), ALL, ids=IDS)
def test_every_field_is_described_with_an_example(path: str, field: Any, node: dict[str, Any]) -> None:
    assert node["description"].endswith(".")
    assert node["examples"]


@pytest.mark.parametrize(("path", "field", "node"), ALL, ids=IDS)
def test_examples_satisfy_their_own_field(path: str, field: Any, node: dict[str, Any]) -> None:
    validator = Draft202012Validator({**node, "$defs": schema()["$defs"]})
    assert [error.message for example in node["examples"] for error in validator.iter_errors(example)] == []


@pytest.mark.parametrize(("path", "field", "node"), ALL, ids=IDS)
def test_defaults_are_the_same(path: str, field: Any, node: dict[str, Any]) -> None:
    made = field.default_factory is not msgspec.NODEFAULT
    default = field.default_factory() if made else field.default
    if isinstance(default, msgspec.Struct) or default is msgspec.NODEFAULT:
        assert "default" not in node
    else:
        assert convert(node["default"], field.type) == default


@pytest.mark.parametrize(("path", "field", "node"), ALL, ids=IDS)
def test_types_are_the_same(path: str, field: Any, node: dict[str, Any]) -> None:
    assert json_types(field.type) == declared_types(node)


def declared_types(node: dict[str, Any]) -> set[str]:
    kinds = node["type"]
    return {kinds} if isinstance(kinds, str) else set(kinds)


def json_types(kind: Any) -> set[str]:
    """The JSON types that a field's annotation stands for."""
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return set().union(*(json_types(argument) for argument in typing.get_args(kind)))
    if typing.get_origin(kind) is typing.Literal:
        return {"integer" if isinstance(word, int) else "string" for word in typing.get_args(kind)}
    if typing.get_origin(kind) is tuple:
        return {"array"}
    if typing.get_origin(kind) is dict or issubclass(kind, msgspec.Struct):
        return {"object"}
    if issubclass(kind, Duration | Size | str):
        return {"string"}
    return {{int: "integer", float: "number", type(None): "null"}[kind]}


@pytest.mark.parametrize(("path", "field", "node"), ALL, ids=IDS)
def test_words_are_the_same(path: str, field: Any, node: dict[str, Any]) -> None:
    if "enum" not in node or path.startswith("pools.drift."):
        return  # drift: each field allows some of one enum's words
    kind = field.type
    words = [str(each) for each in kind] if _is_enum(kind) else list(typing.get_args(kind))
    assert node["enum"] == words


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, StrEnum)


def test_what_is_required_has_no_default() -> None:
    assert set(schema()["required"]) == {"version", "fleet", "provider", "pools"}
    assert schema()["$defs"]["pool"]["required"] == ["train"]
    assert schema()["$defs"]["train"]["required"] == ["command"]


def test_the_schema_is_sound_and_old_editors_understand_it() -> None:
    Draft202012Validator.check_schema(schema())
    assert not {"unevaluatedProperties", "unevaluatedItems", "$dynamicRef"} & set(_words(schema()))


def _words(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _words(child)


def test_a_written_spec_reads_back_as_the_same() -> None:
    spec = FleetSpec(version=1, fleet="f", provider="local", pools={"t": Pool(train=Train(command=("a",)))})
    assert convert(plain(spec), FleetSpec) == spec

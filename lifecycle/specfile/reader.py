"""Strict YAML: text -> plain values with the place of each, or every fault that can be told at once.

YAML 1.2 core scalars only. Refused, with their place: duplicate keys, anchors and aliases, tags,
several documents, keys that are not strings, more than 1 MiB, more than 64 levels, control and
direction-changing characters. Built on PyYAML's event stream, so depth is seen before anything is made.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from lifecycle.model.errors import Fault

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 64

Path = tuple[str | int, ...]
Place = tuple[int, int]

_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
)
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_BASED = re.compile(r"0o[0-7]{1,20}|0x[0-9a-fA-F]{1,15}")
_DIGITS = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Document:
    """What a file says, and where: `values` and `keys` give the place of each path's value and key."""

    name: str
    value: Any = None
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    broken: bool = False
    """Reading ended early: what follows from `value` may be wrong."""

    def fault(self, place: Place, message: str, path: Path = ()) -> None:
        line, column = place
        self.faults.append(Fault(file=self.name, line=line, column=column, path=spell(path), message=message))

    def place(self, path: Path) -> Place:
        """Where the value at `path` stands; of its nearest parent when it is not there."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, (1, 1))

    def key_place(self, path: Path) -> Place:
        return self.keys.get(path) or self.place(path)


def spell(path: Path) -> str:
    """`("pools", "a", "zones", 0)` -> `pools.a.zones[0]`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


def read(name: str, data: bytes) -> Document:
    """The document in `data`. Check `faults` first: with any, the value may be incomplete."""
    document = Document(name)
    text = _decoded(document, data)
    document.broken = text is None
    if text is not None:
        try:
            _Builder(document).build(yaml.parse(text, Loader=_LOADER))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            document.fault(_place(mark) if mark else (1, 1), _syntax(error))
            document.broken = True
    return document


def _decoded(document: Document, data: bytes) -> str | None:
    if len(data) > MAX_BYTES:
        document.fault((1, 1), f"the file has {len(data):,} bytes; a spec has at most {MAX_BYTES:,}")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = error.start - (before.rfind(b"\n") + 1) + 1
        document.fault((before.count(b"\n") + 1, column), "is not UTF-8 text")
        return None
    hidden = _HIDDEN.search(text)
    if hidden:
        before_text = text[: hidden.start()]
        place = (before_text.count("\n") + 1, hidden.start() - (before_text.rfind("\n") + 1) + 1)
        document.fault(place, f"has the hidden character U+{ord(hidden[0]):04X}; remove it")
        return None
    return text


def _syntax(error: yaml.MarkedYAMLError) -> str:
    said = (error.problem or error.context or "is not YAML").strip()
    if "\\t" in said or "'\\t'" in said or "tab" in said:
        return "a tab cannot indent YAML; use spaces"
    return f"is not YAML: {said}"


def _place(mark: Any) -> Place:
    return (mark.line + 1, mark.column + 1)


@dataclass(slots=True)
class _Level:
    """A mapping or sequence being filled; in a mapping `key` is the one that waits for its value."""

    container: Any
    path: Path
    key: str | None = None
    skip: bool = False


class _Builder:
    """Fills a document from parse events without recursion."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.stack: list[_Level] = []
        self.documents = 0

    def build(self, events: Iterator[Any]) -> None:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent) and not self._first(event):
                return
            if isinstance(event, yaml.NodeEvent):
                self._refuse_reference(event)
            if isinstance(event, yaml.CollectionStartEvent):
                if len(self.stack) >= MAX_DEPTH:
                    self.document.fault(_place(event.start_mark), f"is nested more than {MAX_DEPTH} levels deep")
                    self.document.broken = True
                    return
                self._open(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self.stack.pop()
            elif isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, yaml.AliasEvent):
                self._put(None, _place(event.start_mark))

    def _first(self, event: Any) -> bool:
        self.documents += 1
        if self.documents > 1:
            self.document.fault(_place(event.start_mark), "begins a second document; a spec is one")
        return self.documents == 1

    def _refuse_reference(self, event: Any) -> None:
        place = _place(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            self.document.fault(place, f"alias *{event.anchor}: write the value out, aliases are not read")
        elif event.anchor:
            self.document.fault(place, f"anchor &{event.anchor}: anchors are not read")
        if getattr(event, "tag", None):
            self.document.fault(place, f"tag {event.tag}: tags are not read")

    def _open(self, event: Any) -> None:
        container: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        path, key_expected = self._next_path(), self._key_expected()
        if key_expected:
            self.document.fault(_place(event.start_mark), "a key must be a string", path)
            self.stack[-1].key, self.stack[-1].skip = "", True
        else:
            self._put(container, _place(event.start_mark))
        self.stack.append(_Level(container, path))

    def _key_expected(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].container, dict) and self.stack[-1].key is None

    def _next_path(self) -> Path:
        if not self.stack:
            return ()
        level = self.stack[-1]
        step = len(level.container) if isinstance(level.container, list) else level.key
        return level.path if step is None else (*level.path, step)

    def _scalar(self, event: Any) -> None:
        place = _place(event.start_mark)
        if self._key_expected():
            self._key(event, place)
        else:
            self._put(self._value(event, place), place)

    def _key(self, event: Any, place: Place) -> None:
        level = self.stack[-1]
        plain = event.implicit[0]
        key = event.value
        level.key = key
        if plain and not isinstance(self._resolved(key, place, quiet=True), str):
            self.document.fault(place, f"key {key!r} must be a string; quote it", level.path)
        path = (*level.path, key)
        level.skip = key in level.container
        if level.skip:
            first = self.document.keys[path][0]
            self.document.fault(place, f"duplicate key; it stands at line {first} too", path)
        else:
            self.document.keys[path] = place

    def _put(self, value: Any, place: Place) -> None:
        path = self._next_path()
        if not self.stack:
            self.document.value = value
        elif isinstance(self.stack[-1].container, list):
            self.stack[-1].container.append(value)
        else:
            level = self.stack[-1]
            if not level.skip:
                level.container[level.key] = value
            level.key, skipped, level.skip = None, level.skip, False
            if skipped:
                return
        self.document.values[path] = place

    def _value(self, event: Any, place: Place) -> Any:
        return self._resolved(event.value, place) if event.implicit[0] else event.value

    def _resolved(self, text: str, place: Place, *, quiet: bool = False) -> Any:
        """A plain scalar by YAML 1.2's core schema; what its readers disagree on is refused."""
        if text in _WORDS:
            return _WORDS[text]
        if _INT.fullmatch(text):
            return int(text)
        if _BASED.fullmatch(text):
            return int(text, 0)
        if _DIGITS.fullmatch(text):
            if not quiet:
                why = "has a leading zero" if len(text) < 20 else "is too long a number"
                self.document.fault(place, f"{text[:24]!r} {why}; quote it if it is text", self._next_path())
            return 0
        unbounded = text.lower().lstrip("+-") in (".inf", ".nan")
        if not unbounded and not _FLOAT.fullmatch(text):
            return text
        number = math.inf if unbounded else float(text)
        if math.isinf(number) and not quiet:
            self.document.fault(place, f"{text!r} is not a finite number", self._next_path())
        return 0 if math.isinf(number) else number

"""Property bags as the engine sends them: paths into them, what differs between two, what a program had set.

Source of the path syntax: Pulumi's "property paths" (`tags["a:b"]`, `rules[0].status`, `*` for any).
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Properties = dict[str, Any]
Path = tuple[str | int, ...]
How = Literal["add", "delete", "update"]

_STEP = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|\.?([^.\[\]]+)')
_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_MISSING = object()


@dataclass(frozen=True)
class Change:
    """One leaf that differs."""

    path: Path
    how: How

    @property
    def names(self) -> tuple[str, ...]:
        """The path as a schema knows it, without places in lists."""
        return tuple(step for step in self.path if isinstance(step, str))


def parsed(text: str) -> Path:
    """The steps of `tags["steady:state"]` or `rules[0].status`."""
    steps: list[str | int] = []
    for quoted, place, name in _STEP.findall(text):
        if place and place != "*":
            steps.append(int(place))
        else:
            steps.append(name or place or quoted.replace('\\"', '"'))
    return tuple(steps)


def spelled(path: Path) -> str:
    """The reverse of `parsed`."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step)}]"
    return text


def without(properties: Properties, ignored: Collection[str]) -> Properties:
    """A copy that lacks what these property paths name."""
    kept = copy.deepcopy(properties)
    for text in ignored:
        _drop(kept, parsed(text))
    return kept


def _drop(value: Any, path: Path) -> None:
    if not path:
        return
    step, rest = path[0], path[1:]
    for key in [key for key in _keys(value) if step in ("*", key)]:
        if rest:
            _drop(value[key], rest)
        elif isinstance(value, dict):
            del value[key]
        else:
            value[key] = None


def _keys(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value)
    return list(range(len(value))) if isinstance(value, list) else []


def changes(old: Any, new: Any, at: Path = ()) -> Iterator[Change]:
    """Every leaf that differs. An empty map is as good as none."""
    if isinstance(old, dict) or isinstance(new, dict):
        yield from _changed_map(old, new, at)
    elif isinstance(old, list) and isinstance(new, list):
        for place in range(max(len(old), len(new))):
            yield from changes(_item(old, place), _item(new, place), (*at, place))
    elif old != new:
        yield Change(at, "add" if old is _MISSING else "delete" if new is _MISSING else "update")


def _changed_map(old: Any, new: Any, at: Path) -> Iterator[Change]:
    if not all(side is _MISSING or isinstance(side, dict) for side in (old, new)):
        yield Change(at, "update")
        return
    before, after = (side if isinstance(side, dict) else {} for side in (old, new))
    for key in sorted({*before, *after}):
        yield from changes(before.get(key, _MISSING), after.get(key, _MISSING), (*at, key))


def _item(values: Sequence[Any], place: int) -> Any:
    return values[place] if place < len(values) else _MISSING


def as_known(known: Any, seen: Any) -> Any:
    """What the cloud holds, as far as the program had set it: the rest are the cloud's own defaults.

    An empty value that the cloud does not mention is there all the same.
    """
    if isinstance(known, dict) and isinstance(seen, dict):
        kept = {key: as_known(value, seen[key]) for key, value in known.items() if key in seen}
        return kept | {key: value for key, value in known.items() if key not in seen and not value}
    if isinstance(known, list) and isinstance(seen, list):
        return [as_known(_item(known, place), value) for place, value in enumerate(seen)]
    return seen


def aligned(known: Any, seen: Any) -> Any:
    """The same items in the order the program gave them, where order means nothing."""
    if not (isinstance(known, list) and isinstance(seen, list)):
        return seen
    places = {_identity(item): place for place, item in enumerate(known)}
    return sorted(seen, key=lambda item: (places.get(_identity(item), len(places)), _identity(item)))


def _identity(item: Any) -> str:
    return str(item["name"]) if isinstance(item, Mapping) and "name" in item else json.dumps(item, sort_keys=True)


def same_document(known: Any, seen: Any) -> bool:
    """Whether two JSON texts say the same."""
    try:
        return bool(json.loads(known) == json.loads(seen))
    except (TypeError, ValueError):
        return bool(known == seen)

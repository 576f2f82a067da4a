"""The generated parts of the READMEs (state diagrams, fields, commands, metrics), and the example of a report.

`make docs` writes them anew; `tests/unit/test_generated.py` fails when one is stale. A part stands between
`<!-- generated: NAME -->` and `<!-- end of NAME -->`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from lifecycle.cli.entry import steady
from lifecycle.model.states import INSTANCE_MOVES, RUN_MOVES, diagram
from lifecycle.planning import series
from lifecycle.specfile.shape import schema
from tests import report_example

ROOT = Path(__file__).parent.parent
FILES = ("README.md", "lifecycle/README.md", "specs/README.md", "specs/alerts/README.md")


def instance_states() -> str:
    return f"```mermaid\n{diagram(INSTANCE_MOVES)}\n```"


def run_states() -> str:
    return f"```mermaid\n{diagram(RUN_MOVES)}\n```"


def commands() -> str:
    """A row per verb, from the program itself."""
    rows = ["| command | what it does |", "|---|---|"]
    with click.Context(steady, info_name="steady") as ctx:
        for usage, about in _verbs(ctx, steady):
            rows.append(f"| `{usage.replace('|', chr(92) + '|')}` | {about} |")
    return "\n".join(rows)


def _verbs(ctx: click.Context, group: click.Group) -> Iterator[tuple[str, str]]:
    for name in sorted(group.commands):
        command = group.commands[name]
        inner = click.Context(command, info_name=name, parent=ctx)
        if isinstance(command, click.Group):
            yield from _verbs(inner, command)
        else:
            arguments = " ".join(p.make_metavar(inner) for p in command.params if isinstance(p, click.Argument))
            yield f"{inner.command_path} {arguments}".strip(), command.help or ""


def metrics() -> str:
    """A row per family of measurements."""
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    rows += [f"| `{f.name}` | {f.measure} | {', '.join(f.labels)} | {f.about} |" for f in series.FAMILIES]
    return "\n".join(rows)


def fields() -> str:
    """A row per field of the spec, in the schema's order."""
    rows = ["| field | type | default | meaning |", "|---|---|---|---|"]
    rows += [f"| `{path}` | {kind} | {default} | {about} |" for path, kind, default, about in _fields(schema(), "")]
    return "\n".join(rows)


def _fields(node: dict[str, Any], path: str) -> Iterator[tuple[str, str, str, str]]:
    node = _resolved(node)
    required = node.get("required", [])
    for name, child in node.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        yield below, _type(child), _default(child, name in required), child["description"]
        yield from _fields(child, below)
    if path in ("pools", "hooks") and isinstance(node.get("additionalProperties"), dict):
        yield from _fields(node["additionalProperties"], f"{path}.NAME")
    if isinstance(node.get("items"), dict):
        yield from _fields(node["items"], f"{path}[]")


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    target = schema()["$defs"][node["$ref"].rpartition("/")[2]]
    return {**_resolved(target), **{k: v for k, v in node.items() if k != "$ref"}}


def _type(node: dict[str, Any]) -> str:
    if "enum" in _resolved(node):
        return " \\| ".join(str(word) for word in _resolved(node)["enum"])
    reference = node.get("$ref", "").rpartition("/")[2]
    if reference in ("duration", "size", "name"):
        return reference
    kinds = _resolved(node).get("type", "")
    names = [kinds] if isinstance(kinds, str) else [kind for kind in kinds if kind != "null"]
    return {"object": "mapping", "array": "list", "integer": "whole number"}.get(names[0], names[0])


def _default(node: dict[str, Any], required: bool) -> str:
    if required:
        return "required"
    value = _resolved(node).get("default")
    if value is None:
        return "-"
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


PARTS: dict[str, Callable[[], str]] = {
    "instance states": instance_states,
    "run states": run_states,
    "commands": commands,
    "metrics": metrics,
    "fields": fields,
}


def renewed(text: str) -> str:
    """`text` with every generated part as it should be."""

    def fresh(match: re.Match[str]) -> str:
        name = match[1]
        return f"<!-- generated: {name} -->\n{PARTS[name]()}\n<!-- end of {name} -->"

    return re.sub(r"<!-- generated: ([a-z ]+) -->\n.*?<!-- end of \1 -->", fresh, text, flags=re.DOTALL)


def main() -> None:
    for name in FILES:
        path = ROOT / name
        path.write_text(renewed(path.read_text()))
    report_example.main()


if __name__ == "__main__":
    main()

"""Markup from values: whatever is not markup already is escaped."""

from __future__ import annotations

from html import escape
from typing import TypeAlias


class Html(str):
    """Markup that may stand in a page as it is."""

    __slots__ = ()


_SHAPES = frozenset({"circle", "path", "rect", "use"})
"""Of a drawing; these alone may be closed where they are opened."""

Content: TypeAlias = "str | int | float | None"


def element(name: str, *children: Content, **attributes: str | int | float | bool | None) -> Html:
    """`<name ...>children</name>`. None is left out; `class_` is class, `data_x` is data-x, True has no value."""
    opened = "".join(_attribute(key, value) for key, value in attributes.items())
    inner = joined(*children)
    return Html(f"<{name}{opened}/>" if name in _SHAPES and not inner else f"<{name}{opened}>{inner}</{name}>")


def joined(*children: Content) -> Html:
    return Html("".join(each if isinstance(each, Html) else text(each) for each in children if each is not None))


def text(value: object) -> Html:
    """Escaped, and on one line: the page's script takes a table's rows line by line."""
    return Html(escape(str(value)).replace("\n", "&#10;").replace("\r", "&#13;"))


def _attribute(key: str, value: str | int | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{text(value)}"'

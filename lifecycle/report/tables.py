"""Tables: captioned, with heads for rows and columns, in a frame that scrolls by itself where it is narrow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lifecycle.report import words
from lifecycle.report.markup import Content, Html, element

PAGE = 100
"""So many rows of a long table stand in the page; its script shows the others page by page.

They lie in a `noscript`, a row a line: without a script they are a second table, with one they cost no layout.
"""


def table(caption: str, columns: Sequence[str], rows: Sequence[Html], *, name: str) -> Html:
    """A short table. `columns` that begin with `#` hold figures."""
    return _framed(_table(caption, columns, rows), caption, name)


def long_table(caption: str, columns: Sequence[Content], rows: Sequence[Html], *, name: str, none: str) -> Html:
    """A table that may be filtered, and is shown in pages."""
    shown, rest = rows[:PAGE], rows[PAGE:]
    more = element("noscript", Html("\n"), _table(f"{caption}, continued", columns, rest)) if rest else Html("")
    pager = element(
        "div",
        element("button", "Previous", type="button", data_step=-1),
        element("output", f"1 to {len(shown)} of {len(rows)}"),
        element("button", "Next", type="button", data_step=1),
        class_="pager",
        role="group",
        aria_label=f"Pages: {caption}",
        hidden=True,
    )
    nothing = element("p", none, class_="none", hidden=bool(rows))
    return element(
        "div", _framed(_table(caption, columns, shown), caption, name), more, pager, nothing, data_paged=name
    )


def row(head: Content, *cells: Content, traits: Sequence[Iterable[str]] = ()) -> Html:
    """`traits` are what it may be filtered by: pool, market, state and causes. Figures stand on the right."""
    found = "|".join(" ".join(trait) for trait in traits) or None
    drawn = (cell if isinstance(cell, Html) and cell.startswith("<td") else element("td", cell) for cell in cells)
    return element("tr", element("th", head, scope="row"), *drawn, data_f=found)


def figure(value: Content) -> Html:
    """A cell with a number."""
    return element("td", value, class_="n")


def moment(at: float) -> Html:
    return element("td", words.moment(at), class_="w")


def bar(part: float, kind: str) -> Html:
    """A cell that shows a share as a bar; the figure stands in the cell beside it."""
    width = f"{100 * min(1.0, max(0.0, part)):.1f}%"
    drawn = element("rect", class_=kind, width=width, height=10, rx=2) if part > 0 else None
    svg = element("svg", drawn, class_="bar", aria_hidden="true", width="100%", height=10)
    return element("td", svg, class_="b")


def _table(caption: str, columns: Sequence[Content], rows: Sequence[Html]) -> Html:
    heads = element("tr", *(_head(column) for column in columns))
    body = Html("".join(f"{each}\n" for each in rows))
    return element(
        "table", element("caption", caption), element("thead", heads), element("tbody", Html("\n"), body)
    )


def _head(column: Content) -> Html:
    if isinstance(column, Html):
        return element("th", column, scope="col")
    numeric = isinstance(column, str) and column.startswith("#")
    return element("th", str(column).removeprefix("#"), scope="col", class_="n" if numeric else None)


def _framed(inner: Html, caption: str, name: str) -> Html:
    return element("div", inner, class_="frame", role="region", tabindex=0, aria_label=caption, id=name)

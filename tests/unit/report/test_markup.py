"""Markup: whatever people wrote is text, never markup."""

from __future__ import annotations

import pytest

from lifecycle.report.markup import Html, element, joined


def test_text_is_escaped() -> None:
    assert element("td", "<b>&'\"") == "<td>&lt;b&gt;&amp;&#x27;&quot;</td>"


def test_markup_stays_as_it_is() -> None:
    assert element("p", element("b", "x"), " & y") == "<p><b>x</b> &amp; y</p>"


def test_an_attribute_cannot_be_left() -> None:
    assert element("td", title='" onclick="x') == '<td title="&quot; onclick=&quot;x"></td>'


@pytest.mark.parametrize(
    ("given", "shown"),
    [({"class_": "n"}, ' class="n"'), ({"data_f": 1}, ' data-f="1"'), ({"hidden": True}, " hidden")],
)
def test_attributes_are_named_as_in_html(given: dict[str, str], shown: str) -> None:
    assert element("p", **given) == f"<p{shown}></p>"


@pytest.mark.parametrize("absent", [None, False])
def test_an_attribute_that_is_absent_is_left_out(absent: bool | None) -> None:
    assert element("p", hidden=absent) == "<p></p>"


def test_a_line_break_stays_within_its_line() -> None:
    assert "\n" not in joined("two\nlines")


def test_shapes_are_closed_where_they_are_opened() -> None:
    assert element("path", d="M0 0") == '<path d="M0 0"/>'
    assert element("use", Html("<title>x</title>")) == "<use><title>x</title></use>"

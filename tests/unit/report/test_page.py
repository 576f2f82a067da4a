"""The whole page: complete, well formed, without a request, and within its size."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest

from lifecycle.model.holds import Hold, HoldKind
from lifecycle.planning.chronicle import Chronicle
from lifecycle.report.page import SECTIONS, page
from lifecycle.report.tables import PAGE
from tests.bench.reporting import a_long_chronicle
from tests.builders import NOW, a_hold, but
from tests.report_example import PAGE as EXAMPLE
from tests.report_example import example
from tests.unit.report.reading import PageRead

HOSTILE = "</noscript><script>alert(1)</script><img src=http://example.com/x onerror=alert(1)>"


@cache
def shown() -> PageRead:
    return PageRead(page(example()))


@cache
def a_thousand() -> str:
    return page(a_long_chronicle(1000))


def test_the_example_in_the_tree_is_fresh() -> None:
    assert page(example()) == EXAMPLE.read_text(), "run `make docs`"


def test_every_section_is_there_and_can_be_reached() -> None:
    assert [link for link in shown().links if link.startswith("#") and link[1:] not in shown().ids] == []
    assert {name for name, _ in SECTIONS} <= set(shown().ids)


def test_nothing_in_it_is_loaded_from_anywhere() -> None:
    assert {link for link in shown().links if not link.startswith("#")} == {"data:,"}
    assert not any("src" in attributes for _, attributes in shown().attributes)
    assert re.findall(r"url\(|@import|https?://", EXAMPLE.read_text()) == []


def test_it_says_when_it_was_made_of_which_spec_and_of_which_time() -> None:
    text = EXAMPLE.read_text()
    for said in ("2027-01-17 08:00 UTC", "spec generation 1", "2d, 2027-01-15 08:00 UTC to 2027-01-17 08:00 UTC"):
        assert said in text


def test_every_attempt_is_in_the_table_with_its_receipt() -> None:
    rows, attempts = shown().tables["attempts-table"][1:], [a for run in example().runs for a in run.attempts]
    assert len(rows) == len(attempts)
    digests = {a.receipt.digest[:12] for a in attempts if a.receipt}
    assert all(any(digest in row[-1] for row in rows) for digest in digests)


def test_every_node_has_a_lane() -> None:
    assert [row[0].split()[0] for row in shown().tables["nodes"][1:]] == [
        node.node.partition("/")[2] for node in example().nodes
    ]


def test_the_headline_is_the_sum_of_the_tables() -> None:
    causes = shown().tables["causes"][1:]
    steps = sum(int(row[3].replace(",", "")) for row in causes)
    ends = sum(int(row[4]) for row in causes)
    assert f"{steps:,} steps" in shown().texts["figures"]
    assert (steps, ends) == (sum(example().work.lost_steps.values()), sum(example().work.interruptions.values()))


def test_every_chart_has_its_table() -> None:
    assert {f"ages-{pool.pool}" for pool in example().ages} <= set(shown().tables)
    assert len(shown().tables["ages-trainers"]) == 49


@pytest.mark.parametrize(
    "changes",
    [
        {"spent": {"exact": False, "per_hour": None, "price_age": None}, "saying": "$?/h"},
        {"savings": {"dollars": None}, "saying": "unknown"},
        {"work": {"goodput": None}, "saying": "unknown"},
    ],
)
def test_what_is_not_known_says_so(changes: dict[str, Any]) -> None:
    saying = changes["saying"]
    parts = {name: but(getattr(example(), name), **new) for name, new in changes.items() if name != "saying"}
    assert saying not in shown().texts["figures"]
    assert saying in PageRead(page(but(example(), **parts))).texts["figures"]


def test_what_people_wrote_is_text() -> None:
    held = a_hold(HoldKind.STOP, reason=HOSTILE, by=HOSTILE)
    found = PageRead(page(_with(holds=(held,), sentence=HOSTILE)))
    assert found.tags.count("script") == shown().tags.count("script") == 1
    assert "img" not in found.tags
    assert HOSTILE in found.texts["now"]


def test_holds_and_refusals_stand_on_the_page() -> None:
    held = Hold(id="h", fleet="llm-7b", kind=HoldKind.SUSPEND, reason="an audit", by="ann", at=NOW)
    assert "suspend by ann" in PageRead(page(_with(holds=(held,)))).texts["now"]
    assert "Nothing is held." in shown().texts["now"]


def test_a_long_table_shows_its_first_page_and_keeps_the_rest_for_later() -> None:
    first, rest = a_thousand().partition("<noscript>")[::2]
    assert first.count('class="lane"') == PAGE
    assert rest.count('class="lane"') == 1000 - PAGE


def test_a_row_is_a_line_as_the_script_expects() -> None:
    rows = [line for line in a_thousand().splitlines() if line.startswith('<tr data-f="')]
    assert len(rows) == 1000 + 5 * 1000
    assert all(row.endswith("</tr>") for row in rows)


def test_a_thousand_nodes_over_72_hours_stay_under_5_megabytes() -> None:
    assert len(a_thousand().encode()) < 5e6


def test_a_fleet_without_a_past_has_a_page() -> None:
    assert "Nothing has trained." in PageRead(page(a_long_chronicle(0))).texts["ages"]


def _with(**changes: Any) -> Chronicle:
    return but(example(), status=but(example().status, **changes))

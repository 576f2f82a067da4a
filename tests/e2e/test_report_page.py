"""The report in a real browser: it asks nobody for anything, and can be read and used by everybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lifecycle.model.holds import HoldKind
from lifecycle.report.page import page
from tests.bench.reporting import a_long_chronicle
from tests.browser import HOW, find, launched
from tests.builders import a_hold, but
from tests.report_example import PAGE
from tests.tools.built import needed

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HOSTILE = "</noscript></td><script>document.title = 'taken'</script><img src='http://127.0.0.1:9/x'>"
Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched(needed(find(), HOW)) as browser:
        yield browser


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Opens a page; afterwards it must have asked for nothing but itself, and have met no error."""
    contexts, asked, errors = [], [], []

    def open_page(path: Path = PAGE, *, width: int = 1280, **how: object) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 800}, **how)
        contexts.append(context)
        tab = context.new_page()
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("console", lambda message: errors.append(message.text))
        tab.on("pageerror", lambda error: errors.append(str(error)))
        tab.goto(path.as_uri())
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert errors == []


@pytest.fixture(scope="module")
def long_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "long.html"
    path.write_text(page(a_long_chronicle(250)))
    return path


def rows(tab: Page, table: str) -> int:
    return tab.locator(f"#{table} tbody tr").count()


# ---- reading -------------------------------------------------------------------------------------


def test_it_renders_every_section(opened: Open) -> None:
    tab = opened()
    assert tab.title() == "llm-7b: fleet report"
    heads = ["In figures", "Now", "Nodes", "Work at stake", "Work lost", "Cost", "Attempts", "Journal"]
    assert tab.locator("section > h2").all_inner_texts() == heads
    assert tab.locator("svg.lane").first.bounding_box()["width"] > 600  # type: ignore[index]


def test_a_node_that_trained_all_the_time_has_a_full_lane(opened: Open) -> None:
    lane, train = opened().evaluate(
        """() => ["svg.lane", "path.train"].map((of) =>
          document.querySelector(`#nodes tbody tr:last-child ${of}`).getBoundingClientRect().width)"""
    )
    assert train == pytest.approx(lane, rel=0.01)


def test_dark_and_light_differ_and_both_can_be_read(opened: Open) -> None:
    grounds = set()
    for scheme in ("light", "dark"):
        tab = opened(color_scheme=scheme)
        assert tab.evaluate(CONTRAST, "body") >= 7
        assert min(tab.evaluate(CONTRAST, of) for of in ("figcaption", ".note", "#nodes small", ".state")) >= 4.5
        grounds.add(tab.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2


def test_the_page_itself_never_scrolls_sideways(opened: Open, long_page: Path) -> None:
    for path in (PAGE, long_page):
        tab = opened(path)
        for width in (320, 700, 1280):
            tab.set_viewport_size({"width": width, "height": 800})
            assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_phone_a_lane_is_as_wide_as_the_screen_allows(opened: Open) -> None:
    box = opened(width=320).locator("svg.lane").first.bounding_box()
    assert box is not None
    assert box["width"] > 240


def test_on_a_phone_nothing_of_what_matters_first_is_cut_off(opened: Open) -> None:
    tab = opened(width=320)
    for table in ("nodes", "conditions", "causes", "markets", "pools"):
        assert tab.locator(f"#{table}").evaluate("(frame) => frame.scrollWidth <= frame.clientWidth"), table


def test_without_scripts_every_row_can_be_read(opened: Open, long_page: Path) -> None:
    tab = opened(long_page, java_script_enabled=False)
    assert tab.locator("svg.lane:visible").count() == 250
    assert not tab.locator("#filters").is_visible()


def test_what_people_wrote_is_shown_and_does_nothing(opened: Open, tmp_path: Path) -> None:
    found = a_long_chronicle(1)
    status = but(found.status, holds=(a_hold(HoldKind.STOP, reason=HOSTILE),))
    (tmp_path / "hostile.html").write_text(page(but(found, status=status)))
    tab = opened(tmp_path / "hostile.html")
    assert HOSTILE in tab.locator("#now li").inner_text()
    assert tab.title() == "f: fleet report"


# ---- filters and pages ---------------------------------------------------------------------------


def test_a_filter_leaves_what_it_names(opened: Open) -> None:
    tab = opened()
    tab.get_by_label("Pool", exact=True).select_option("ranks")
    assert rows(tab, "nodes") == 3
    assert all("ranks" in text for text in tab.locator("#attempts-table tbody th").all_inner_texts())


def test_filters_add_up_and_are_taken_back_together(opened: Open) -> None:
    tab = opened()
    before = rows(tab, "attempts-table")
    tab.get_by_label("Market", exact=True).select_option("spot")
    tab.get_by_label("Cause", exact=True).select_option("hardware")
    assert 0 < rows(tab, "attempts-table") < before
    tab.get_by_role("button", name="Show all").click()
    tab.wait_for_function("n => document.querySelectorAll('#attempts-table tbody tr').length === n", arg=before)


def test_what_matches_nothing_says_so(opened: Open) -> None:
    tab = opened()
    tab.get_by_label("Pool", exact=True).select_option("eval")
    tab.get_by_label("Cause", exact=True).select_option("spot")
    assert tab.get_by_text("Nothing matches the filters.").first.is_visible()


def test_long_tables_are_paged(opened: Open, long_page: Path) -> None:
    tab = opened(long_page)
    pager = tab.locator("[data-paged=nodes] .pager")
    assert (rows(tab, "nodes"), pager.locator("output").inner_text()) == (100, "1 to 100 of 250")
    pager.get_by_role("button", name="Next").click()
    pager.get_by_role("button", name="Next").click()
    assert (rows(tab, "nodes"), pager.locator("output").inner_text()) == (50, "201 to 250 of 250")
    assert pager.get_by_role("button", name="Next").is_disabled()


def test_a_filter_looks_at_all_pages(opened: Open, long_page: Path) -> None:
    tab = opened(long_page)
    tab.locator("[data-paged=nodes] .pager").get_by_role("button", name="Next").click()
    tab.get_by_label("Cause", exact=True).select_option("spot")
    assert tab.locator("[data-paged=attempts-table] output").inner_text() == "1 to 100 of 1000"
    assert tab.locator("[data-paged=nodes] output").inner_text() == "1 to 100 of 250"


# ---- by keyboard, and by ear ---------------------------------------------------------------------


def test_the_first_stop_skips_to_the_figures(opened: Open) -> None:
    tab = opened()
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.getAttribute('href')") == "#figures"
    assert tab.get_by_text("Skip to the figures").bounding_box()["x"] >= 0  # type: ignore[index]


def test_the_keyboard_reaches_every_filter_and_sees_where_it_is(opened: Open) -> None:
    tab, reached = opened(), set()
    for _ in range(20):
        tab.keyboard.press("Tab")
        name, outline = tab.evaluate(FOCUS)
        reached.add(name)
        assert outline not in ("none", "0px")
    assert {"by-pool", "by-market", "by-state", "by-cause", "nodes"} <= reached


def test_it_has_its_landmarks_and_every_table_its_caption(opened: Open) -> None:
    tab = opened()
    for role in ("banner", "navigation", "main", "contentinfo", "form"):
        assert tab.get_by_role(role).count() == 1, role
    assert tab.evaluate("document.documentElement.lang") == "en"
    assert tab.evaluate("[...document.querySelectorAll('table')].every((t) => t.caption?.textContent)")
    assert tab.evaluate("[...document.querySelectorAll('th')].every((th) => th.scope)")


def test_every_picture_is_described_or_has_a_twin_of_text(opened: Open) -> None:
    told = "[...document.querySelectorAll('svg')].filter((s) => !s.ownerSVGElement)"
    assert opened().evaluate(f"{told}.every((s) => s.getAttribute('aria-label') || s.getAttribute('aria-hidden'))")


def test_every_control_has_a_name(opened: Open) -> None:
    nameless = "[...document.querySelectorAll('select')].filter((s) => !s.labels.length)"
    assert opened().evaluate(f"{nameless}.length") == 0


FOCUS = """() => {
  const style = getComputedStyle(document.activeElement);
  return [document.activeElement.id, style.outlineStyle === 'none' ? 'none' : style.outlineWidth];
}"""

CONTRAST = """(selector) => {
  const parts = (colour) => colour.match(/[0-9.]+/g).map(Number);
  const light = (colour) => parts(colour).slice(0, 3).map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const element = document.querySelector(selector);
  let ground = element;
  while (parts(getComputedStyle(ground).backgroundColor)[3] === 0) ground = ground.parentElement;
  const [ink, paper] = [light(getComputedStyle(element).color), light(getComputedStyle(ground).backgroundColor)];
  return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
}"""

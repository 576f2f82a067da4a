"""Whatever two specs say: their review can be told, in one comment's room, and a spec against itself is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from lifecycle.model.fleet import FleetSpec, Mode
from lifecycle.model.world import Observed
from lifecycle.planning import assumed, planner
from lifecycle.planning.markdown import LIMIT, code, document
from lifecycle.planning.review import Review, reviewed
from tests.builders import NOW, a_record, but
from tests.properties.test_planner import planned, specs, worlds

SETTINGS = settings(max_examples=80, deadline=None, derandomize=True)


@st.composite
def fleets(draw: Callable[..., Any]) -> FleetSpec:
    """Of one pool or two, independent or a gang."""
    modes = {name: draw(st.sampled_from(Mode)) for name in draw(st.sampled_from(["t", "tu"]))}
    spec = draw(specs())
    return but(spec, pools={name: but(draw(specs()).pools["t"], mode=mode) for name, mode in modes.items()})


def against(before: FleetSpec, after: FleetSpec) -> Review:
    """As `plan --base` compares them."""
    there = a_record(assumed.timeless(assumed.toward(before, after)))
    observed = assumed.world(there, {}, NOW)
    return told(before, after, observed)


def told(before: FleetSpec | None, after: FleetSpec, observed: Observed) -> Review:
    return reviewed(
        path="f.yaml",
        before=before,
        after=after,
        where=lambda path: f"f.yaml:{len(path)}",
        plan=planner.plan(assumed.timeless(after), observed, NOW),
        observed=observed,
        now=NOW,
        assumed=True,
    )


@SETTINGS
@given(fleets())
def test_a_spec_against_itself_is_no_change(spec: FleetSpec) -> None:
    found = against(spec, spec)
    assert (found.quiet, found.plan.actions, found.plan.waiting) == (True, (), ())


@SETTINGS
@given(fleets(), fleets())
def test_every_machine_that_a_change_touches_has_a_field_for_it(before: FleetSpec, after: FleetSpec) -> None:
    found = against(before, after)
    assert [group.evidence for group in found.groups if not group.because] == []


@SETTINGS
@given(fleets(), fleets())
def test_any_change_can_be_told_in_any_room(before: FleetSpec, after: FleetSpec) -> None:
    found = against(before, after)
    assert len(document([found])) <= LIMIT
    assert len(document([found] * 3, limit=2000)) <= 2000


@SETTINGS
@given(worlds())
def test_any_world_can_be_told(observed: Observed) -> None:
    settled, found = planned(observed)
    if settled.record is not None:
        review = but(told(None, settled.record.spec, settled), plan=found)
        assert document([review])


@SETTINGS
@given(st.text(max_size=400))
def test_no_text_leaves_its_code_span(text: str) -> None:
    paragraph, inline, closing = MarkdownIt("commonmark").parse(f"- x {code(text)} y")[2:5]
    kinds = [child.type for child in inline.children or ()]
    assert (paragraph.type, kinds, closing.type) == (
        "paragraph_open",
        ["text", "code_inline", "text"],
        "paragraph_close",
    )

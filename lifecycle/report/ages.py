"""The age of checkpoints over time, a chart for each pool, with the same as a table below."""

from __future__ import annotations

from collections.abc import Iterator

from lifecycle.model.quantities import spoken
from lifecycle.planning.ages import SLICES, PoolAges
from lifecycle.planning.chronicle import Chronicle
from lifecycle.report import words
from lifecycle.report.axis import UNITS, Axis, labels
from lifecycle.report.markup import Html, element
from lifecycle.report.tables import figure, row, table

_TALL = 72
_WIDE = UNITS / SLICES
_ABOUT = "How old the newest checkpoint of a pool's worst run was while it trained: what a sudden death would cost."


def staleness(found: Chronicle) -> Html:
    axis = Axis(found.begin, found.end)
    pools = [_pool(pool, axis) for pool in found.ages] or [element("p", "Nothing has trained.", class_="none")]
    about = element("p", _ABOUT, class_="about")
    return element("section", element("h2", "Work at stake"), about, *pools, id="ages")


def _pool(pool: PoolAges, axis: Axis) -> Html:
    caption = element("figcaption", element("strong", pool.pool), f" {'; '.join(_said(pool))}")
    rows = [
        row(words.moment(at), figure(spoken(age) if age is not None else "-")) for at, age in _slices(pool, axis)
    ]
    twin = element(
        "details",
        element("summary", "The same as a table"),
        table(f"Oldest checkpoint of {pool.pool}", ("From", "#At most"), rows, name=f"ages-{pool.pool}"),
    )
    return element("figure", caption, _area(pool), labels(axis), twin)


def _said(pool: PoolAges) -> Iterator[str]:
    yield "no max_lost_work is declared" if pool.limit is None else f"max_lost_work {spoken(pool.limit)}"
    yield f"at most {spoken(pool.oldest.seconds)}, {pool.oldest.run} at {words.moment(pool.oldest.at)}"
    if pool.over is not None:
        yield f"beyond it for {pool.over:.1%} of the time trained"


def _slices(pool: PoolAges, axis: Axis) -> Iterator[tuple[float, float | None]]:
    width = (axis.end - axis.begin) / SLICES
    return ((axis.begin + number * width, age) for number, age in enumerate(pool.slices))


def _area(pool: PoolAges) -> Html:
    """Of each slice a column; `max_lost_work` as a line across."""
    known = [age for age in pool.slices if age is not None]
    top = 1.15 * max([*known, pool.limit or 0.0], default=0.0) or 1.0
    columns = [(number, _TALL * (1 - age / top)) for number, age in enumerate(pool.slices) if age is not None]
    filled = "".join(f"M{n * _WIDE:.0f} {_TALL}V{y:.0f}h{_WIDE + 1:.0f}V{_TALL}" for n, y in columns)
    edge = "".join(f"M{n * _WIDE:.0f} {y:.0f}h{_WIDE + 1:.0f}" for n, y in columns)
    drawn = [element("path", d=filled, class_="area"), element("path", d=edge, class_="edge")]
    said = None
    if pool.limit:
        y = round(_TALL * (1 - pool.limit / top))
        drawn.append(element("path", d=f"M0 {y}h{UNITS}", class_="limit"))
        said = element("text", f"max_lost_work {spoken(pool.limit)}", x=4, y=y - 4 if y > 14 else y + 12)
    inner = element(
        "svg", *drawn, viewBox=f"0 0 {UNITS} {_TALL}", preserveAspectRatio="none", width="100%", height=_TALL
    )
    return element("svg", inner, said, class_="ages", aria_hidden="true", width="100%", height=_TALL)

"""Where time, work and money went: tables whose bars say nothing that their figures do not."""

from __future__ import annotations

from collections.abc import Iterator

from lifecycle.model.quantities import spoken
from lifecycle.planning.ages import SLICES, PoolAges
from lifecycle.planning.chronicle import Chronicle
from lifecycle.report import words
from lifecycle.report.axis import UNITS, Axis, labels
from lifecycle.report.markup import Html, element
from lifecycle.report.tables import bar, figure, row, table

_TALL = 72
_WIDE = UNITS / SLICES


def money(found: Chronicle) -> Html:
    most = max((market.spent for market in found.markets), default=0.0)
    markets = [
        row(
            market.market,
            bar(market.spent / most if most else 0.0, "money"),
            figure(words.dollars(market.spent, exact=market.exact)),
            figure(f"{market.hours:,.1f}"),
            figure(words.count(market.machines)),
        )
        for market in found.markets
    ]
    heads = ("Market", "Share", "#Cost", "#Hours", "#Machines")
    pools = [
        row(
            cost.pool,
            figure(words.dollars(cost.spent, exact=cost.exact)),
            figure("none" if cost.total is None else words.dollars(cost.total)),
            figure(words.UNKNOWN if cost.per_hour is None else f"{words.dollars(cost.per_hour)}/h"),
        )
        for cost in found.status.costs
    ]
    return element(
        "section",
        element("h2", "Cost"),
        table("Cost by market", heads, markets, name="markets"),
        table("Cost by pool", ("Pool", "#Cost", "#Budget", "#Rate now"), pools, name="pools"),
        id="cost",
    )


def causes(found: Chronicle) -> Html:
    work = found.work
    names = sorted(
        {*work.lost_steps, *work.lost_seconds, *work.interruptions}, key=lambda c: -work.lost_seconds.get(c, 0)
    )
    most = max(work.lost_seconds.values(), default=0.0)
    rows = [
        row(
            cause,
            bar(work.lost_seconds.get(cause, 0.0) / most if most else 0.0, "lost"),
            figure(spoken(work.lost_seconds.get(cause, 0.0))),
            figure(words.count(work.lost_steps.get(cause, 0))),
            figure(words.count(work.interruptions.get(cause, 0))),
        )
        for cause in names
    ]
    heads = ("Cause", "Share of time", "#Not training", "#Steps lost", "#Interruptions")
    body = (
        table("Work lost by cause", heads, rows, name="causes")
        if rows
        else element("p", "Nothing was lost.", class_="none")
    )
    return element("section", element("h2", "Work lost"), body, id="lost")


def staleness(found: Chronicle) -> Html:
    axis = Axis(found.begin, found.end)
    pools = [_pool(pool, axis) for pool in found.ages] or [element("p", "Nothing has trained.", class_="none")]
    return element(
        "section", element("h2", "Work at stake"), element("p", _ABOUT, class_="about"), *pools, id="ages"
    )


_ABOUT = "How old the newest checkpoint of a pool's worst run was while it trained: what a sudden death would cost."


def _pool(pool: PoolAges, axis: Axis) -> Html:
    limit = "no max_lost_work is declared" if pool.limit is None else f"max_lost_work {spoken(pool.limit)}"
    said = [limit]
    if pool.oldest is not None:
        said.append(f"at most {spoken(pool.oldest.seconds)}, {pool.oldest.run} at {words.moment(pool.oldest.at)}")
    if pool.over is not None:
        said.append(f"beyond it for {pool.over:.1%} of the time trained")
    caption = element("figcaption", element("strong", pool.pool), f" {'; '.join(said)}")
    rows = [
        row(words.moment(at), figure(words.span(age) if age is not None else "-"))
        for at, age in _slices(pool, axis)
    ]
    twin = element(
        "details",
        element("summary", "The same as a table"),
        table(f"Oldest checkpoint of {pool.pool}", ("From", "#At most"), rows, name=f"ages-{pool.pool}"),
    )
    return element("figure", caption, _area(pool), labels(axis), twin)


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

"""Where work and money went: tables whose bars say nothing that their figures do not."""

from __future__ import annotations

from lifecycle.model.quantities import spoken
from lifecycle.planning.chronicle import Chronicle
from lifecycle.report import words
from lifecycle.report.markup import Html, element
from lifecycle.report.tables import bar, figure, row, table


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
    work, lost = found.work, found.work.lost_seconds
    names = sorted({*work.lost_steps, *lost, *work.interruptions}, key=lambda cause: (-lost.get(cause, 0.0), cause))
    most = max(lost.values(), default=0.0)
    rows = [
        row(
            cause,
            bar(lost.get(cause, 0.0) / most if most else 0.0, "lost"),
            figure(spoken(lost.get(cause, 0.0))),
            figure(words.count(work.lost_steps.get(cause, 0))),
            figure(words.count(work.interruptions.get(cause, 0))),
        )
        for cause in names
    ]
    heads = ("Cause", "Share of time", "#Not training", "#Steps lost", "#Interruptions")
    body = table("Work lost by cause", heads, rows, name="causes") if rows else None
    none = None if rows else element("p", "Nothing was lost.", class_="none")
    return element("section", element("h2", "Work lost"), body, none, id="lost")

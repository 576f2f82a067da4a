"""The first lines: what it is about, five figures, and what stands in the way now."""

from __future__ import annotations

from collections.abc import Iterator

from lifecycle.model.quantities import spoken
from lifecycle.model.records import Condition
from lifecycle.planning.chronicle import Chronicle
from lifecycle.planning.cost import rate
from lifecycle.planning.holds import line
from lifecycle.planning.moments import utc
from lifecycle.report import words
from lifecycle.report.markup import Html, element, joined
from lifecycle.report.tables import long_table, moment, row


def banner(found: Chronicle) -> Html:
    status = found.status
    by = f", applied {utc(found.applied_at)} by {found.applied_by}" if found.applied_at is not None else ""
    spec = f"spec generation {status.generation}{by}" if status.generation else "no spec stands: it was destroyed"
    lasted = f"{spoken(found.end - found.begin)}, {utc(found.begin)} to {utc(found.end)}"
    facts = (("Made", utc(found.made_at)), ("Of", spec), ("Shows", lasted))
    return element(
        "header",
        element("p", "Steadyfleet report", class_="kind"),
        element("h1", status.fleet),
        element("p", status.sentence, class_="sentence"),
        element("dl", *(element("div", element("dt", name), element("dd", what)) for name, what in facts)),
    )


def figures(found: Chronicle) -> Html:
    tiles = (_cost(found), _saved(found), _lost(found), _interruptions(found), _goodput(found))
    return element("section", element("h2", "In figures"), element("dl", *tiles, class_="tiles"), id="figures")


def _tile(name: str, figure: str, *notes: str) -> Html:
    small = (element("dd", note, class_="note") for note in notes if note)
    return element("div", element("dt", name), element("dd", figure, class_="figure"), *small)


def _cost(found: Chronicle) -> Html:
    spent = found.spent
    age = "" if spent.price_age is None else f", prices {spoken(spent.price_age)} old"
    bound = "" if spent.exact else "at least: part of it at no known price"
    return _tile(
        "Cost so far", words.dollars(spent.dollars, exact=spent.exact), f"{rate(spent.per_hour)} now{age}", bound
    )


def _saved(found: Chronicle) -> Html:
    saved = found.savings
    if saved.dollars is None:
        return _tile("Saved against on demand", words.UNKNOWN, "no price on demand, or no hours, are known")
    whole = saved.dollars + sum(m.spent for m in found.markets if m.market == "spot")
    part = f"{saved.dollars / whole:.0%} less than on demand" if saved.exact and whole > 0 else ""
    listed = "" if saved.listed_at is None else f"by prices of {words.date(saved.listed_at)}"
    bound = "" if saved.exact else "of the machines whose hours and prices are known"
    return _tile("Saved by spot", words.dollars(saved.dollars, exact=saved.exact), part, listed, bound)


def _lost(found: Chronicle) -> Html:
    """A sudden death leaves no last word: then it is at least so much."""
    work = found.work
    steps, bound = sum(work.lost_steps.values()), "" if work.lost_exact else "at least: "
    return _tile(
        "Work lost",
        f"{'' if work.lost_exact else '~'}{words.count(steps)} steps",
        f"{bound}{words.by_cause(work.lost_steps)}" if steps else "",
        f"{words.count(work.spared_steps)} spared by saves" if work.spared_steps else "",
        f"{spoken(sum(work.lost_seconds.values()))} not training",
    )


def _interruptions(found: Chronicle) -> Html:
    by = found.work.interruptions
    attempts = sum(len(run.attempts) for run in found.runs)
    return _tile(
        "Interruptions",
        words.count(sum(by.values())),
        words.by_cause(by) if by else "",
        f"of {attempts:,} attempts",
    )


def _goodput(found: Chronicle) -> Html:
    work = found.work
    whole = work.training_seconds + sum(work.lost_seconds.values())
    return _tile(
        "Goodput", words.share(work.goodput), f"trained {spoken(work.training_seconds)} of {spoken(whole)}"
    )


def now(found: Chronicle) -> Html:
    """Conditions, holds and refusals as they stand."""
    fleet = f"{found.status.fleet}/"
    conditions = [row(who.removeprefix(fleet), *_condition(each)) for who, each in _conditions(found)]
    heads = ("Of", "Condition", "Reason", "Message", "Since")
    said = long_table("Conditions", heads, conditions, name="conditions", none="No condition stands out.")
    refused = [
        f"{r.node}: {r.action} refused by {r.guard}: {r.evidence}; override: {r.override}" for r in found.refusals
    ]
    return element(
        "section",
        element("h2", "Now"),
        _listed("Held", [line(hold) for hold in found.status.holds]) or _none("Nothing is held."),
        _listed("Refused", refused) or _none("Nothing is refused."),
        said,
        id="now",
    )


def _listed(name: str, items: list[str]) -> Html | None:
    if not items:
        return None
    return joined(element("h3", name), element("ul", *(element("li", each) for each in items)))


def _none(said: str) -> Html:
    return element("p", said, class_="none")


def _conditions(found: Chronicle) -> Iterator[tuple[str, Condition]]:
    status = found.status
    yield from ((status.fleet, each) for each in status.conditions)
    yield from ((pool.pool, each) for pool in status.pools for each in pool.conditions)
    yield from ((node.node, each) for node in status.nodes for each in node.conditions)


def _condition(condition: Condition) -> tuple[str, str, str, Html]:
    return f"{condition.type}={condition.status}", condition.reason, condition.message, moment(condition.since)

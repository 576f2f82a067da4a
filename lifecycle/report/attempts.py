"""Every attempt with its receipt, and every node with its lane; both may be filtered."""

from __future__ import annotations

from collections.abc import Iterator

from lifecycle.model.ids import NodeName
from lifecycle.model.quantities import spoken
from lifecycle.planning.chronicle import Chronicle, NodeShown
from lifecycle.planning.history import AttemptShown, CheckpointShown, ProofShown, RunShown
from lifecycle.report import words
from lifecycle.report.axis import Axis, grid, labels
from lifecycle.report.markup import Html, element, joined
from lifecycle.report.tables import figure, long_table, moment, row
from lifecycle.report.timeline import HEIGHT, LETTERS, drawn, signs

NO_MATCH = "Nothing matches the filters."


def timeline(found: Chronicle) -> Html:
    axis = Axis(found.begin, found.end)
    rows = [_lane(node, axis) for node in found.nodes]
    columns = ("Node", joined(element("span", "From left to right, UTC", class_="unseen"), labels(axis)))
    return element(
        "section",
        element("h2", "Nodes"),
        _filters(found),
        _legend(),
        element("svg", element("defs", grid(axis, HEIGHT), signs()), class_="unseen", aria_hidden="true"),
        long_table("Timeline of every node, the worst first", columns, rows, name="nodes", none=NO_MATCH),
        id="timeline",
    )


def _lane(node: NodeShown, axis: Axis) -> Html:
    head = joined(
        element("span", _short(node.node), class_="name"),
        " ",
        element("span", node.state, class_=f"state {node.state}"),
        element("small", ", ".join(_facts(node))),
    )
    traits = ((node.pool,), (node.market,), (node.state,), node.causes)
    return row(head, drawn(node.lane, axis), traits=traits)


def _facts(node: NodeShown) -> Iterator[str]:
    yield node.market
    now = node.now
    if now and now.run and now.run.step is not None:
        yield f"step {words.count(now.run.step)}"
    if now and now.checkpoint:
        yield f"saved {spoken(now.checkpoint.age_seconds)} ago"
    if node.lost_steps:
        yield f"{words.count(node.lost_steps)} lost"


def attempts(found: Chronicle) -> Html:
    """The newest first."""
    states = {node.node: node for node in found.nodes}
    every = sorted(
        ((run, attempt) for run in found.runs for attempt in run.attempts),
        key=lambda each: (-(each[1].started or 0.0), each[0].run, -each[1].attempt),
    )
    rows = [_attempt(run, attempt, states.get(attempt.node), found.end) for run, attempt in every]
    heads = ("Run", "#Attempt", "Where", "Began", "#Lasted", "#Steps", "Ended", "#Lost", "Receipt")
    return element(
        "section",
        element("h2", "Attempts"),
        long_table(
            "Every attempt and what it left, the newest first", heads, rows, name="attempts-table", none=NO_MATCH
        ),
        id="attempts",
    )


def _attempt(run: RunShown, attempt: AttemptShown, node: NodeShown | None, now: float) -> Html:
    began, name = attempt.started, NodeName.parse(attempt.node)
    lasted = None if began is None else (attempt.ended or now) - began
    traits = ((name.pool,), (attempt.market,), (node.state if node else run.state,), (attempt.cause or "",))
    return row(
        run.run.partition(".")[2],
        figure(attempt.attempt),
        f"{_where(attempt)}, {attempt.market}",
        moment(began) if began is not None else "never",
        figure(spoken(lasted) if lasted is not None else "-"),
        figure(_steps(attempt)),
        _ended(attempt),
        figure(element("strong", words.count(attempt.lost_steps)) if attempt.lost_steps else 0),
        _receipt(attempt.receipt or _newest(run, attempt)),
        traits=traits,
    )


def _steps(attempt: AttemptShown) -> str:
    first = words.count(attempt.from_step or 0)
    return f"{first} to {words.count(attempt.to_step)}" if attempt.outcome else f"from {first}"


def _newest(run: RunShown, attempt: AttemptShown) -> CheckpointShown | None:
    """Of one that is under way: what it has saved so far."""
    if attempt.outcome is not None:
        return None
    made = (each for each in run.checkpoints if each.epoch == attempt.attempt and each.sound)
    return max(made, key=lambda each: each.step, default=None)


def _where(attempt: AttemptShown) -> str:
    more = f" and {len(attempt.ranks) - 1} more" if len(attempt.ranks) > 1 else ""
    return f"{_short(attempt.node)} #{attempt.incarnation}{more}"


def _ended(attempt: AttemptShown) -> Html:
    by = f" by {attempt.cause}" if attempt.cause else ""
    detail = element("small", attempt.detail) if attempt.detail else None
    return joined(f"{attempt.outcome or 'under way'}{by}", detail)


def _receipt(proof: ProofShown | CheckpointShown | None) -> Html:
    if proof is None:
        return joined("none")
    digest = element("code", proof.digest[:12])
    made = element("small", f"{words.size(proof.bytes)}, {words.moment(proof.at)}")
    return element("td", f"step {words.count(proof.step)} ", digest, made, class_="w")


def _short(node: str) -> str:
    return NodeName.parse(node).short


def _filters(found: Chronicle) -> Html:
    """They work by the page's script, and show themselves only with it."""
    nodes = found.nodes
    causes = {cause for node in nodes for cause in node.causes}
    fields = (
        _select("Pool", {node.pool for node in nodes}),
        _select("Market", {node.market for node in nodes} | {a.market for run in found.runs for a in run.attempts}),
        _select("State", {node.state for node in nodes}),
        _select("Cause", causes),
    )
    reset = element("button", "Show all", type="reset")
    return element("form", *fields, reset, id="filters", aria_label="Filter nodes and attempts", hidden=True)


def _select(name: str, values: set[str]) -> Html:
    options = (element("option", value) for value in sorted(values))
    chosen = element("select", element("option", "all", value=""), *options, id=f"by-{name.lower()}")
    return element("div", element("label", name, for_=f"by-{name.lower()}"), chosen)


_KINDS = {
    "train": "trains",
    "lost": "trained in vain, done again",
    "wait": "starting",
    "save": "save, or a row of saves",
    "spot": "machine on spot",
    "demand": "machine on demand",
    "hold": "held",
}
"""What a lane is made of: the paths of `timeline.drawn`."""


def _legend() -> Html:
    kinds = [element("li", _sample(name), what) for name, what in _KINDS.items()]
    letters = ", ".join(f"{letter} {cause}" for cause, letter in LETTERS.items())
    ends = element("li", element("strong", "Ends and notices: "), f"{letters}, ✓ completed", class_="wide")
    return element("ul", *kinds, ends, class_="legend", aria_label="Legend")


def _sample(name: str) -> Html:
    path = {"save": "M2 5v5M10 5v5M18 5v5"}.get(name, "M0 8h24")
    return element(
        "svg", element("path", d=path, class_=name), width=24, height=16, aria_hidden="true", class_="sample"
    )

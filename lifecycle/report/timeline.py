"""One node's lane as a picture: few paths, whatever happened, and a sign for each end and notice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lifecycle.model.states import WARNED, Cause, Outcome
from lifecycle.planning.lanes import Lane, Sign, Trial
from lifecycle.report import words
from lifecycle.report.axis import UNITS, Axis
from lifecycle.report.markup import Html, element, joined

HEIGHT = 34
_SIGNS, _BAR, _SAVES, _MACHINE = 6, 18, 25, 32

APART = 16
"""Saves that are less far apart, in units, are drawn as one rail: as a row of dots they would be a grey bar."""

FOLLOWED = 900.0
"""A notice that an end of its cause follows within so many seconds is told by that end's sign."""

LETTERS = {
    Cause.SPOT: "S",
    Cause.REBALANCE: "R",
    Cause.MAINTENANCE: "M",
    Cause.HARDWARE: "H",
    Cause.USER_ERROR: "U",
    Cause.CONTROLLER: "C",
    Cause.OPERATOR: "O",
    Cause.SCHEDULE: "T",
    Cause.BUDGET: "B",
    Cause.DRIFT: "D",
}
_FAULTS = frozenset({Cause.HARDWARE, Cause.USER_ERROR, Cause.CONTROLLER})


def signs() -> Html:
    """The sign of every cause, to be used by all lanes."""
    known = [_sign(str(cause), letter, _kind(cause)) for cause, letter in LETTERS.items()]
    return joined(*known, _sign("unknown", "?", "fault"), _sign("completed", "✓", "good"))


def _sign(name: str, letter: str, kind: str) -> Html:
    return element(
        "g", element("circle", r=6), element("text", letter, y=3, text_anchor="middle"), id=f"c-{name}", class_=kind
    )


def _kind(cause: Cause) -> str:
    return "market" if cause in WARNED else "fault" if cause in _FAULTS else "people"


def drawn(lane: Lane, axis: Axis) -> Html:
    """The picture. Its label says the same in figures; each attempt stands in the table below."""
    stretched = {"viewBox": f"0 0 {UNITS} {HEIGHT}", "preserveAspectRatio": "none"}
    inner = element("svg", element("use", href="#grid"), *_paths(lane, axis), **stretched)
    return element("svg", inner, *_marks(lane, axis), class_="lane", role="img", aria_label=label(lane))


def label(lane: Lane) -> str:
    """`3 attempts, 36 saves, 2 machines; ended by spot at 27 Nov 03:10; ...`"""
    counts = (
        f"{len(lane.trials)} attempts, {len(lane.saves)} saves, {len(lane.notices)} notices, "
        f"{len(lane.stays)} machines"
    )
    ends = [f"{_end(trial)} {words.moment(trial.end)}" for trial in lane.trials if trial.end is not None]
    more = [f"and {len(ends) - 3} ends before"] if len(ends) > 3 else []
    return "; ".join([counts, *ends[-3:], *more])


def _paths(lane: Lane, axis: Axis) -> Iterator[Html]:
    end = axis.end
    yield from _bar("hold", ((a, b or end) for a, b in lane.holds), HEIGHT // 2, axis)
    yield from _bar("spot", ((s.begin, s.end or end) for s in lane.stays if s.market == "spot"), _MACHINE, axis)
    yield from _bar("demand", ((s.begin, s.end or end) for s in lane.stays if s.market != "spot"), _MACHINE, axis)
    yield from _bar("wait", ((t.given, t.begin or t.end or end) for t in lane.trials), _BAR, axis)
    trained = [(t.begin, t.end or end) for t in lane.trials if t.begin is not None]
    yield from _bar("train", trained, _BAR, axis)
    lost = [(t.lost_from, t.end or end) for t in lane.trials if t.lost_from is not None]
    yield from _bar("lost", lost, _BAR, axis)
    if lane.saves:
        yield element("path", d=_rails(lane.saves, axis), class_="save")


def _bar(name: str, spans: Iterable[tuple[float, float]], y: int, axis: Axis) -> Iterator[Html]:
    """All spans of one kind as one path; what would be too short to be seen is drawn one unit long."""
    drawn = "".join(f"M{axis.x(a)} {y}h{max(1, axis.x(b) - axis.x(a))}" for a, b in spans if b >= a)
    if drawn:
        yield element("path", d=drawn, class_=name)


def _rails(saves: Sequence[float], axis: Axis) -> str:
    """A tick for each save; those that are close together as one line from the first to the last."""
    groups: list[list[int]] = []
    for place in sorted({axis.x(at) for at in saves}):
        if groups and place - groups[-1][-1] < APART:
            groups[-1].append(place)
        else:
            groups.append([place])
    return "".join(_rail(group) for group in groups)


def _rail(group: Sequence[int]) -> str:
    first, last = group[0], group[-1]
    if len(group) < 3:
        return "".join(f"M{place} {_SAVES}v4" for place in group)
    return f"M{first} {_SAVES}v4m0-2H{last}m0-2v4"


def _marks(lane: Lane, axis: Axis) -> Iterator[Html]:
    for notice in lane.notices:
        if not any(_follows(trial, notice) for trial in lane.trials):
            yield _mark(axis, notice.at, notice.cause, f"notice of {notice.cause}, {words.moment(notice.at)}")
    for trial in lane.trials:
        if trial.end is not None and trial.outcome != Outcome.VOID:
            name = "completed" if trial.outcome == Outcome.COMPLETED else trial.cause or "unknown"
            lost = ", work lost" if trial.lost_from is not None else ""
            yield _mark(axis, trial.end, name, f"{_end(trial)}{lost}, {words.moment(trial.end)}")


def _mark(axis: Axis, at: float, name: str, said: str) -> Html:
    return element("use", element("title", said), href=f"#c-{name}", x=axis.percent(at), y=_SIGNS)


def _follows(trial: Trial, notice: Sign) -> bool:
    return trial.end is not None and 0 <= trial.end - notice.at <= FOLLOWED and trial.cause == notice.cause


def _end(trial: Trial) -> str:
    by = f" by {trial.cause}" if trial.cause else ""
    return f"attempt {trial.attempt} {trial.outcome}{by}"

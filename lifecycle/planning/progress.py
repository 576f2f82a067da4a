"""How fast runs go on, when they will be done and how long a notice leaves, from what agents reported.

Nothing is guessed: a rate takes two reports of one attempt, an end takes a rate and the trainer's own word of the
step it ends at; of a silent agent neither is said. Spans between reports are by the node's clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from lifecycle.model.quantities import spoken
from lifecycle.model.records import Report
from lifecycle.model.world import Observed
from lifecycle.planning.view import SILENT_AFTER

WINDOW = 300.0
"""Seconds of reports that a rate is taken from: long enough for slow steps, short enough to follow a change."""


class Sample(msgspec.Struct, frozen=True):
    """One report: the step and when, by the node's clock; and when it was first seen, by ours."""

    at: float
    step: int
    seen: float


Key = tuple[str, str, int]
"""The node, its run and the attempt."""

Paces = Mapping[Key, tuple[Sample, ...]]

NONE_YET: Paces = {}


class NoticeStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A provider's warning. `seconds_left` to its deadline; None for advice, which has none."""

    cause: str
    seconds_left: float | None


def followed(before: Paces, observed: Observed, now: float) -> dict[Key, tuple[Sample, ...]]:
    """What is known of the attempts under way, this look's reports among it. Other attempts are forgotten."""
    found = {}
    for report in observed.reports.values():
        if (key := _key(report)) is not None and report.step is not None:
            found[key] = _with(before.get(key, ()), Sample(report.at, report.step, now))
    return found


def _key(report: Report | None) -> Key | None:
    if report is None or report.run is None or report.attempt is None:
        return None
    return report.node, report.run, report.attempt


def _with(known: tuple[Sample, ...], new: Sample) -> tuple[Sample, ...]:
    """A clock or a step that went back begins anew."""
    if not known:
        return (new,)
    last = known[-1]
    if (new.at, new.step) == (last.at, last.step):
        return known
    if new.at <= last.at or new.step < last.step:
        return (new,)
    return (*(sample for sample in known if sample.at >= new.at - WINDOW), new)


def rate(paces: Paces, report: Report | None, now: float) -> float | None:
    """Steps a second; None until two reports of the attempt were seen, and once its agent is silent."""
    samples = _samples(paces, report, now)
    if len(samples) < 2:
        return None
    first, last = samples[0], samples[-1]
    return (last.step - first.step) / (last.at - first.at)


def seconds_to_end(paces: Paces, report: Report | None, now: float) -> float | None:
    """Until the last step, at the present rate; None where that, or the last step, is not known."""
    speed = rate(paces, report, now)
    if report is None or report.total is None or not speed:
        return None
    newest = _samples(paces, report, now)[-1]
    return max(0.0, (report.total - newest.step) / speed - (now - newest.seen))


def _samples(paces: Paces, report: Report | None, now: float) -> tuple[Sample, ...]:
    key = _key(report)
    samples = paces.get(key, ()) if key is not None else ()
    return samples if samples and now - samples[-1].seen <= SILENT_AFTER else ()


def notice(report: Report | None, now: float) -> NoticeStatus | None:
    """The notice that the machine of this report is under."""
    told = report.notice if report else None
    if told is None:
        return None
    left = None if told.deadline is None else round(max(0.0, told.deadline - now), 1)
    return NoticeStatus(cause=told.cause, seconds_left=left)


def noticed(notices: Iterable[NoticeStatus | None]) -> str:
    """`2 under notice, the first has 8s left`; empty when there is none."""
    told = [each for each in notices if each is not None]
    left = [each.seconds_left for each in told if each.seconds_left is not None]
    if not left:
        return f"{len(told)} under notice" if told else ""
    first = "" if len(told) == 1 else "the first has "
    return f"{len(told)} under notice, {first}{spoken(min(left))} left"


def speed_in_words(per_second: float) -> str:
    """`3.2 steps/s`, `12 steps/min`, `4.5 steps/h`: in the unit that shows at least one."""
    if per_second == 0:
        return "no new step"
    for seconds, unit in ((1, "s"), (60, "min")):
        if per_second * seconds >= 1:
            return f"{_two_digits(per_second * seconds)} steps/{unit}"
    return f"{_two_digits(per_second * 3600)} steps/h"


def _two_digits(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}"

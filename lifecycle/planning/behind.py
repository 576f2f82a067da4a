"""The rule about a tracker that knows less than an agent: it was put back, or its answer is of yesterday."""

from __future__ import annotations

from lifecycle.planning.decision import Decision, wait
from lifecycle.planning.view import NodeView


def tracker(view: NodeView) -> Decision | None:
    """The agent speaks of an attempt that was not given out yet: nothing follows from such records."""
    told = lag(view)
    return wait(view, f"the tracker to catch up: {told}") if told else None


def lag(view: NodeView) -> str:
    """What shows that our records are behind the agent's; empty where they are not."""
    report, attempt = view.report, view.run.attempt if view.run else None
    given = attempt.number if attempt else 0
    ended = report.ended if report else None
    told = [(report.run, report.attempt)] if report else []
    told += [(ended.run, ended.attempt)] if ended else []
    had = max((number for run, number in told if run == view.run_id and number is not None), default=0)
    return f"its agent had attempt {had} of {view.run_id}, which on record has had {given}" if had > given else ""

"""Checkpoint age as desired state: what `max_lost_work` asks for, and what is said when it does not come.

Age counts from the newest checkpoint, and at the earliest from the attempt's start. A run that was found stale
stays so until a newer checkpoint is there, whatever becomes of its attempts.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lifecycle.model.fleet import Pool
from lifecycle.model.journal import Entry, EntryKind
from lifecycle.model.plan import Instruct, Kind, Reason
from lifecycle.model.quantities import Duration, spoken
from lifecycle.model.records import Attempt, Condition, Desired, Order, Phase, Report, Run, Status
from lifecycle.model.states import RunState
from lifecycle.model.world import Observed
from lifecycle.planning.decision import Decision, act
from lifecycle.planning.view import SILENT_AFTER, NodeView

CONDITION = "CheckpointStale"
_replace = msgspec.structs.replace


class Age(msgspec.Struct, frozen=True, kw_only=True):
    """Of the work that would be lost now: since when, in seconds, and in whole spans of `max_lost_work`."""

    since: float
    seconds: float
    spans: int


def stale(view: NodeView, attempt: Attempt, order: Order) -> Decision | None:
    """The newest checkpoint is older than `max_lost_work`: a save is ordered, once per such span.

    Of a gang rank 0 is asked: its trainers agree on every save, and asked by all it would come more than once.
    """
    if view.rank:
        return None
    age = _age(_limit(view.pool), attempt, view.report, view.now)
    if age is None or age.spans < 1 or order.save == (save := f"{_asks(attempt, age)}{age.spans}"):
        return None
    reason = Reason(cause="max_lost_work", evidence=f"its newest checkpoint is {spoken(age.seconds)} old")
    asked = _replace(
        order, number=order.number + 1, desired=Desired.SAVED, save=save, at=view.now, reason=reason.evidence
    )
    return act(view, Kind.SAVE, reason, Instruct(order=asked))


def marked(observed: Observed, run: Run, now: float) -> Run:
    """The run, stale since now when the save that was ordered did not come; no longer once a newer one is there."""
    limit = _limit(observed.record.spec.pools.get(run.pool) if observed.record else None)
    attempt = run.attempt
    if limit is None or attempt is None or run.state is RunState.COMPLETED:
        return _young(run)
    report = observed.reports.get(attempt.node)
    if run.stale_since is not None:
        receipt = report.receipt if report and report.run == run.run else attempt.receipt
        return _young(run) if receipt and receipt.at > run.stale_since else run
    age = _age(limit, attempt, report, now)
    if age is None or report is None or now - report.at > SILENT_AFTER:
        return run
    late = _did_not_come(attempt, age, report, observed.orders.get(attempt.node))
    return _replace(run, stale_since=now) if late else run


def _young(run: Run) -> Run:
    return run if run.stale_since is None else _replace(run, stale_since=None)


def told(before: Run, after: Run, now: float) -> Iterator[Entry]:
    """What the journal says when a run is found stale, and when it no longer is."""
    attempt = after.attempt
    if attempt is None or (before.stale_since is None) == (after.stale_since is None):
        return
    found = after.stale_since is not None
    yield Entry(
        at=now,
        kind=EntryKind.OBSERVED,
        what="checkpoint is stale" if found else "checkpoint is no longer stale",
        node=attempt.node,
        run=after.run,
        cause="max_lost_work",
        evidence="the save that was ordered did not come" if found else "",
    )


def conditions(view: NodeView, now: float) -> Iterator[Condition]:
    """`CheckpointStale`: True, or Unknown while its agent is silent. What is young enough is not told."""
    limit, attempt, run = _limit(view.pool), view.attempt, view.run
    if limit is None or run is None:
        return
    silent = attempt is not None and attempt.open and view.silence > SILENT_AFTER
    age = now - _newest(view)
    if silent and age > limit:
        what = (
            f"its newest known checkpoint is {spoken(age)} old, and its agent is silent for {spoken(view.silence)}"
        )
        yield _condition(Status.UNKNOWN, "AgentSilent", what, now - view.silence)
    elif run.stale_since is not None:
        what = f"its newest checkpoint is {spoken(age)} old (max_lost_work {limit}); the save ordered did not come"
        yield _condition(Status.TRUE, "NoSaveCame", what, run.stale_since)


def _limit(pool: Pool | None) -> Duration | None:
    return (pool.checkpoint.max_lost_work or None) if pool else None


def _age(limit: Duration | None, attempt: Attempt, report: Report | None, now: float) -> Age | None:
    """None where nothing trains under this attempt, or nothing was asked for."""
    if limit is None or attempt.started_at is None or not attempt.open:
        return None
    if report is None or report.phase is not Phase.TRAINING or report.attempt != attempt.number:
        return None
    since = max(attempt.started_at, report.receipt.at if report.receipt else 0.0)
    return Age(since=since, seconds=now - since, spans=int((now - since) // limit))


def _asks(attempt: Attempt, age: Age) -> str:
    """How the ids of all saves begin that are ordered for this age."""
    return f"age-{attempt.number}-{age.since:.0f}-"


def _did_not_come(attempt: Attempt, age: Age, report: Report, order: Order | None) -> bool:
    """Answered without a newer checkpoint, which is given up; or not in a whole span."""
    asked = order.save if order and order.save and order.save.startswith(_asks(attempt, age)) else None
    gave_up = asked is not None and asked in report.answered
    return asked is not None and (gave_up or age.spans >= 2)


def _newest(view: NodeView) -> float:
    """When the newest checkpoint was made; when its run's attempt was given out, without any."""
    attempt = view.run.attempt if view.run else None
    known = [view.report.receipt if view.report else None, attempt.receipt if attempt else None, *view.receipts[:1]]
    made = [receipt.at for receipt in known if receipt is not None and receipt.run == view.run_id]
    return max(made, default=attempt.given_at if attempt else view.now)


def _condition(status: Status, reason: str, message: str, since: float) -> Condition:
    return Condition(type=CONDITION, status=status, reason=reason, message=message, since=since)

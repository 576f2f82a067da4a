"""What an agent cannot tell the journal: what a start costs in steps, and an end that it did not live to see."""

from __future__ import annotations

from collections.abc import Iterator

from lifecycle.model.gang import Member
from lifecycle.model.journal import Entry, EntryKind
from lifecycle.model.records import Attempt, Run
from lifecycle.planning import gangs

NO_LAST_WORD = "its machine went without a last word from the agent"


def entries(before: Run, after: Run, now: float) -> Iterator[Entry]:
    """Entries of the journal that follow from how a run changed with this observation."""
    attempt = after.attempt
    if attempt is None or before.attempt is None:
        return
    if before.attempt.started_at is None and attempt.started_at is not None:
        yield _entry(after, attempt, now, "trainer started", "", _started_from(attempt, before))
    for rank in _unseen_ends(before.attempt, attempt):
        one = gangs.alone(attempt, rank)
        yield _entry(after, one, now, f"attempt {one.number} {one.outcome}", NO_LAST_WORD, "")


def _unseen_ends(before: Attempt, after: Attempt) -> Iterator[Member]:
    """The ranks, or the one machine, of which it became known now that they ended without a last word."""
    if not after.members:
        yield from () if after.open or after.witnessed else after.ranks
        return
    known = {rank.node for rank in before.members if rank.outcome is not None}
    yield from (rank for rank in after.members if rank.outcome and not rank.witnessed and rank.node not in known)


def _entry(run: Run, attempt: Attempt, now: float, what: str, evidence: str, result: str) -> Entry:
    return Entry(
        at=now,
        kind=EntryKind.OBSERVED,
        what=what,
        node=attempt.node,
        run=run.run,
        cause=attempt.cause or "",
        evidence=evidence,
        result=result,
    )


def _started_from(attempt: Attempt, before: Run) -> str:
    where = f"from step {attempt.from_step}" if attempt.from_step else "from the beginning"
    began = f"attempt {attempt.number} on incarnation {attempt.incarnation} {where}"
    if before.reached is None or not attempt.lost_steps:
        return began
    bound = "" if before.reached.exact else "at least "
    return f"{began}; {bound}{attempt.lost_steps} steps to do again, booked to {before.reached.cause}"

"""An attempt that was given out and never ordered: its controller was cut short in between.

No agent may start it, and writes of orders are fenced: whoever holds the lease may order it again, or close it.
"""

from __future__ import annotations

import msgspec

from lifecycle.model.records import Attempt, Outcome, Run
from lifecycle.model.states import Cause
from lifecycle.model.world import Observed
from lifecycle.planning import attempts

WHY = "given out and never ordered; its train section has changed since"


def outdated(observed: Observed, run: Run, attempt: Attempt) -> bool:
    """Whether nobody was ordered to start it, and its train section is not the declared one any more."""
    pool = observed.record.spec.pools.get(run.pool) if observed.record else None
    if attempt.started_at is not None or pool is None or attempt.fingerprint == attempts.fingerprint(pool):
        return False
    return not any(attempts.ordered(observed.orders.get(node), attempt) for node in run.nodes)


def closed(attempt: Attempt, now: float) -> Attempt:
    """The attempt as one that never was, for every rank: the next one is of the section that is declared."""
    void = {"outcome": Outcome.VOID, "cause": Cause.CONTROLLER}
    members = tuple(
        msgspec.structs.replace(rank, **void) if rank.outcome is None else rank for rank in attempt.members
    )
    return msgspec.structs.replace(attempt, ended_at=now, members=members, detail=WHY, **void)

"""A gang's attempt: one number for all ranks, and one judgement once every rank has ended.

It is booked to the gravest cause that any rank tells of: ranks that fell over because a peer was taken are no
error of the user. Only a gang whose ranks have all completed has completed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from lifecycle.model.gang import Member
from lifecycle.model.records import Attempt
from lifecycle.model.states import Cause, Outcome, RunState
from lifecycle.planning.receipts import greatest

PORTS = range(15000, 30000)
"""Below what operating systems give out by themselves."""

_GRAVITY = (
    Cause.SPOT,
    Cause.REBALANCE,
    Cause.MAINTENANCE,
    Cause.HARDWARE,
    Cause.OPERATOR,
    Cause.SCHEDULE,
    Cause.BUDGET,
    Cause.DRIFT,
    Cause.CONTROLLER,
    Cause.USER_ERROR,
)
_SLOWEST_FIRST = (RunState.INTERRUPTED, RunState.STARTING, RunState.CHECKPOINTING, RunState.TRAINING)


def port(run: str, attempt: int) -> int:
    """Where rank 0 listens. Another attempt has another port, so one that is taken is no trouble for long."""
    digest = hashlib.sha256(f"{run}/{attempt}".encode()).digest()
    return PORTS[int.from_bytes(digest[:8], "big") % len(PORTS)]


def member(attempt: Attempt, node: str) -> Member | None:
    """The rank that `node` has in this attempt."""
    return next((rank for rank in attempt.ranks if rank.node == node), None)


def alone(attempt: Attempt, rank: Member) -> Attempt:
    """The attempt as this rank has it: open until the rank has ended."""
    if not attempt.members:
        return attempt
    return msgspec.structs.replace(
        attempt,
        node=rank.node,
        incarnation=rank.incarnation,
        outcome=rank.outcome,
        cause=rank.cause,
        witnessed=rank.witnessed,
    )


def given_to(attempt: Attempt, node: str, incarnation: int) -> Attempt | None:
    """The attempt as this machine has it; None when it was given to another one."""
    if not attempt.members:
        return attempt if attempt.node == node and attempt.incarnation == incarnation else None
    rank = member(attempt, node)
    return alone(attempt, rank) if rank and rank.incarnation == incarnation else None


def joined(attempt: Attempt, one: Attempt) -> Attempt:
    """The gang's attempt, once it is known how it ended for one of its ranks."""
    known = Member(
        node=one.node, incarnation=one.incarnation, outcome=one.outcome, cause=one.cause, witnessed=one.witnessed
    )
    before = gravest(attempt)
    members = tuple(known if rank.node == one.node else rank for rank in attempt.members)
    graver = one.detail and (before is None or _gravity(known) < _gravity(before))
    return msgspec.structs.replace(
        attempt,
        members=members,
        ended_at=max(filter(None, (attempt.ended_at, one.ended_at)), default=None),
        to_step=max((step for step in (attempt.to_step, one.to_step) if step is not None), default=None),
        exact=attempt.exact and one.exact,
        forced=attempt.forced or one.forced,
        receipt=greatest(attempt.receipt, one.receipt),
        spared_steps=max(attempt.spared_steps, one.spared_steps),
        detail=f"{one.node}: {one.detail}" if graver else attempt.detail,
        witnessed=attempt.witnessed and one.witnessed,
    )


def over(attempt: Attempt) -> bool:
    """Whether it is known of every rank how it ended."""
    return all(rank.outcome is not None for rank in attempt.members)


def judged(attempt: Attempt) -> Attempt:
    """The verdict on an attempt that is over."""
    worst = gravest(attempt)
    if worst is None:
        return msgspec.structs.replace(attempt, outcome=Outcome.COMPLETED, cause=None)
    void = worst.outcome is Outcome.VOID and attempt.started_at is not None
    outcome = Outcome.INTERRUPTED if void else worst.outcome
    return msgspec.structs.replace(attempt, outcome=outcome, cause=worst.cause)


def gravest(attempt: Attempt) -> Member | None:
    """Of the ranks that have ended without completing, the one with the gravest cause."""
    if not attempt.members:
        return None
    fallen = [rank for rank in attempt.members if rank.outcome not in (None, Outcome.COMPLETED)]
    return min(fallen, key=_gravity, default=None)


def _gravity(rank: Member) -> int:
    return _GRAVITY.index(rank.cause) if rank.cause is not None else len(_GRAVITY)


def slowest(states: Iterable[RunState]) -> RunState:
    """The state of a gang: that of the rank that is furthest behind."""
    return min(states, key=_SLOWEST_FIRST.index)

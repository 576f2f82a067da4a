"""Whether a run may start another attempt, and what that attempt is.

Epochs and retries are given out by the controller only. Retries are counted as failures of one cause in
a row without a newer receipt, so a spot storm never uses up the retries for the user's own errors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from lifecycle.model.codec import encode
from lifecycle.model.fleet import Pool, Resume, Retries
from lifecycle.model.records import Attempt, Order, Outcome, Receipt, Run
from lifecycle.model.states import Cause, RunState

BACKOFF = (0.0, 1.0, 5.0, 15.0, 60.0, 300.0)
"""Seconds to wait after the first, second, ... failure in a row; the last one from there on."""


class VerdictKind(StrEnum):
    GO = "go"
    LATER = "later"
    ASK = "ask"
    """Only a person may let it start (`steady start --resume`)."""
    NEVER = "never"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    kind: VerdictKind
    why: str = ""
    until: float | None = None


GO = Verdict(kind=VerdictKind.GO)


_KNOWN: dict[int, tuple[Pool, str]] = {}
"""The fingerprints of the pools met lately, by their identity: asked for three times a node."""


def fingerprint(pool: Pool) -> str:
    """A digest of what makes a run go on differently: its train section but for the resume policy."""
    known = _KNOWN.get(id(pool))
    if known is None or known[0] is not pool:
        if len(_KNOWN) > 100:
            _KNOWN.clear()
        known = _KNOWN[id(pool)] = (pool, _fingerprint(pool))
    return known[1]


def _fingerprint(pool: Pool) -> str:
    train = pool.train
    parts = (
        train.command,
        train.workdir,
        sorted(train.env.items()),
        train.profile,
        pool.checkpoint.directory,
    )
    return hashlib.sha256(encode((parts, train.hyperparameters))).hexdigest()[:16]


def ordered(order: Order | None, attempt: Attempt) -> bool:
    """Whether this order is of this attempt."""
    assignment = order.assignment if order else None
    return assignment is not None and (assignment.run, assignment.attempt) == (attempt.run, attempt.number)


def verdict(pool: Pool | None, run: Run | None, resumable: Sequence[Receipt], now: float) -> Verdict:
    """May the run's next attempt start? `resumable`: the receipts it may go on from."""
    if pool is None:
        return Verdict(kind=VerdictKind.NEVER, why="the spec does not declare this node")
    if run is None or run.attempt is None:
        return GO
    if run.state is RunState.COMPLETED:
        return Verdict(kind=VerdictKind.NEVER, why="completed")
    if run.allowed > run.attempt.number or run.attempt.open:
        return GO
    return (
        _after_failure(pool, run, run.attempt, now)
        or _by_policy(pool, run.attempt)
        or _all_unsound(pool, run, resumable)
        or GO
    )


def told(verdict: Verdict, run: Run) -> str:
    """Why, with the node to type."""
    return verdict.why.replace("NODE", run.nodes[0])


def _after_failure(pool: Pool, run: Run, last: Attempt, now: float) -> Verdict | None:
    cause = last.cause
    failed = last.outcome in (Outcome.FAILED, Outcome.INTERRUPTED)
    if not failed or cause is None or last.fingerprint != fingerprint(pool):
        return None
    count, limit = run.failures.get(cause, 0), allowed_retries(pool.budget.retries, cause)
    if limit is not None and count > limit:
        why = f"{count} failures in a row by {cause}, {limit} retries allowed: {last.detail or last.outcome}"
        return Verdict(kind=VerdictKind.NEVER, why=f"{why}; `steady start NODE --resume` tries again")
    due = (last.ended_at or now) + backoff(count, f"{run.run}#{last.number}")
    if now < due:
        return Verdict(kind=VerdictKind.LATER, why=f"backing off after failure {count} by {cause}", until=due)
    return None


def _by_policy(pool: Pool, last: Attempt) -> Verdict | None:
    if pool.train.resume is Resume.MANUAL and last.started_at is not None:
        return Verdict(kind=VerdictKind.ASK, why="resume: manual; `steady start NODE --resume` goes on")
    return None


def _all_unsound(pool: Pool, run: Run, resumable: Sequence[Receipt]) -> Verdict | None:
    """It has checkpoints, and every one turned out damaged: nobody starts over without being told to."""
    if run.mark is None or resumable or pool.train.resume is Resume.NEVER:
        return None
    why = "none of its checkpoints is sound; `steady start NODE --resume` starts from the beginning"
    return Verdict(kind=VerdictKind.ASK, why=why)


def allowed_retries(retries: Retries, cause: Cause) -> int | None:
    """How many failures in a row of this cause are tried again; None: without limit."""
    return {
        Cause.SPOT: retries.spot,
        Cause.HARDWARE: retries.hardware,
        Cause.USER_ERROR: retries.user_error,
    }.get(cause)


def backoff(failures: int, key: str) -> float:
    """Seconds to wait after this many failures in a row: up to half as long again, by a key that is one attempt's.

    Every look at the same facts finds the same moment, and a fleet that failed at once does not return at once.
    """
    chance = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64
    return BACKOFF[min(max(failures, 1), len(BACKOFF)) - 1] * (1 + chance / 2)

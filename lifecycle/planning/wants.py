"""Which instruction counts: the strictest of order, drain claim, notices and the machine's own end.

The agent acts alone when the controller is away: a notice needs nobody's order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from lifecycle.model.demand import AskMode, Demand
from lifecycle.model.fleet import OnCompletion, WithoutCheckpoint
from lifecycle.model.journal import Tick
from lifecycle.model.records import (
    Desired,
    DrainClaim,
    Ended,
    Notice,
    Order,
    Outcome,
    Report,
)
from lifecycle.model.states import Cause

ABANDONED_AFTER = 900.0
"""Seconds that a machine whose run has completed waits for a controller before it powers itself off."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent knows of the world around its trainer."""

    instance: str
    incarnation: int
    order: Order | None = None
    drain: DrainClaim | None = None
    notices: Sequence[Notice] = ()
    shutdown_at: float | None = None
    """When a shutdown of this machine, under way now, will have killed everything."""
    orphaned: bool = False
    """The machine's own process is dead."""
    grace: float = 90.0
    peers: Sequence[Report] = ()
    """The last words of the other ranks about the attempt that this machine trains."""
    refused: Sequence[str] = ()
    answered: Sequence[str] = ()


def strictest(around: Surroundings, now: float) -> Demand | None:
    """The one demand to put to the trainer; None: train on."""
    demands = sorted(_demands(around, now), key=_strictness)
    if not demands:
        return None
    of_drain = next((demand for demand in demands if demand.drain), demands[0])
    return msgspec.structs.replace(demands[0], drain=of_drain.drain, ends=of_drain.ends, blocking=of_drain.blocking)


def own(around: Surroundings, now: float) -> Demand | None:
    """What this machine itself is asked for, whatever its peers are."""
    return strictest(msgspec.structs.replace(around, peers=()), now)


def of_attempt(reports: Iterable[Report], run: str, attempt: int) -> tuple[Report, ...]:
    """The reports that are about this attempt, under way or ended there. Others say nothing of it."""
    return tuple(report for report in reports if _about(report, run, attempt))


def _about(report: Report, run: str, attempt: int) -> bool:
    ended = report.ended
    over = ended is not None and (ended.run, ended.attempt) == (run, attempt)
    return over or (report.run, report.attempt) == (run, attempt)


def may_start(around: Surroundings, now: float) -> bool:
    """Whether a training order may be started at all. A refused drain still stands in the way."""
    claimed = around.drain is not None and _claims(around, around.drain, now)
    return not claimed and all(demand.mode is AskMode.SAVE for demand in _demands(around, now))


def finished(order: Order | None, ended: Ended | None, now: float) -> bool:
    """Whether the run that was ordered here completed a while ago, and its machine was to end with it."""
    ours = order.assignment if order is not None and order.desired is Desired.TRAINING else None
    if ours is None or ended is None or ended.outcome is not Outcome.COMPLETED:
        return False
    same = (ours.run, ours.attempt) == (ended.run, ended.attempt)
    return same and ours.on_completion is OnCompletion.TERMINATE and now - ended.at >= ABANDONED_AFTER


def abandoned(tick: Tick | None, now: float) -> bool:
    """Whether no controller has come by for so long that the machine has to see to its own end."""
    return tick is None or now - tick.at >= ABANDONED_AFTER


def live_claim(around: Surroundings, now: float) -> DrainClaim | None:
    """The drain claim on this very machine, if one stands."""
    claim = around.drain
    return claim if claim is not None and _claims(around, claim, now) else None


def _strictness(demand: Demand) -> tuple[bool, bool, float]:
    never = float("inf")
    leaves = demand.mode is AskMode.SAVE_AND_EXIT
    return not leaves, not demand.futile, never if demand.deadline is None else demand.deadline


def _demands(around: Surroundings, now: float) -> Iterator[Demand]:
    yield from _from_the_machine(around)
    yield from _from_notices(around)
    yield from _from_the_controller(around, now)
    yield from _from_peers(around)


def _from_the_machine(around: Surroundings) -> Iterator[Demand]:
    if around.orphaned:
        yield _exit(around, "orphaned", Cause.HARDWARE, "the machine's process died")
    if around.shutdown_at is not None:
        yield _exit(around, "shutdown", Cause.OPERATOR, "the machine is shutting down", around.shutdown_at)


def _from_notices(around: Surroundings) -> Iterator[Demand]:
    for notice in around.notices:
        request = f"{notice.cause}-{notice.id}"
        if notice.deadline is not None:
            yield _exit(around, request, notice.cause, f"{notice.cause} notice", notice.deadline)
        elif request not in around.answered:
            yield _save(around, request, notice.cause, f"{notice.cause} advice: save early, train on")


def _from_peers(around: Surroundings) -> Iterator[Demand]:
    """When a rank of the gang is asked to leave, all are: none can train on, or save, without it.

    A save without exit is left to the trainers: they agree on every step.
    """
    for report in around.peers:
        demand = report.demand
        request = f"{demand.request}@{report.node}" if demand else ""
        if demand is None or demand.mode is AskMode.SAVE or demand.futile or request in around.refused:
            continue
        reason = f"{report.node}: {demand.reason}"
        yield msgspec.structs.replace(demand, request=request, reason=reason, drain=None)


def _from_the_controller(around: Surroundings, now: float) -> Iterator[Demand]:
    order, claim = around.order, live_claim(around, now)
    if order is not None and order.incarnation > around.incarnation:
        yield _exit(around, "superseded", Cause.CONTROLLER, "a newer machine fills this node")
    if claim is not None and claim.drain not in around.refused:
        yield Demand(
            request=claim.drain,
            mode=AskMode.SAVE_AND_EXIT,
            cause=claim.cause,
            reason=f"drain by {claim.by} ({claim.purpose})",
            grace=claim.grace,
            policy=claim.policy,
            drain=claim.drain,
            ends=claim.ends,
            blocking=claim.blocking,
        )
    if order is None or order.incarnation != around.incarnation:
        return
    if order.desired is Desired.STOPPED:
        stop = _exit(around, f"order-{order.number}", order.lost_to or Cause.OPERATOR, order.reason)
        futile = order.lost_to is not None
        yield msgspec.structs.replace(stop, grace=0.0, futile=True) if futile else stop
    if order.desired is Desired.SAVED and order.save is not None and order.save not in around.answered:
        yield _save(around, order.save, Cause.OPERATOR, order.reason)


def _claims(around: Surroundings, claim: DrainClaim, now: float) -> bool:
    return claim.instance == around.instance and now < claim.expires_at


def _exit(around: Surroundings, request: str, cause: Cause, reason: str, deadline: float | None = None) -> Demand:
    return Demand(
        request=request,
        mode=AskMode.SAVE_AND_EXIT,
        cause=cause,
        reason=reason,
        grace=around.grace,
        policy=WithoutCheckpoint.FORCE,
        deadline=deadline,
    )


def _save(around: Surroundings, request: str, cause: Cause, reason: str) -> Demand:
    return Demand(request=request, mode=AskMode.SAVE, cause=cause, reason=reason, grace=around.grace)

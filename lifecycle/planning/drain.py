"""The agent's steps between an ask and its end, decided from facts alone.

A save is proven by a complete checkpoint that was not there when it was asked for, or, once the trainer
has ended, by one whose step is at least the trainer's own progress. Files are asked first; ranks that
catch a signal get it a second later, all at once, unless the helper has registered. Under a provider's
deadline nobody is killed: the machine's end does that, and a late save is still worth shipping.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from lifecycle.model.demand import AskMode, Demand
from lifecycle.model.fleet import WithoutCheckpoint
from lifecycle.model.node import Ask
from lifecycle.ports.trainer import LocalCheckpoint, StopRequest

PEERS_WITHIN = 30.0
"""Seconds beyond the grace that a saved part of a gang's checkpoint is waited for to become whole."""

LAST_WORD = 1.0
"""Seconds before the machine's end that its agent keeps for saying how its attempt ended."""

SIGNAL_AFTER = 1.0

SIGNAL_SOME_AFTER = 10.0
"""Seconds that all ranks of a trainer, which may have begun just now, are given to be ready for a signal."""

KILL_AFTER = 5.0


class Move(StrEnum):
    """What to do next about an ask."""

    WAIT = "wait"
    SIGNAL = "signal"
    TERMINATE = "terminate"
    KILL = "kill"
    REFUSE = "refuse"
    """Take the ask back and let it train on: a person has to decide."""
    ANSWERED = "answered"
    """A save without exit is done."""
    GIVE_UP = "give up"
    """A save without exit did not come."""


class Trainee(msgspec.Struct, frozen=True, kw_only=True):
    """The trainer as last looked at."""

    alive: bool
    helper: bool = False
    progress: int | None = None
    checkpoints: Sequence[LocalCheckpoint] = ()
    shipped: frozenset[tuple[str, str]] = frozenset()


def begin(demand: Demand, trainee: Trainee, now: float) -> Ask:
    """A fresh ask, which remembers what was there before it."""
    present = tuple((found.name, found.signature) for found in trainee.checkpoints)
    before = trainee.checkpoints[-1].step if trainee.checkpoints else None
    return Ask(demand=demand, asked_at=now, baseline=present, before=before)


def tightened(ask: Ask, demand: Demand, trainee: Trainee, now: float) -> Ask:
    """The same ask under a stricter demand: who has begun to save is not asked twice.

    A save without exit that is complete already proves nothing for the exit: it trained on since.
    """
    if demand.mode is AskMode.SAVE_AND_EXIT and ask.demand.mode is AskMode.SAVE:
        return begin(demand, trainee, now)
    return msgspec.structs.replace(ask, demand=demand)


def words(ask: Ask) -> StopRequest:
    """The ask as `stop.json` says it."""
    demand = ask.demand
    patience = ask.asked_at + demand.grace if demand.grace else None
    return StopRequest(
        request=demand.request,
        mode=demand.mode,
        reason=demand.reason,
        deadline=demand.deadline if demand.deadline is not None else patience,
    )


def proof(ask: Ask, trainee: Trainee) -> LocalCheckpoint | None:
    """The checkpoint that answers the ask, if it is there."""
    fresh = [c for c in trainee.checkpoints if _since(ask, c)]
    if fresh:
        return fresh[-1]
    if not trainee.alive and trainee.progress is not None and trainee.checkpoints:
        newest = trainee.checkpoints[-1]
        return newest if newest.step >= trainee.progress else None
    return None


def _since(ask: Ask, found: LocalCheckpoint) -> bool:
    """Whether it was not there when it was asked for; one written before, and found complete only later, was."""
    earlier = found.written_at is not None and found.written_at < ask.asked_at
    return not earlier and (found.name, found.signature) not in ask.baseline


def known_step(trainee: Trainee, from_step: int | None) -> int | None:
    """How far it is by its own word, or by its newest checkpoint."""
    if trainee.progress is not None:
        return trainee.progress
    return trainee.checkpoints[-1].step if trainee.checkpoints else from_step


def unshipped(trainee: Trainee) -> LocalCheckpoint | None:
    """The newest complete checkpoint, when it has no receipt yet. Older ones are not worth the time."""
    if not trainee.checkpoints:
        return None
    newest = trainee.checkpoints[-1]
    return None if (newest.name, newest.signature) in trainee.shipped else newest


def waits_for_peers(ask: Ask | None, now: float) -> bool:
    """Whether a rank that saved as it was asked to, and ended, waits for the parts of the others.

    One that ended by itself does not: the others may make its part whole all the same.
    """
    if ask is None or ask.demand.futile or ask.demand.mode is AskMode.SAVE:
        return False
    if ask.demand.deadline is not None:
        return now < ask.demand.deadline - LAST_WORD
    return now < ask.asked_at + ask.demand.grace + PEERS_WITHIN


def without_parts(trainee: Trainee) -> Trainee:
    """The trainee with those of its checkpoints that have a receipt: a part alone proves nothing."""
    proven = tuple(c for c in trainee.checkpoints if (c.name, c.signature) in trainee.shipped)
    return msgspec.structs.replace(trainee, checkpoints=proven)


def next_move(ask: Ask, trainee: Trainee, now: float) -> Move:
    """What to do about this ask now. A trainer that has ended needs nothing more of it."""
    if not trainee.alive:
        return Move.WAIT
    if ask.demand.mode is AskMode.SAVE:
        return _while_saving(ask, trainee, now)
    patient = ask.demand.deadline is not None or now < ask.asked_at + ask.demand.grace
    if patient and not ask.signalled and not trainee.helper and now >= ask.asked_at + SIGNAL_AFTER:
        return Move.SIGNAL
    if ask.demand.deadline is not None:
        return Move.WAIT
    return _after_grace(ask, trainee, now)


def _while_saving(ask: Ask, trainee: Trainee, now: float) -> Move:
    found = proof(ask, trainee)
    if found is not None:
        return Move.ANSWERED if (found.name, found.signature) in trainee.shipped else Move.WAIT
    return Move.GIVE_UP if now >= ask.asked_at + ask.demand.grace else Move.WAIT


def _after_grace(ask: Ask, trainee: Trainee, now: float) -> Move:
    if ask.terminated_at is not None:
        due = ask.killed_at is None and now >= ask.terminated_at + KILL_AFTER
        return Move.KILL if due else Move.WAIT
    if now < ask.asked_at + ask.demand.grace:
        return Move.WAIT
    saved = proof(ask, trainee) is not None
    return Move.TERMINATE if saved or ask.demand.policy is WithoutCheckpoint.FORCE else Move.REFUSE

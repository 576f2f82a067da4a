"""What an agent keeps on its node's disk, so that its successor can go on where it was killed."""

from __future__ import annotations

from enum import StrEnum

from lifecycle.model.fleet import WithoutCheckpoint
from lifecycle.model.records import Assignment, Drained, Ended, Receipt, Record
from lifecycle.model.states import Cause


class AskMode(StrEnum):
    SAVE = "save"
    SAVE_AND_EXIT = "save-and-exit"


class Demand(Record, frozen=True, kw_only=True):
    """The strictest of what is asked of the trainer now.

    `deadline` is when the machine ends, whatever happens; None where only patience ends, after `grace`.
    """

    request: str
    mode: AskMode
    cause: Cause
    reason: str
    grace: float
    policy: WithoutCheckpoint = WithoutCheckpoint.FORCE
    deadline: float | None = None
    drain: str | None = None


class Ask(Record, frozen=True, kw_only=True):
    """A demand that has been put to the trainer.

    `baseline` names the complete checkpoints, with their signatures, that were there before: only
    another one proves a save. `before` is the step of the newest of them.
    """

    demand: Demand
    asked_at: float
    baseline: tuple[tuple[str, str], ...] = ()
    before: int | None = None
    signalled: bool = False
    terminated_at: float | None = None
    killed_at: float | None = None


class NodeState(Record, frozen=True, kw_only=True):
    """One agent's memory."""

    assignment: Assignment | None = None
    """The attempt under way; None while nothing is."""
    restored: bool = False
    """Its resume point is on the disk: the trainer may be launched, and launched again until it is seen."""
    resumed: str | None = None
    """The name of the checkpoint it resumes from; None: from the beginning."""
    started_at: float | None = None
    from_step: int | None = None
    ask: Ask | None = None
    withdrawn: Ask | None = None
    """The last ask of this attempt that was taken back: its trainer may have begun to follow it."""
    receipt: Receipt | None = None
    shipped: tuple[tuple[str, str], ...] = ()
    """(name, signature) of the checkpoints on this disk that have a receipt."""
    ended: Ended | None = None
    drained: Drained | None = None
    refused: tuple[str, ...] = ()
    """Drains that the trainer did not answer in time: it trains on in spite of them."""
    answered: tuple[str, ...] = ()
    """Saves without exit that were answered, or given up."""
    rejected: tuple[Receipt, ...] = ()
    unsent: tuple[Receipt, ...] = ()
    """Receipts that the tracker has not taken yet."""

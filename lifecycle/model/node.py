"""What an agent keeps on its node's disk, so that its successor can go on where it was killed."""

from __future__ import annotations

from lifecycle.model.demand import Demand
from lifecycle.model.hooks import HookCall, HookDone
from lifecycle.model.records import Assignment, Drained, Ended, Receipt, Record


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


class HookRun(Record, frozen=True, kw_only=True):
    """The hook in flight. `tried` counts its starts: one that nobody saw end is started again."""

    call: HookCall
    assignment: Assignment
    facts: dict[str, str]
    asked_at: float
    tried: int = 1
    terminated_at: float | None = None
    killed_at: float | None = None


class Last(Record, frozen=True, kw_only=True):
    """The last attempt that ended here, and what its end still owes."""

    assignment: Assignment
    demand: Demand | None = None
    """What ended it, while its hooks are not over."""
    answer: Drained | None = None
    """To its drain, once they are."""


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
    last: Last | None = None
    hook: HookRun | None = None
    hooked: tuple[HookDone, ...] = ()
    """How hooks ended on this machine, newest last."""
    untold: tuple[str, ...] = ()
    """The op ids of those that the journal has not taken yet."""

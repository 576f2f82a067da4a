"""Which checkpoints stay on the node's disk. Each function returns the marks (name, signature) of those shipped."""

from __future__ import annotations

from lifecycle.model.records import Assignment, Receipt
from lifecycle.ports.trainer import Trainer

Marks = tuple[tuple[str, str], ...]


def keep_only(trainer: Trainer, assignment: Assignment, receipt: Receipt | None) -> Marks:
    """Leaves nothing on the disk that is newer than the resume point: a trainer may pick by itself."""
    limit = receipt.step if receipt else -1
    present = trainer.checkpoints(assignment)
    stale = [c for c in present if c.step > limit or (c.step == limit and receipt and c.name != receipt.name)]
    trainer.discard(assignment, [c.name for c in stale])
    return tuple((c.name, c.signature) for c in present if c not in stale)


def prune(trainer: Trainer, assignment: Assignment, shipped: Marks) -> Marks:
    """Keeps the newest few on the disk. What has no receipt yet is never pruned."""
    present = trainer.checkpoints(assignment)
    spare = [c for c in present[: -max(2, assignment.keep)] if (c.name, c.signature) in shipped]
    trainer.discard(assignment, [c.name for c in spare])
    remaining = {(c.name, c.signature) for c in present if c not in spare}
    return tuple(mark for mark in shipped if mark in remaining)

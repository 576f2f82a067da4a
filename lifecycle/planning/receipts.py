"""Which checkpoint is a resume point: the greatest (epoch, step) that is sound and came in time.

`latest` is computed, never stored. Once an epoch is given out, receipts of older epochs that arrive
later are history: the attempt's `earlier` says what was eligible when it was given out.
"""

from __future__ import annotations

from collections.abc import Iterable

from lifecycle.model.records import Attempt, Receipt


def eligible(receipts: Iterable[Receipt], rejected: frozenset[str], attempt: Attempt | None) -> tuple[Receipt, ...]:
    """The receipts a run may resume from after `attempt`, greatest (epoch, step) first."""
    sound = (receipt for receipt in receipts if receipt.digest not in rejected and not receipt.pruned)
    return tuple(sorted((r for r in sound if _in_time(r, attempt)), key=lambda r: (r.rank, r.at), reverse=True))


def _in_time(receipt: Receipt, attempt: Attempt | None) -> bool:
    if attempt is None or receipt.epoch >= attempt.number:
        return True
    return receipt.digest in attempt.earlier


def greatest(*known: Receipt | None) -> Receipt | None:
    """The receipt of the greatest (epoch, step) of those that are there."""
    return max((r for r in known if r is not None), key=lambda r: r.rank, default=None)


def retained(receipts: tuple[Receipt, ...], keep: int) -> tuple[Receipt, ...]:
    """Of the eligible receipts, those that stay: the newest `keep`, never fewer than two."""
    return receipts[: max(2, keep)]

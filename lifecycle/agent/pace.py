"""When a transfer is tried again: after a failure, or for the parts of other ranks."""

from __future__ import annotations

from lifecycle.ports.trainer import LocalCheckpoint

STORE_RETRY = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds before a failed transfer is tried again."""

PEERS_RETRY = (0.5, 5.0)
"""Seconds between two looks for the parts of other ranks: while somebody waits for them, and else."""


class Pace:
    """Remembers failures in a row, and the checkpoint whose part is stored while others' parts are not."""

    def __init__(self) -> None:
        self._failures, self._retry_at, self._parted_at = 0, 0.0, 0.0
        self.parted: LocalCheckpoint | None = None
        self._looked = False

    def at_once(self) -> None:
        self._retry_at = 0.0

    def well(self) -> None:
        self._failures, self._retry_at = 0, 0.0

    def failed(self, now: float) -> None:
        self._retry_at = now + STORE_RETRY[min(self._failures, len(STORE_RETRY) - 1)]
        self._failures += 1

    def stored_a_part(self, checkpoint: LocalCheckpoint, now: float) -> None:
        self.parted, self._parted_at, self._looked = checkpoint, now, True

    def once_more(self) -> None:
        """Nothing is added on this disk from now on: the others' parts are looked for at least once again."""
        self._parted_at, self._looked = 0.0, False

    def alone_with(self, checkpoint: LocalCheckpoint | None) -> bool:
        """Whether the parts of others were missing when they were looked for since."""
        return checkpoint is not None and checkpoint == self.parted and self._looked

    def due(self, now: float, target: LocalCheckpoint | None = None, *, waited_for: bool = False) -> bool:
        """Whether a transfer, of `target` or of a resume point, may begin."""
        if target is not None and target == self.parted:
            return now >= max(self._retry_at, self._parted_at + PEERS_RETRY[not waited_for])
        return now >= self._retry_at

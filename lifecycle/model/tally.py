"""What has happened to a run over its life, counted in its own record: no two ticks count the same thing twice."""

from __future__ import annotations

import msgspec

from lifecycle.model.states import Cause


class Tally(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Counts that only grow. Those of an older version's records begin when a newer one first settles them."""

    ended: dict[str, int] = {}
    """Attempts that trained and did not complete, by whom that is booked to."""
    notices: dict[str, int] = {}
    """Warnings of the provider to the machines of its attempts, by cause."""
    restores: int = 0
    """Attempts that went on from a checkpoint."""
    restore_seconds: float = 0.0
    """From giving such an attempt out to its trainer's start: machine, checkpoint and hooks, all together."""


def ended(tally: Tally, cause: Cause | None) -> Tally:
    """One more attempt that did not complete."""
    return tally if cause is None else msgspec.structs.replace(tally, ended=_one_more(tally.ended, cause))


def noticed(tally: Tally, cause: Cause) -> Tally:
    return msgspec.structs.replace(tally, notices=_one_more(tally.notices, cause))


def restored(tally: Tally, seconds: float) -> Tally:
    """One more start from a checkpoint. Clocks differ between machines: it never took less than nothing."""
    spent = tally.restore_seconds + max(0.0, seconds)
    return msgspec.structs.replace(tally, restores=tally.restores + 1, restore_seconds=spent)


def _one_more(counts: dict[str, int], cause: Cause) -> dict[str, int]:
    return {**counts, cause: counts.get(cause, 0) + 1}

"""What was put back lately, counted: three times within an hour is a fight with somebody.

A list that is behind shows a field as it was before: that is nobody's doing, and counts as nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from lifecycle.model.corrections import Correction

OFTEN = 3
WITHIN = 3600.0

SHOWN_WITHIN = 300.0
"""Seconds until every list shows what was put right."""


def too_often(correction: Correction, generation: int, now: float) -> bool:
    """Whether it is not put back again for now."""
    return correction.generation == generation and len(_lately(correction, now)) >= OFTEN


def by_node(corrections: Iterable[Correction]) -> dict[str, dict[str, Correction]]:
    """By node and field."""
    found: dict[str, dict[str, Correction]] = {}
    for each in corrections:
        found.setdefault(each.node, {})[each.field] = each
    return found


def shown_by(before: Correction | None, off_at: float | None, now: float) -> float | None:
    """Until when what is seen may be of the time before it was put right; None: it was changed since.

    `off_at`: when the machine went off, where the provider tells.
    """
    if before is None or (off_at or 0.0) > (before.off_at or 0.0):
        return None
    due = before.last + SHOWN_WITHIN
    return due if before.last <= now < due else None


def calm(corrections: Iterable[Correction], now: float) -> tuple[Correction, ...]:
    """What was last put right so long ago that it says nothing any more."""
    return tuple(each for each in corrections if abs(now - each.last) >= WITHIN)


def times(before: Correction | None, now: float, *, generation: int, once_more: bool) -> tuple[float, ...]:
    """The times that stand once a field is put right now; back, with `once_more`. A new generation counts anew."""
    same = before is not None and before.generation == generation
    known = _lately(before, now) if before is not None and same else ()
    return (*known, now)[-OFTEN:] if once_more else known


def _lately(correction: Correction, now: float) -> tuple[float, ...]:
    return tuple(at for at in correction.times if abs(now - at) < WITHIN)

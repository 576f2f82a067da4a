"""What was put back lately, counted: three times within an hour is a fight with somebody."""

from __future__ import annotations

from collections.abc import Iterable

from lifecycle.model.corrections import Correction

OFTEN = 3
WITHIN = 3600.0


def contested(corrections: Iterable[Correction], generation: int, now: float) -> dict[str, dict[str, Correction]]:
    """By node and field, what was put back too often to be put back again for now."""
    found: dict[str, dict[str, Correction]] = {}
    for each in corrections:
        if each.generation == generation and len(_lately(each, now)) >= OFTEN:
            found.setdefault(each.node, {})[each.field] = each
    return found


def calm(corrections: Iterable[Correction], now: float) -> tuple[Correction, ...]:
    """What was last put back so long ago that it says nothing any more."""
    return tuple(each for each in corrections if not _lately(each, now))


def once_more(before: Correction | None, now: float, *, generation: int) -> tuple[float, ...]:
    """The times that stand once a field is put back now. Another generation of the spec counts anew."""
    same = before is not None and before.generation == generation
    return (*(_lately(before, now) if before and same else ()), now)[-OFTEN:]


def _lately(correction: Correction, now: float) -> tuple[float, ...]:
    return tuple(at for at in correction.times if abs(now - at) < WITHIN)

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


def once_more(
    node: str, field: str, known: Iterable[Correction], *, generation: int, now: float, said: str
) -> Correction:
    """What stands once the field is put back now. Another generation of the spec counts anew."""
    mine = (each for each in known if (each.node, each.field, each.generation) == (node, field, generation))
    before = next((_lately(each, now) for each in mine), ())
    times = (*before, now)[-OFTEN:]
    return Correction(node=node, field=field, times=times, generation=generation, said=said)


def _lately(correction: Correction, now: float) -> tuple[float, ...]:
    return tuple(at for at in correction.times if abs(now - at) < WITHIN)

"""Who is to be told what: from what stands, and the row that remembers what was told."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from lifecycle.model.tidings import Failing, Message, Tiding, Told

AT_ONCE = 5
"""Messages to one target after one tick; the last one speaks for all that are left."""

SENDING = 60.0
"""Seconds after which a sender that has not said how it went is taken for dead, and another one tells."""

AGAIN = (30.0, 60.0, 300.0, 900.0, 3600.0)
"""Seconds until a target that failed once, twice, ... is tried again."""

CONVERGED = "Converged"
Batch = tuple[Message, tuple[str, ...]]
"""A message, and the keys of what it tells."""

_replace = msgspec.structs.replace


def noted(told: Told, found: Iterable[Tiding], now: float) -> Told:
    """What stands, each since it was first seen; what does not stand any more may be told anew when it does."""
    standing = {tiding.key: told.standing.get(tiding.key, now) for tiding in found}
    sent = {target: tuple(key for key in keys if key in standing) for target, keys in told.sent.items()}
    return _replace(told, standing=standing, sent={target: keys for target, keys in sent.items() if keys})


def due(
    told: Told, target: str, found: Collection[Tiding], *, fleet: str, converged: bool, now: float
) -> list[Batch]:
    """What this target is to be told now. Nothing while somebody else tells it, or it was tried a moment ago."""
    failing = told.failing.get(target)
    if told.sending.get(target, now) > now or (failing is not None and failing.due > now):
        return []
    known = told.sent.get(target, ())
    fresh = [t for t in found if t.key not in known and now - told.standing[t.key] >= t.patience]
    if fresh or not (converged and not found and target in told.owed):
        return _batches(fresh)
    return [(_message(_well(fleet)), (CONVERGED,))]


def claimed(told: Told, target: str, now: float) -> Told:
    """Somebody is about to tell it."""
    return _replace(told, sending={**told.sending, target: now + SENDING})


def delivered(told: Told, target: str, keys: Collection[str]) -> Told:
    """It was told of these; one that does not stand any more need not be remembered."""
    free = _freed(told, target)
    failing = {each: how for each, how in told.failing.items() if each != target}
    others = tuple(each for each in told.owed if each != target)
    sent = dict.fromkeys((*told.sent.get(target, ()), *(key for key in keys if key in told.standing)))
    return _replace(
        free,
        failing=failing,
        owed=others if CONVERGED in keys else (*others, target),
        sent={**told.sent, target: tuple(sent)} if sent else told.sent,
    )


def failed(told: Told, target: str, now: float) -> Told:
    """It could not be told, and is left alone for a while."""
    times = told.failing[target].times + 1 if target in told.failing else 1
    again = Failing(times=times, due=now + AGAIN[min(times, len(AGAIN)) - 1])
    return _replace(_freed(told, target), failing={**told.failing, target: again})


def _freed(told: Told, target: str) -> Told:
    return _replace(told, sending={each: until for each, until in told.sending.items() if each != target})


def _batches(fresh: list[Tiding]) -> list[Batch]:
    if len(fresh) <= AT_ONCE:
        return [(_message(tiding), (tiding.key,)) for tiding in fresh]
    alone, rest = fresh[: AT_ONCE - 1], fresh[AT_ONCE - 1 :]
    return [*_batches(alone), (_message(_and_more(rest)), tuple(tiding.key for tiding in rest))]


def _and_more(rest: list[Tiding]) -> Tiding:
    fleet = rest[0].fleet
    return Tiding(
        key="", kind="AndMore", fleet=fleet, sentence=f"{fleet}: and {len(rest)} more, first: {rest[0].sentence}"
    )


def _well(fleet: str) -> Tiding:
    return Tiding(key=CONVERGED, kind=CONVERGED, fleet=fleet, sentence=f"{fleet}: is as declared again")


def _message(tiding: Tiding) -> Message:
    return Message(
        version=1,
        text=tiding.sentence,
        kind=tiding.kind,
        fleet=tiding.fleet,
        node=tiding.node,
        cause=tiding.cause,
        since=tiding.since,
        more=f"steady why {tiding.node}" if tiding.node else f"steady status {tiding.fleet}",
    )

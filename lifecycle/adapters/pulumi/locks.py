"""Whose update stands in the way. A lock is broken only when it is provably ours and its process provably gone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from lifecycle.model.errors import StackLocked
from lifecycle.ports.provisioner import SILENT_AFTER
from lifecycle.system.processes import Identity, alive

LOCKS_WITHIN = 60.0
"""Seconds after its last beat in which an update may still take its lock; generous."""

_LOCKED = re.compile(r"the stack is currently locked by|\[409\] Conflict")
_HOLDER = re.compile(r"created by (?P<user>[^@\s]*)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)")


class Holder(NamedTuple):
    user: str
    host: str
    pid: int
    since: str


class Standing(Protocol):
    """An update that was begun by one of us and, as far as is written down, has not ended."""

    @property
    def host(self) -> str: ...
    @property
    def process(self) -> Identity: ...
    @property
    def beat_at(self) -> float: ...


class Updates(Protocol):
    """Where updates are written down before they can lock anything. Every method may raise Unreadable."""

    def beat(self, fleet: str, host: str, process: Identity, at: float) -> None:
        """The process is about to update the fleet's stack, or still does."""
        ...

    def end(self, fleet: str, host: str, process: Identity) -> None: ...

    def standing(self, fleet: str) -> Sequence[Standing]: ...


def locked(said: str) -> bool:
    """Whether the CLI did nothing because somebody else's update is under way."""
    return bool(_LOCKED.search(said))


def holders(said: str) -> tuple[Holder, ...]:
    """Who holds the stack; nobody by name where the backend does not tell."""
    found = _HOLDER.finditer(said)
    return tuple(Holder(each["user"], each["host"], int(each["pid"]), each["since"]) for each in found)


def refusal(stack: str, said: str) -> StackLocked:
    """The error for people."""
    named = [f"{each.user}@{each.host} (pid {each.pid}) since {each.since}" for each in holders(said)]
    return StackLocked(
        f"the stack {stack} is locked by {' and '.join(named) or 'another update'}",
        fix=f"wait for it to end; if it died, `pulumi cancel --stack {stack}`",
    )


def stale(said: str, standing: Iterable[Standing], here: str, now: float) -> bool:
    """Whether every lock is of an update of ours that is over."""
    ours = {(each.host, each.process.pid): each for each in standing}
    held = [(holder, ours.get((holder.host, holder.pid))) for holder in holders(said)]
    return bool(held) and all(run is not None and _over(holder, run, here, now) for holder, run in held)


def _over(holder: Holder, run: Standing, here: str, now: float) -> bool:
    """Pids are used again: a lock that is younger than our last word of its process is somebody else's."""
    if _time(holder.since) > run.beat_at + LOCKS_WITHIN:
        return False
    return not alive(run.process) if run.host == here else now - run.beat_at > SILENT_AFTER


def _time(since: str) -> float:
    """Seconds since the epoch; never over, where it cannot be read."""
    try:
        return datetime.fromisoformat(since).timestamp()
    except ValueError:
        return float("inf")

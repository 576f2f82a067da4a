"""The lease of a fleet: the right to act on it, for the length of one tick.

A lease is advisory for efficiency; safety comes from the fence: every write of its holder carries the
lease row's version as a guard, so an overtaken writer's next write fails with LostLease. It runs out by
itself, but not under an update of a stack that its holder has under way: that beats, and may take long.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lifecycle.model.codec import decode, encode
from lifecycle.model.errors import Conflict, LeaseHeld
from lifecycle.model.records import Record
from lifecycle.ports.clock import Clock
from lifecycle.ports.provisioner import SILENT_AFTER
from lifecycle.ports.tracker import Guard, Table
from lifecycle.system.processes import Identity, alive, boot_id
from lifecycle.tracker import rows
from lifecycle.tracker.updates import UpdateLog

LEASE_SECONDS = 120.0


class Lease(Record, frozen=True, kw_only=True):
    """Who holds the lease: a process of a host, and until when."""

    host: str
    process: Identity
    who: str
    expires_at: float
    free: bool = False


class Leases:
    """Takes and returns leases on behalf of one process."""

    def __init__(self, table: Table, clock: Clock, *, host: str, process: Identity, who: str) -> None:
        self._table, self._clock = table, clock
        self._me = Lease(host=host, process=process, who=who, expires_at=0.0)

    @contextmanager
    def held(self, fleet: str, *, wait: float = 0.0) -> Iterator[Guard]:
        """The fence to write with, while the block runs. Raises LeaseHeld after `wait` seconds."""
        guard = self._acquire(fleet, self._clock.monotonic() + wait)
        try:
            yield guard
        finally:
            self._release(fleet, guard)

    def _acquire(self, fleet: str, deadline: float) -> Guard:
        while True:
            try:
                return self._try(fleet)
            except (LeaseHeld, Conflict) as refused:
                if self._clock.monotonic() >= deadline:
                    raise (
                        refused if isinstance(refused, LeaseHeld) else self._busy(fleet, "another writer")
                    ) from None
                self._clock.sleep(0.05)

    def _try(self, fleet: str) -> Guard:
        row = self._table.get(fleet, rows.LEASE, fleet)
        if row is not None:
            held = decode(row.body, Lease)
            if not self._takeable(fleet, held):
                raise self._busy(fleet, held.who)
        wanted = self._mine(free=False)
        version = self._table.put(fleet, rows.LEASE, fleet, encode(wanted), expect=row.version if row else 0)
        return Guard(rows.LEASE, fleet, version)

    def _mine(self, *, free: bool) -> Lease:
        me = self._me
        until = self._clock.now() + LEASE_SECONDS
        return Lease(host=me.host, process=me.process, who=me.who, expires_at=until, free=free)

    def _takeable(self, fleet: str, held: Lease) -> bool:
        """Free, run out, or its holder is a dead process of this very host and boot."""
        if held.free or (held.host == self._me.host and _over(held.process)):
            return True
        return held.expires_at <= self._clock.now() and not self._at_work(fleet, held)

    def _at_work(self, fleet: str, held: Lease) -> bool:
        """Whether an update of the fleet's stack, begun on the holder's host, was heard of lately."""
        heard = (run.beat_at for run in UpdateLog(self._table).standing(fleet) if run.host == held.host)
        return any(self._clock.now() - at <= SILENT_AFTER for at in heard)

    def _release(self, fleet: str, guard: Guard) -> None:
        try:
            self._table.put(fleet, rows.LEASE, fleet, encode(self._mine(free=True)), expect=guard.version)
        except Conflict:
            return  # overtaken: it is no longer ours to free

    def _busy(self, fleet: str, who: str) -> LeaseHeld:
        return LeaseHeld(
            f"{fleet}: {who} is acting on this fleet",
            fix="wait for it to finish, or try again; a dead holder's lease is taken over by itself",
        )


def _over(process: Identity) -> bool:
    return process.boot != boot_id() or not alive(process)

"""The lease of a fleet: the right to act on it, for the length of one tick.

A lease is advisory for efficiency; safety comes from the fence: every write of its holder carries the
lease row's version as a guard, so an overtaken writer's next write fails with LostLease.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lifecycle.model.codec import decode, encode
from lifecycle.model.errors import Conflict, LeaseHeld
from lifecycle.model.records import Record
from lifecycle.ports.clock import Clock
from lifecycle.ports.tracker import Guard, Table
from lifecycle.system.processes import Identity, alive, boot_id
from lifecycle.tracker import rows

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
            if not self._takeable(held):
                raise self._busy(fleet, held.who)
        wanted = self._mine(free=False)
        version = self._table.put(fleet, rows.LEASE, fleet, encode(wanted), expect=row.version if row else 0)
        return Guard(rows.LEASE, fleet, version)

    def _mine(self, *, free: bool) -> Lease:
        me = self._me
        until = self._clock.now() + LEASE_SECONDS
        return Lease(host=me.host, process=me.process, who=me.who, expires_at=until, free=free)

    def _takeable(self, held: Lease) -> bool:
        """Free, run out, or its holder is a dead process of this very host and boot."""
        if held.free or held.expires_at <= self._clock.now():
            return True
        here = held.host == self._me.host
        return here and (held.process.boot != boot_id() or not alive(held.process))

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

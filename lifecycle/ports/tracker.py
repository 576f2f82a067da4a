"""The tracker's storage: rows with versions, conditional writes, and an append-only journal.

One row is `(fleet, kind, name)` with a body and a version that grows with every write. The records in
the rows, and who may write which, are `lifecycle.tracker`'s business; adapters only keep rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol


class Row(NamedTuple):
    name: str
    version: int
    body: bytes
    writer: str = ""
    """The machine that alone may write it, told by `scan`; empty where the storage does not tell them apart."""


class Guard(NamedTuple):
    """A write goes through only while this row has this version: the fence of a lease."""

    kind: str
    name: str
    version: int


class Beside(NamedTuple):
    """A second row of the controller's that is written with another one, whatever it was: both or neither."""

    kind: str
    name: str
    body: bytes


class Table(Protocol):
    """Writes are durable when they return. Reads see every write that returned before, but for one thing:

    What nodes write (reports, receipts, the entries of their agents) may be seen some seconds late by everybody
    but the handle that wrote it, and each of them on its own; so may all entries when those of one node are
    asked for. Of a node's rows nothing follows from one that is missing yet.

    Raises Unreadable when the storage does not answer, or when nobody can tell whether a write went through;
    StateUnusable when it cannot be used at all; SteadyError for a body that is too large for it.
    """

    def get(self, fleet: str, kind: str, name: str) -> Row | None: ...

    def get_many(self, fleet: str, kind: str, names: Collection[str]) -> Sequence[Row]:
        """The rows of these names that exist, in any order."""
        ...

    def scan(self, fleet: str, kinds: Collection[str]) -> Mapping[str, Sequence[Row]]:
        """All rows of these kinds by kind, each sorted by name.

        Each row as it stood at a moment of the call, and never a node's row without what the controller wrote
        before it: no report without its order. The kinds need not be of one moment. Of what several machines
        wrote under one name each is there, the latest last.
        """
        ...

    def newest(self, fleet: str, kind: str, prefix: str, limit: int) -> Sequence[Row]:
        """The rows whose names begin with `prefix`, greatest name first, at most `limit`."""
        ...

    def put(
        self,
        fleet: str,
        kind: str,
        name: str,
        body: bytes,
        *,
        expect: int | None = None,
        guard: Guard | None = None,
        beside: Beside | None = None,
    ) -> int:
        """Writes a row, and with it the one `beside`, and returns the row's new version.

        `expect` 0 means the row must not exist, n that it has version n; otherwise raises Conflict.
        Raises LostLease when `guard` no longer holds; in either case nothing was written.
        """
        ...

    def remove(self, fleet: str, kind: str, name: str, *, guard: Guard | None = None) -> None:
        """Removes a row; a missing one is fine. Raises LostLease as `put` does."""
        ...

    def drop_overshadowed(self, fleet: str, kind: str, age: float, *, guard: Guard | None = None) -> int:
        """Removes what no reading shows any more: what other machines wrote under the name of a row before.

        Of these only what was written more than `age` seconds before the row, and not all at once; returns how
        many. Raises LostLease as `put` does.
        """
        ...

    def append(self, fleet: str, node: str | None, body: bytes) -> None:
        """Adds an entry to the fleet's journal."""
        ...

    def entries(self, fleet: str, node: str | None, limit: int, after: str = "") -> Sequence[tuple[str, bytes]]:
        """The last `limit` entries of the journal (of one node when named), oldest first.

        Each comes with its place, which sorts; with `after` only entries beyond that place are given. Places
        from one writer never go backwards; an entry of another one that is seen late may lie before `after`.
        """
        ...

    def fleets(self) -> Sequence[str]:
        """Every fleet that has rows, sorted."""
        ...

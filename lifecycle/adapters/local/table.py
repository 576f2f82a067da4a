"""The tracker's table in SQLite: one file, WAL, safe for many processes at once.

Every write is one immediate transaction and is on disk when it returns (`synchronous=FULL`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from lifecycle.model.errors import Conflict, LostLease, StateUnusable, Unreadable
from lifecycle.ports.tracker import Beside, Guard, Row

MIGRATIONS = (
    """
    CREATE TABLE rows (
        fleet TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
        version INTEGER NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (fleet, kind, name)
    ) WITHOUT ROWID;
    CREATE TABLE journal (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, fleet TEXT NOT NULL, node TEXT, body TEXT NOT NULL
    );
    CREATE INDEX journal_by_node ON journal (fleet, node, seq);
    """,
)
"""One script per version; `PRAGMA user_version` says how many of them the file has seen."""

BUSY_SECONDS = 20.0


class SqliteTable:
    """Implements `ports.tracker.Table`. One object per process; not for sharing between threads."""

    def __init__(self, path: Path | None, *, busy: float = BUSY_SECONDS) -> None:
        """`path` None: an empty table in memory. `busy`: seconds to wait for another writer."""
        self._path, self._busy = path or Path(":memory:"), busy

    @cached_property
    def _open(self) -> sqlite3.Connection:
        """Connected on first use, so that a tracker that is away can be waited for."""
        return self._connected()

    def _connected(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(self._path, timeout=self._busy, isolation_level=None)
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            self._migrate(connection)
        except sqlite3.Error as error:
            raise StateUnusable(
                f"{self._path}: cannot be used as a tracker: {error}",
                fix="is the state directory writable, and on a local disk? --state names another",
            ) from None
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise StateUnusable(
                f"{self._path}: its format {version} is newer than this steadyfleet's ({len(MIGRATIONS)})",
                fix="upgrade steadyfleet, or choose another directory with --state",
            )
        if version == len(MIGRATIONS):
            return
        connection.execute("BEGIN IMMEDIATE")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            for statement in filter(str.strip, script.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={number}")
        connection.execute("COMMIT")

    def close(self) -> None:
        self._open.close()

    def get(self, fleet: str, kind: str, name: str) -> Row | None:
        found = self.get_many(fleet, kind, [name])
        return found[0] if found else None

    def get_many(self, fleet: str, kind: str, names: Collection[str]) -> Sequence[Row]:
        sql = "SELECT name, version, body FROM rows WHERE fleet=? AND kind=? AND name=?"
        return [row for name in names for row in self._rows(sql, (fleet, kind, name))]

    def scan(self, fleet: str, kinds: Collection[str]) -> Mapping[str, Sequence[Row]]:
        marks = ",".join("?" * len(kinds))
        sql = f"SELECT kind, name, version, body FROM rows WHERE fleet=? AND kind IN ({marks}) ORDER BY name"  # noqa: S608
        found: dict[str, list[Row]] = {kind: [] for kind in kinds}
        for kind, name, version, body in self._read(sql, (fleet, *kinds)):
            found[kind].append(Row(name, version, body.encode()))
        return found

    def newest(self, fleet: str, kind: str, prefix: str, limit: int) -> Sequence[Row]:
        sql = (
            "SELECT name, version, body FROM rows WHERE fleet=? AND kind=? AND name>=? AND name<?"
            " ORDER BY name DESC LIMIT ?"
        )
        return self._rows(sql, (fleet, kind, prefix, prefix + "\U0010ffff", limit))

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
        with self._writing() as connection:
            self._check(connection, fleet, guard)
            standing = self._version(connection, fleet, kind, name)
            if expect is not None and standing != expect:
                raise Conflict(f"{kind} {name} has changed", fix="read it again")
            for each in filter(None, (Beside(kind, name, body), beside)):
                connection.execute(
                    "INSERT INTO rows VALUES (?,?,?,1,?)"
                    " ON CONFLICT DO UPDATE SET version=version+1, body=excluded.body",
                    (fleet, each.kind, each.name, each.body.decode()),
                )
            return standing + 1

    def remove(self, fleet: str, kind: str, name: str, *, guard: Guard | None = None) -> None:
        with self._writing() as connection:
            self._check(connection, fleet, guard)
            connection.execute("DELETE FROM rows WHERE fleet=? AND kind=? AND name=?", (fleet, kind, name))

    def drop_overshadowed(self, fleet: str, kind: str, age: float, *, guard: Guard | None = None) -> int:  # noqa: ARG002
        """A row lies in one place here, whoever writes it."""
        return 0

    def append(self, fleet: str, node: str | None, body: bytes) -> None:
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO journal (fleet, node, body) VALUES (?,?,?)", (fleet, node, body.decode())
            )

    def entries(self, fleet: str, node: str | None, limit: int, after: str = "") -> Sequence[tuple[str, bytes]]:
        where, values = ("fleet=?", (fleet,)) if node is None else ("fleet=? AND node=?", (fleet, node))
        sql = f"SELECT seq, body FROM journal WHERE {where} AND seq>? ORDER BY seq DESC LIMIT ?"  # noqa: S608
        found = self._read(sql, (*values, int(after or 0), limit))
        return [(f"{seq:012d}", body.encode()) for seq, body in reversed(found)]

    def fleets(self) -> Sequence[str]:
        return [fleet for (fleet,) in self._read("SELECT DISTINCT fleet FROM rows ORDER BY fleet", ())]

    def _rows(self, sql: str, values: tuple[object, ...]) -> list[Row]:
        return [Row(name, version, body.encode()) for name, version, body in self._read(sql, values)]

    def _read(self, sql: str, values: tuple[object, ...]) -> list[tuple]:  # type: ignore[type-arg]
        try:
            return self._open.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._unreadable(error) from None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            self._open.execute("BEGIN IMMEDIATE")
            try:
                yield self._open
            except BaseException:
                self._open.execute("ROLLBACK")
                raise
            self._open.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: sqlite3.Error) -> Unreadable:
        return Unreadable(
            f"{self._path}: the tracker does not answer: {error}",
            fix="check the disk and the state directory; nothing was changed",
        )

    @staticmethod
    def _version(connection: sqlite3.Connection, fleet: str, kind: str, name: str) -> int:
        row = connection.execute(
            "SELECT version FROM rows WHERE fleet=? AND kind=? AND name=?", (fleet, kind, name)
        ).fetchone()
        return row[0] if row else 0

    def _check(self, connection: sqlite3.Connection, fleet: str, guard: Guard | None) -> None:
        if guard is not None and self._version(connection, fleet, guard.kind, guard.name) != guard.version:
            raise LostLease.of(fleet)

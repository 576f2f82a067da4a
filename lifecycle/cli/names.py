"""The names that a shell completes, from the state directory alone. Reads fast, makes no file, and never fails.

What it cannot read it leaves out: a shell that waits, or shows an error, is worse than one that completes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

MOST = 500
BUSY = 0.1
"""Seconds to wait for a writer."""


def fleets(state: Path) -> Iterator[str]:
    """Those of this computer, and those that were used from here elsewhere."""
    yield from (fleet for (fleet,) in _rows(state, "SELECT DISTINCT fleet FROM rows WHERE kind = 'spec'"))
    yield from sorted(path.stem for path in (state / "fleets").glob("*.json"))


def nodes(state: Path) -> Iterator[str]:
    """Every node of the applied specs. Of fleets elsewhere only `FLEET/` is known here."""
    import json

    for fleet, body in _rows(state, "SELECT fleet, body FROM rows WHERE kind = 'spec'"):
        for pool, declared in json.loads(body)["spec"]["pools"].items():
            yield from (f"{fleet}/{pool}/{index}" for index in range(declared.get("nodes", 1)))
    yield from (f"{path.stem}/" for path in sorted((state / "fleets").glob("*.json")))


def runs(state: Path) -> Iterator[str]:
    yield from (name for (name,) in _rows(state, "SELECT name FROM rows WHERE kind = 'run'"))


def instances(state: Path) -> Iterator[str]:
    """Of the machines that are not known to have ended."""
    claims = "SELECT json_extract(body, '$.instance') FROM rows WHERE kind = 'incarnation'"
    open_ones = f"{claims} AND json_extract(body, '$.ended_at') IS NULL"
    yield from (name for (name,) in _rows(state, open_ones) if name)


def _rows(state: Path, sql: str) -> list[tuple[str, ...]]:
    """Of every tracker below the directory: this computer's, and those of other packages' providers."""
    trackers = [state / "tracker.db", *(state / "providers").glob("*/tracker.db")]
    return [row for path in trackers if path.is_file() for row in _read(path, sql)]


def _read(path: Path, sql: str) -> list[tuple[str, ...]]:
    """A reader of a database whose log is gone would make one: then it is opened as one that nobody writes."""
    import sqlite3

    logged = all(path.with_name(path.name + ending).exists() for ending in ("-wal", "-shm"))
    where = f"{path.absolute().as_uri()}?{'mode=ro' if logged else 'immutable=1'}"
    with closing(sqlite3.connect(where, uri=True, timeout=BUSY)) as tracker:
        return tracker.execute(sql).fetchall()


def beginning(found: Iterator[str], incomplete: str) -> list[str]:
    """The first of those that begin so."""
    return list(islice(dict.fromkeys(name for name in found if name.startswith(incomplete)), MOST))

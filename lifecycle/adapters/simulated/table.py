"""The tracker's table in memory. What nodes write may be seen late by others, as in DynamoDB."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lifecycle.adapters.simulated.timeline import Timeline
from lifecycle.model.errors import Conflict, LostLease
from lifecycle.ports.tracker import Beside, Guard, Row

NODE_KINDS = frozenset({"report", "receipt"})
"""Kinds of rows that a node writes: each machine has its own under one name."""


@dataclass(slots=True)
class _Cell:
    """One machine's row of a name (or the controller's), and what others still see of it."""

    row: Row
    at: float
    shown_at: float
    before: Row | None = None


@dataclass
class _Shelf:
    """The rows of one kind, by name and writer, the latest last; names sorted."""

    cells: dict[str, dict[str, _Cell]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    def cell(self, name: str, writer: str) -> _Cell | None:
        return self.cells.get(name, {}).get(writer)

    def drop(self, name: str) -> None:
        if self.cells.pop(name, None) is not None:
            del self.names[bisect_left(self.names, name)]


class Storage:
    """All rows of all fleets. `lag` gives the seconds until others see a node's next write."""

    def __init__(self, timeline: Timeline, lag: Callable[[], float] = lambda: 0.0) -> None:
        self.timeline, self.lag = timeline, lag
        self.shelves: dict[tuple[str, str], _Shelf] = defaultdict(_Shelf)
        self.journals: dict[tuple[str, str | None], list[tuple[str, bytes]]] = defaultdict(list)
        self.written: list[Callable[[str, str, str], None]] = []
        """Told (fleet, kind, name) after every write of a row."""
        self.writes = 0

    def visible(self, cell: _Cell, reader: str) -> Row | None:
        own = reader != "" and cell.row.writer == reader
        return cell.row if own or self.timeline.monotonic() >= cell.shown_at else cell.before


class MemoryTable:
    """Implements `ports.tracker.Table`: one handle on the storage, held by a controller or by a machine's agent."""

    def __init__(self, storage: Storage, writer: str = "") -> None:
        self._storage, self._writer = storage, writer

    def get(self, fleet: str, kind: str, name: str) -> Row | None:
        found = self._rows_of(self._storage.shelves[fleet, kind], name)
        return found[-1] if found else None

    def get_many(self, fleet: str, kind: str, names: Collection[str]) -> Sequence[Row]:
        shelf = self._storage.shelves[fleet, kind]
        found = (self._rows_of(shelf, name) for name in names)
        return [rows[-1] for rows in found if rows]

    def scan(self, fleet: str, kinds: Collection[str]) -> Mapping[str, Sequence[Row]]:
        return {kind: list(self._shelf_rows(fleet, kind)) for kind in kinds}

    def newest(self, fleet: str, kind: str, prefix: str, limit: int) -> Sequence[Row]:
        shelf = self._storage.shelves[fleet, kind]
        place, found = bisect_left(shelf.names, prefix + "\U0010ffff"), list[Row]()
        while place > 0 and len(found) < limit:
            place -= 1
            name = shelf.names[place]
            if not name.startswith(prefix):
                break
            found += self._rows_of(shelf, name)[-1:]
        return found

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
        self._check(fleet, guard)
        writer = self._writer if kind in NODE_KINDS else ""
        standing = self._storage.shelves[fleet, kind].cell(name, writer)
        if expect is not None and (standing.row.version if standing else 0) != expect:
            raise Conflict(f"{kind} {name} has changed", fix="read it again")
        if beside is not None:
            self._write(fleet, *beside, "")
        return self._write(fleet, kind, name, body, writer)

    def _write(self, fleet: str, kind: str, name: str, body: bytes, writer: str) -> int:
        storage, shelf = self._storage, self._storage.shelves[fleet, kind]
        standing = shelf.cell(name, writer)
        version = standing.row.version if standing else 0
        if name not in shelf.cells:
            insort(shelf.names, name)
        storage.writes += 1
        lag = storage.lag() if writer else 0.0
        cells = shelf.cells.setdefault(name, {})
        cells.pop(writer, None)
        cells[writer] = _Cell(
            Row(name, version + 1, body, writer),
            storage.timeline.monotonic(),
            storage.timeline.monotonic() + lag if lag else 0.0,
            storage.visible(standing, "") if standing and lag else None,
        )
        self._tell(fleet, kind, name)
        return version + 1

    def remove(self, fleet: str, kind: str, name: str, *, guard: Guard | None = None) -> None:
        self._check(fleet, guard)
        self._storage.shelves[fleet, kind].drop(name)
        self._storage.writes += 1
        self._tell(fleet, kind, name)

    def drop_overshadowed(self, fleet: str, kind: str, age: float, *, guard: Guard | None = None) -> int:
        self._check(fleet, guard)
        found = [cells for cells in self._storage.shelves[fleet, kind].cells.values() if len(cells) > 1]
        return sum(self._drop_old(cells, age) for cells in found)

    def _drop_old(self, cells: dict[str, _Cell], age: float) -> int:
        latest = next(reversed(cells.values()))
        old = [writer for writer, cell in cells.items() if latest.at - cell.at > age]
        for writer in old:
            del cells[writer]
        return len(old)

    def append(self, fleet: str, node: str | None, body: bytes) -> None:
        self._storage.writes += 1
        entry = f"{self._storage.writes:012d}", body
        for whose in {node, None}:
            self._storage.journals[fleet, whose].append(entry)

    def entries(self, fleet: str, node: str | None, limit: int, after: str = "") -> Sequence[tuple[str, bytes]]:
        found = self._storage.journals[fleet, node][-limit:]
        return [(place, body) for place, body in found if place > after]

    def fleets(self) -> Sequence[str]:
        return sorted({fleet for (fleet, _), shelf in self._storage.shelves.items() if shelf.names})

    def _shelf_rows(self, fleet: str, kind: str) -> Iterator[Row]:
        shelf = self._storage.shelves[fleet, kind]
        if kind not in NODE_KINDS:
            return (shelf.cells[name][""].row for name in shelf.names)
        return (row for name in shelf.names for row in self._rows_of(shelf, name))

    def _rows_of(self, shelf: _Shelf, name: str) -> list[Row]:
        """What this handle sees under one name: of several machines the latest last."""
        cells = shelf.cells.get(name)
        if not cells:
            return []
        seen = [self._visible(cell) if cell.shown_at else cell.row for cell in cells.values()]
        return [row for row in seen if row is not None]

    def _visible(self, cell: _Cell) -> Row | None:
        return self._storage.visible(cell, self._writer)

    def _check(self, fleet: str, guard: Guard | None) -> None:
        if guard is None:
            return
        cell = self._storage.shelves[fleet, guard.kind].cell(guard.name, "")
        if (cell.row.version if cell else 0) != guard.version:
            raise LostLease.of(fleet)

    def _tell(self, fleet: str, kind: str, name: str) -> None:
        for heard in self._storage.written:
            heard(fleet, kind, name)

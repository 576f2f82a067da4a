"""Updates of stacks that our own controllers have under way: whose lock may be broken, and when."""

from __future__ import annotations

from collections.abc import Sequence

from lifecycle.model.codec import decode, encode
from lifecycle.model.records import Record
from lifecycle.ports.tracker import Table
from lifecycle.system.processes import Identity
from lifecycle.tracker import rows


class UpdateRun(Record, frozen=True, kw_only=True):
    """One run of the CLI that may change a stack: its process, and when it was last seen at work."""

    host: str
    process: Identity
    beat_at: float


class UpdateLog:
    """Kept beside the fleet's other records. Every method raises Unreadable when the table does not answer."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def beat(self, fleet: str, host: str, process: Identity, at: float) -> None:
        """The process is about to update the fleet's stack, or still does."""
        run = UpdateRun(host=host, process=process, beat_at=at)
        self._table.put(fleet, rows.UPDATE, rows.update_name(host, process.pid), encode(run))

    def end(self, fleet: str, host: str, process: Identity) -> None:
        """It is over, and has left no lock behind. A repeat does nothing."""
        self._table.remove(fleet, rows.UPDATE, rows.update_name(host, process.pid))

    def standing(self, fleet: str) -> Sequence[UpdateRun]:
        """Those that were begun and have not said that they are over: at work, or cut short."""
        found = self._table.scan(fleet, [rows.UPDATE])[rows.UPDATE]
        return [decode(row.body, UpdateRun) for row in found]

"""The node's side of the tracker: it reads its own instructions and writes only its own rows."""

from __future__ import annotations

from collections.abc import Sequence

from lifecycle.model.codec import decode, encode
from lifecycle.model.errors import Conflict
from lifecycle.model.ids import NodeName
from lifecycle.model.journal import Entry, Tick
from lifecycle.model.records import (
    DrainClaim,
    Incarnation,
    Order,
    Receipt,
    Report,
)
from lifecycle.ports.tracker import Table
from lifecycle.tracker import rows
from lifecycle.tracker.readings import Readings

_AS_MANY_AS_THERE_ARE = 100_000


class NodeTracker:
    """What the agent of one node may read and write."""

    def __init__(self, table: Table, node: str) -> None:
        self._table, self._node = table, node
        self._fleet = NodeName.parse(node).fleet
        self._readings = Readings(lambda row, kind: decode(row.body, kind))

    def order(self) -> Order | None:
        row = self._table.get(self._fleet, rows.ORDER, self._node)
        return self._readings.read(row, Order) if row else None

    def drain(self) -> DrainClaim | None:
        row = self._table.get(self._fleet, rows.DRAIN, self._node)
        return self._readings.read(row, DrainClaim) if row else None

    def peers(self, nodes: Sequence[str]) -> tuple[Report, ...]:
        """The last words about these nodes of its own pool, as far as they can be seen yet; its own is left out."""
        pool = self._node.rpartition("/")[0]
        found = self._table.newest(self._fleet, rows.REPORT, f"{pool}/", _AS_MANY_AS_THERE_ARE)
        reports = (decode(row.body, Report) for row in found if row.name in nodes and row.name != self._node)
        return tuple(reports)

    def incarnation(self, number: int) -> Incarnation | None:
        row = self._table.get(self._fleet, rows.INCARNATION, rows.incarnation_name(self._node, number))
        return decode(row.body, Incarnation) if row else None

    def last_tick(self) -> Tick | None:
        row = self._table.get(self._fleet, rows.TICK, self._fleet)
        return decode(row.body, Tick) if row else None

    def last_report(self) -> Report | None:
        row = self._table.get(self._fleet, rows.REPORT, self._node)
        return decode(row.body, Report) if row else None

    def report(self, report: Report) -> None:
        self._table.put(self._fleet, rows.REPORT, self._node, encode(report))

    def receive(self, receipt: Receipt) -> None:
        """Records a receipt, once; a repeat of the same one changes nothing."""
        name = rows.receipt_name(receipt.run, receipt.epoch, receipt.step, receipt.digest)
        try:
            self._table.put(self._fleet, rows.RECEIPT, name, encode(receipt), expect=0)
        except Conflict:
            return

    def journal(self, entry: Entry) -> None:
        self._table.append(self._fleet, self._node, encode(entry))

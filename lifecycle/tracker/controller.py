"""The controller's side of the tracker. Writes of a tick carry the lease's fence as `guard`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from lifecycle.model.codec import decode, encode
from lifecycle.model.corrections import Correction
from lifecycle.model.errors import Conflict, LostLease, StateUnusable
from lifecycle.model.holds import Allowance, Hold
from lifecycle.model.journal import Entry, Tick
from lifecycle.model.money import Ledger, Quotes
from lifecycle.model.past import Past
from lifecycle.model.proving import SaveProof
from lifecycle.model.records import (
    Attempt,
    DrainClaim,
    Incarnation,
    Order,
    Placement,
    Receipt,
    Report,
    Run,
    Shortage,
    SpecRecord,
)
from lifecycle.model.tidings import Told
from lifecycle.model.world import Observed
from lifecycle.ports.tracker import Beside, Guard, Row, Table
from lifecycle.tracker import rows
from lifecycle.tracker.readings import Readings

R = TypeVar("R", bound=msgspec.Struct)

_CORE = (
    rows.SPEC,
    rows.PLACEMENT,
    rows.DRAIN,
    rows.ORDER,
    rows.REPORT,
    rows.RUN,
    rows.REJECTION,
    rows.HOLD,
    rows.ALLOWANCE,
    rows.SHORTAGE,
    rows.PROOF,
    rows.LEDGER,
    rows.QUOTES,
    rows.CORRECTION,
    rows.TICK,
)


def _read(row: Row, kind: type[R]) -> R:
    """Raises StateUnusable for what another version wrote: nothing follows from half of it."""
    try:
        return decode(row.body, kind)
    except (msgspec.MsgspecError, ValueError) as error:
        raise StateUnusable(
            f"the {kind.__name__} of {row.name} is of another version of steady: {error}",
            fix="use the version that wrote it, or a newer one; nothing was changed",
        ) from None


def _grouped(found: Iterable[Row], kind: type[R], owner: Callable[[R], str]) -> dict[str, tuple[R, ...]]:
    """The rows by whom they are about, in the order of their names; of several under one name the latest."""
    groups: dict[str, list[R]] = defaultdict(list)
    for row in {row.name: row for row in found}.values():
        record = _read(row, kind)
        groups[owner(record)].append(record)
    return {name: tuple(records) for name, records in groups.items()}


class ControllerTracker:
    """Reads and writes a fleet's records. Writes of a tick raise LostLease when it was overtaken."""

    def __init__(self, table: Table) -> None:
        self._table, self._readings = table, Readings(_read)

    def fleets(self) -> Sequence[str]:
        return self._table.fleets()

    def observe(self, fleet: str) -> Observed:
        """Everything a tick needs but the provider's list, the creation claims and the receipts."""
        found, each = self._table.scan(fleet, _CORE), self._readings.each
        spec = each(found[rows.SPEC], SpecRecord)
        reports = tuple(self._reports(found[rows.REPORT]))
        quotes = each(found[rows.QUOTES], Quotes).get(fleet, Quotes())
        return Observed(
            fleet=fleet,
            record=spec.get(fleet),
            placements=each(found[rows.PLACEMENT], Placement),
            drains=each(found[rows.DRAIN], DrainClaim),
            orders=each(found[rows.ORDER], Order),
            reports={report.node: report for report in reports},
            heard={report.instance: report for report in reports},
            runs=each(found[rows.RUN], Run),
            holds=tuple(each(found[rows.HOLD], Hold).values()),
            allowances=each(found[rows.ALLOWANCE], Allowance),
            shortages=tuple(each(found[rows.SHORTAGE], Shortage).values()),
            proofs=each(found[rows.PROOF], SaveProof),
            corrections=tuple(each(found[rows.CORRECTION], Correction).values()),
            rejections=frozenset(row.name for row in found[rows.REJECTION]),
            ledgers=each(found[rows.LEDGER], Ledger),
            prices={quote.choice: quote for quote in quotes.quotes},
            last_tick=each(found[rows.TICK], Tick).get(fleet),
        )

    def _reports(self, found: Iterable[Row]) -> Iterator[Report]:
        """Those that speak of the machine that wrote them: none is heard for another."""
        for row, report in self._readings.pairs(found, Report):
            if row.writer in ("", report.instance):
                yield report

    def spec(self, fleet: str) -> SpecRecord | None:
        row = self._table.get(fleet, rows.SPEC, fleet)
        return self._readings.read(row, SpecRecord) if row else None

    def incarnations(self, fleet: str, wanted: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], Incarnation]:
        names = sorted({rows.incarnation_name(node, number) for node, number in wanted})
        found = self._readings.each(self._table.get_many(fleet, rows.INCARNATION, names), Incarnation).values()
        return {(each.node, each.number): each for each in found}

    def receipts(self, fleet: str, run: str, limit: int) -> tuple[Receipt, ...]:
        """The newest receipts of a run, greatest (epoch, step) first."""
        found = self._table.newest(fleet, rows.RECEIPT, f"{run}/", limit)
        return tuple(decode(row.body, Receipt) for row in found)

    def attempt(self, fleet: str, run: str, number: int) -> Attempt | None:
        row = self._table.get(fleet, rows.ATTEMPT, rows.attempt_name(run, number))
        return decode(row.body, Attempt) if row else None

    def history_of(self, fleet: str, node: str) -> tuple[Incarnation, ...]:
        """Every incarnation of a node, oldest first."""
        found = self._table.newest(fleet, rows.INCARNATION, f"{node}#", 1_000_000)
        return tuple(decode(row.body, Incarnation) for row in reversed(found))

    def past(self, fleet: str) -> Past:
        """The whole history of a fleet, in one reading whatever its size."""
        found = self._table.scan(fleet, (rows.ATTEMPT, rows.RECEIPT, rows.INCARNATION))
        return Past(
            attempts=_grouped(found[rows.ATTEMPT], Attempt, lambda attempt: attempt.run),
            receipts=_grouped(found[rows.RECEIPT], Receipt, lambda receipt: receipt.run),
            claims=_grouped(found[rows.INCARNATION], Incarnation, lambda claim: claim.node),
        )

    def entries(self, fleet: str, node: str | None = None, limit: int = 500) -> tuple[Entry, ...]:
        return tuple(entry for _, entry in self.news(fleet, node=node, limit=limit))

    def news(
        self, fleet: str, *, node: str | None = None, limit: int = 500, after: str = ""
    ) -> tuple[tuple[str, Entry], ...]:
        """Journal entries with their places, oldest first; beyond `after` only, when given."""
        found = self._table.entries(fleet, node, limit, after)
        return tuple((place, decode(body, Entry)) for place, body in found)

    def confirm(self, fleet: str, guard: Guard) -> None:
        """Raises LostLease when we were overtaken: asked before a call that carries no fence itself."""
        row = self._table.get(fleet, guard.kind, guard.name)
        if (row.version if row else 0) != guard.version:
            raise LostLease.of(fleet)

    def claim_incarnation(self, fleet: str, claim: Incarnation, guard: Guard | None) -> None:
        """The creation claim. Raises Conflict when that incarnation was claimed before."""
        name = rows.incarnation_name(claim.node, claim.number)
        try:
            self._table.put(fleet, rows.INCARNATION, name, encode(claim), expect=0, guard=guard)
        except Conflict:
            raise Conflict(
                f"incarnation {claim.number} was claimed before",
                fix="the next tick looks at that claim first",
            ) from None

    def put_incarnation(self, fleet: str, claim: Incarnation, guard: Guard | None) -> None:
        self._put(fleet, rows.INCARNATION, rows.incarnation_name(claim.node, claim.number), claim, guard)

    def note_shortage(self, fleet: str, shortage: Shortage, guard: Guard | None) -> None:
        name = rows.shortage_name(shortage.market, shortage.instance_type, shortage.zone)
        self._put(fleet, rows.SHORTAGE, name, shortage, guard)

    def forget_shortage(self, fleet: str, shortage: Shortage, guard: Guard | None) -> None:
        name = rows.shortage_name(shortage.market, shortage.instance_type, shortage.zone)
        self._table.remove(fleet, rows.SHORTAGE, name, guard=guard)

    def put_ledger(self, fleet: str, ledger: Ledger, guard: Guard | None) -> None:
        self._put(fleet, rows.LEDGER, ledger.pool, ledger, guard)

    def put_quotes(self, fleet: str, quotes: Quotes, guard: Guard | None) -> None:
        self._put(fleet, rows.QUOTES, fleet, quotes, guard)

    def note_correction(self, fleet: str, correction: Correction, guard: Guard | None) -> None:
        name = rows.correction_name(correction.node, correction.field)
        self._put(fleet, rows.CORRECTION, name, correction, guard)

    def forget_correction(self, fleet: str, correction: Correction, guard: Guard | None) -> None:
        name = rows.correction_name(correction.node, correction.field)
        self._table.remove(fleet, rows.CORRECTION, name, guard=guard)

    def give_out(self, fleet: str, attempt: Attempt, guard: Guard | None) -> Attempt:
        """Gives out an epoch, once. Returns the attempt that stands under that number."""
        name = rows.attempt_name(attempt.run, attempt.number)
        try:
            self._table.put(fleet, rows.ATTEMPT, name, encode(attempt), expect=0, guard=guard)
        except Conflict:
            standing = self.attempt(fleet, attempt.run, attempt.number)
            assert standing is not None
            return standing
        return attempt

    def put_run(self, fleet: str, run: Run, guard: Guard | None) -> None:
        """With the attempt it is in: no ending stands in the history that its run has not booked."""
        beside = None
        if run.attempt is not None:
            name = rows.attempt_name(run.run, run.attempt.number)
            beside = Beside(rows.ATTEMPT, name, encode(run.attempt))
        self._table.put(fleet, rows.RUN, run.run, encode(run), guard=guard, beside=beside)

    def forget_old_reports(self, fleet: str, age: float, guard: Guard | None) -> int:
        """Removes the last reports of machines whose node has another one, which reported `age` seconds later."""
        return self._table.drop_overshadowed(fleet, rows.REPORT, age, guard=guard)

    def put_proof(self, fleet: str, proof: SaveProof, guard: Guard | None) -> None:
        self._put(fleet, rows.PROOF, proof.pool, proof, guard)

    def place(self, fleet: str, placement: Placement, guard: Guard | None) -> None:
        self._put(fleet, rows.PLACEMENT, placement.node, placement, guard)

    def order(self, fleet: str, order: Order, guard: Guard | None) -> None:
        self._put(fleet, rows.ORDER, order.node, order, guard)

    def claim_drain(self, fleet: str, claim: DrainClaim, guard: Guard | None) -> None:
        """Claims or renews a drain. Raises Conflict while somebody else's stands."""
        row = self._table.get(fleet, rows.DRAIN, claim.node)
        if row is not None:
            standing = decode(row.body, DrainClaim)
            another = standing.by != claim.by and standing.drain != claim.drain
            if another and standing.expires_at > claim.asked_at:
                raise Conflict(f"{claim.node} is being drained by {standing.by}", fix="wait for it to end")
        expect = row.version if row else 0
        self._table.put(fleet, rows.DRAIN, claim.node, encode(claim), expect=expect, guard=guard)

    def release_drain(self, fleet: str, node: str, guard: Guard | None) -> None:
        self._table.remove(fleet, rows.DRAIN, node, guard=guard)

    def reject(self, fleet: str, receipt: Receipt, guard: Guard | None) -> None:
        self._put(fleet, rows.REJECTION, receipt.digest, receipt, guard)

    def mark_pruned(self, fleet: str, receipt: Receipt, guard: Guard | None) -> None:
        """Says, before its objects go, that nobody may resume from this receipt any more."""
        name = rows.receipt_name(receipt.run, receipt.epoch, receipt.step, receipt.digest)
        self._put(fleet, rows.RECEIPT, name, msgspec.structs.replace(receipt, pruned=True), guard)

    def hold(self, fleet: str, hold: Hold, guard: Guard | None = None) -> None:
        self._put(fleet, rows.HOLD, hold.id, hold, guard)

    def lift(self, fleet: str, hold: Hold, guard: Guard | None = None) -> None:
        self._table.remove(fleet, rows.HOLD, hold.id, guard=guard)

    def allow_loss(self, fleet: str, allowance: Allowance) -> None:
        self._put(fleet, rows.ALLOWANCE, allowance.instance, allowance, None)

    def spend_allowance(self, fleet: str, instance: str, guard: Guard | None) -> None:
        self._table.remove(fleet, rows.ALLOWANCE, instance, guard=guard)

    def set_spec(self, record: SpecRecord, guard: Guard | None) -> None:
        self._put(record.fleet, rows.SPEC, record.fleet, record, guard)

    def remove_spec(self, fleet: str, guard: Guard | None) -> None:
        self._table.remove(fleet, rows.SPEC, fleet, guard=guard)

    def forget_stake(self, fleet: str) -> None:
        """Removes what an update of Pulumi that was cut short left of the fleet's stake."""
        self._table.remove(fleet, rows.STACK, fleet)

    def tick(self, tick: Tick, guard: Guard | None) -> None:
        self._put(tick.fleet, rows.TICK, tick.fleet, tick, guard)

    def told(self, fleet: str) -> tuple[Told, int]:
        """What people were told of, with the version to write on from."""
        row = self._table.get(fleet, rows.TOLD, fleet)
        return (_read(row, Told), row.version) if row else (Told(), 0)

    def put_told(self, fleet: str, told: Told, version: int) -> None:
        """Raises Conflict when somebody else has written since."""
        self._table.put(fleet, rows.TOLD, fleet, encode(told), expect=version)

    def journal(self, fleet: str, entry: Entry) -> None:
        self._table.append(fleet, entry.node, encode(entry))

    def _put(self, fleet: str, kind: str, name: str, record: msgspec.Struct, guard: Guard | None) -> None:
        self._table.put(fleet, kind, name, encode(record), guard=guard)

"""Prunes the checkpoint store, and now and then ends what nobody will come back to. Only the controller does.

Kept are the newest `keep` sound receipts of a run (two at least) and whatever the standing order offers
to resume from. A receipt is marked first, so that nobody resumes from what is about to go; it stays as
history. What ends with time: what puts that were cut short left in the store, and the last reports of machines
whose node has had another one since.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import NamedTuple

from lifecycle.model.errors import LostLease, SteadyError
from lifecycle.model.ids import epoch_of
from lifecycle.model.records import Receipt, Run
from lifecycle.model.world import Observed
from lifecycle.planning.receipts import eligible, retained
from lifecycle.ports.checkpoints import ObjectStore
from lifecycle.ports.clock import Clock
from lifecycle.ports.tracker import Guard
from lifecycle.tracker.controller import ControllerTracker

LOOK_BACK = 200
"""Receipts of a run, at most: what is older and not pruned stays."""

SWEEP_EVERY, STALE = 3600.0, 86400.0
"""Seconds between two looks for what has become this old."""


class _Offered(NamedTuple):
    """What standing orders offer to resume from."""

    digests: Set[str]
    prefixes: Set[str]


class Upkeep:
    """Remembers which runs have had no new receipt since it last looked, and when it swept each fleet."""

    def __init__(self, tracker: ControllerTracker, store: ObjectStore, clock: Clock) -> None:
        self._tracker, self._store, self._clock = tracker, store, clock
        self._seen: dict[str, tuple[int, str]] = {}
        self._swept: dict[str, float] = {}

    def tidy(self, observed: Observed, guard: Guard) -> tuple[str, ...]:
        """Prunes every run that has something new, and sweeps the fleet when it is time; a line per failure.

        A store that does not answer is not asked for another thing in the same tick.
        """
        offered = self._offered(observed)
        failures = tuple(
            error for run in observed.runs.values() for error in self._tidy(observed, run, offered, guard)
        )
        return failures or tuple(self._sweep(observed.fleet, guard))

    def _sweep(self, fleet: str, guard: Guard) -> Iterator[str]:
        now = self._clock.monotonic()
        if now < self._swept.get(fleet, -math.inf) + SWEEP_EVERY:
            return
        self._swept[fleet] = now
        try:
            self._tracker.forget_old_reports(fleet, STALE, guard)
            self._store.abort_stale(f"runs/{fleet}/", STALE)
        except LostLease:
            raise
        except SteadyError as error:
            yield f"sweeping {fleet}: {error.what}"

    def _tidy(self, observed: Observed, run: Run, offered: _Offered, guard: Guard) -> Iterator[str]:
        keep = self._keep(observed, run)
        mark = self._mark(observed, run)
        if keep is None or mark is None or self._seen.get(run.run) == mark:
            return
        try:
            self._prune(observed, run, keep, offered, guard)
        except LostLease:
            raise
        except SteadyError as error:
            yield f"{run.run}: pruning: {error.what}"
        else:
            self._seen[run.run] = mark

    @staticmethod
    def _keep(observed: Observed, run: Run) -> int | None:
        """How many to keep; None when the spec no longer declares the run's pool: then all are kept."""
        pool = observed.record.spec.pools.get(run.pool) if observed.record else None
        return pool.checkpoint.keep if pool else None

    @staticmethod
    def _mark(observed: Observed, run: Run) -> tuple[int, str] | None:
        report = observed.reports.get(run.attempt.node) if run.attempt else None
        if report is None or report.receipt is None or report.receipt.run != run.run:
            return None
        return (run.attempt.number if run.attempt else 0, report.receipt.digest)

    def _prune(self, observed: Observed, run: Run, keep: int, offered: _Offered, guard: Guard) -> None:
        stored = self._stored(observed.fleet, run)
        found = self._receipts(observed.fleet, run, keep, stored.keys() - offered.prefixes)
        kept = retained(eligible(found, observed.rejections, run.attempt), keep)
        needed = offered.digests | {receipt.digest for receipt in kept}
        for receipt in found:
            if receipt.digest in needed:
                continue
            if not receipt.pruned:
                self._tracker.mark_pruned(observed.fleet, receipt, guard)
            if receipt.prefix in stored:  # marked before, it may have been cut short there
                self._remove(receipt.prefix, stored.pop(receipt.prefix))
        self._remove_torn(run, stored)

    def _receipts(self, fleet: str, run: Run, keep: int, stored: Set[str]) -> Sequence[Receipt]:
        """So many of the newest as it takes to know all that may go: of a long run most went long ago."""
        few = self._tracker.receipts(fleet, run.run, len(stored) + max(2, keep))
        known = stored <= {receipt.prefix for receipt in few}
        return few if known else self._tracker.receipts(fleet, run.run, LOOK_BACK)

    def _stored(self, fleet: str, run: Run) -> dict[str, list[str]]:
        """The run's objects by the prefix of their checkpoint."""
        found: dict[str, list[str]] = {}
        for key in self._store.keys(f"runs/{fleet}/{run.run}/"):
            found.setdefault("/".join(key.split("/")[:4]), []).append(key)
        return found

    def _remove_torn(self, run: Run, stored: Mapping[str, list[str]]) -> None:
        """Objects of earlier attempts without a manifest: an agent died while it shipped them."""
        epoch = run.attempt.number if run.attempt else 0
        for prefix, keys in stored.items():
            if f"{prefix}/manifest.json" not in keys and 0 <= epoch_of(prefix) < epoch:
                self._store.remove(keys)

    @staticmethod
    def _offered(observed: Observed) -> _Offered:
        assignments = (order.assignment for order in observed.orders.values())
        receipts = [receipt for each in assignments if each is not None for receipt in each.resume]
        return _Offered({receipt.digest for receipt in receipts}, {receipt.prefix for receipt in receipts})

    def _remove(self, prefix: str, keys: list[str]) -> None:
        """The manifest first: without it nothing of the checkpoint counts."""
        manifest = f"{prefix}/manifest.json"
        self._store.remove([manifest])
        self._store.remove([key for key in keys if key != manifest])

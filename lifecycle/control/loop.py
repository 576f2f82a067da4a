"""The tick, and waiting for the next one.

A tick is the same function on a laptop, from cron or in CI: observe, settle, plan, execute, record, all
under the fleet's lease. Waiting ends early when somebody rings; missing a ring is harmless.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import msgspec

from lifecycle.control.execute import Executor
from lifecycle.control.observe import observe, with_receipts
from lifecycle.control.pricing import Pricing
from lifecycle.control.upkeep import Upkeep
from lifecycle.model.errors import LostLease, SteadyError, TimedOut, Unreadable
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.journal import Tick
from lifecycle.model.money import Choice, Price
from lifecycle.model.plan import Plan, Share, Waiting
from lifecycle.model.records import SpecRecord
from lifecycle.model.world import Observed
from lifecycle.planning import planner
from lifecycle.planning.settle import apply_facts, settle
from lifecycle.planning.status import blind_since
from lifecycle.ports.clock import Clock
from lifecycle.ports.compute import Compute
from lifecycle.ports.events import Wake
from lifecycle.ports.prices import Prices
from lifecycle.ports.provisioner import Provisioner
from lifecycle.ports.tracker import Guard
from lifecycle.tracker.controller import ControllerTracker
from lifecycle.tracker.lease import Leases

LEASE_WAIT = 30.0

ASK_SHARED_EVERY = 300.0
"""Seconds between two looks at what machines share: a look is a preview of its own."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds between two ticks: while something is being done, is waited for, or is as it should be."""

    busy: float = 0.2
    waiting: float = 1.0
    settled: float = 5.0


LOCAL = Pace()
AWS = Pace(busy=2.0, waiting=5.0, settled=15.0)
"""Every tick is a call or more that AWS counts."""


class Ticked(msgspec.Struct, frozen=True, kw_only=True):
    """What one tick saw, planned and left behind."""

    observed: Observed
    plan: Plan
    record: Tick


class Controller:
    """Ticks fleets of one provider."""

    def __init__(
        self,
        *,
        tracker: ControllerTracker,
        leases: Leases,
        compute: Compute,
        provisioner: Provisioner,
        upkeep: Upkeep,
        clock: Clock,
        wake: Wake,
        who: str,
        pace: Pace = LOCAL,
        prices: Prices | None = None,
    ) -> None:
        self._tracker, self._leases, self._clock, self._wake = tracker, leases, clock, wake
        self._compute, self._provisioner, self._upkeep, self._who = compute, provisioner, upkeep, who
        self._pace, self._pricing = pace, Pricing(prices, clock)
        self._asked: dict[str, float] = {}

    def look(self, fleet: str, spec: FleetSpec | None = None, *, share: bool = False) -> tuple[Observed, Plan]:
        """What a tick would see and plan now (for `spec`, else the one of record). Writes nothing.

        With `share` it asks what the machines share, as the first tick of `apply` does.
        """
        now = self._clock.now()
        observed = observe(fleet, self._compute, self._tracker, now)
        observed, _ = self._pricing.priced(observed, spec or desired(observed.record))
        observed = apply_facts(observed, settle(observed, now))
        if share:
            observed, _ = self._asked_shared(observed)
        return self._planned(observed, spec or desired(observed.record), now, share=share)

    def prices(self, choices: Collection[Choice]) -> Mapping[Choice, Price]:
        """What these cost, as far as that is known."""
        return self._pricing.known(choices)

    def tick(self, fleet: str, *, wait: float = LEASE_WAIT, upkeep: bool = False, share: bool = False) -> Ticked:
        """One pass. Raises LeaseHeld when another controller ticks this fleet for longer than `wait`.

        With `upkeep` the store is pruned and differences in what machines share are looked for now and then;
        with `share` they are looked for, and made as declared.
        """
        with self._leases.held(fleet, wait=wait) as guard:
            return self._tick(fleet, guard, upkeep=upkeep, share=share)

    def _tick(self, fleet: str, guard: Guard, *, upkeep: bool, share: bool) -> Ticked:
        began, now = self._clock.monotonic(), self._clock.now()
        executor = self._executor(fleet, guard)
        observed = observe(fleet, self._compute, self._tracker, now)
        observed, quotes = self._pricing.priced(observed, desired(observed.record))
        if quotes is not None:
            self._tracker.put_quotes(fleet, quotes, guard)
        facts = settle(observed, now)
        executor.record(facts)
        observed, notes = apply_facts(observed, facts), NOTHING
        if share or (upkeep and self._due(fleet)):
            observed, notes = self._asked_shared(observed)
        observed, plan = self._planned(observed, desired(observed.record), now, share=share)
        errors = executor.execute(plan, observed.shortages)
        left: tuple[str, ...] = ()
        if observed.suspended(now) is None:
            if upkeep and observed.machines is not None:
                errors += self._upkeep.tidy(observed, guard)
            left = self._finish_destroy(executor, observed, plan, guard)
        plan, errors = _waits_for(plan, left), errors + left
        notes += tuple(trouble for trouble in (self._wake.trouble, self._pricing.trouble) if trouble)
        seconds = round(self._clock.monotonic() - began, 3)
        record = _record(observed, plan, at=now, by=self._who, errors=errors, notes=notes, seconds=seconds)
        self._tracker.tick(record, guard)
        return Ticked(observed=observed, plan=plan, record=record)

    def _due(self, fleet: str) -> bool:
        asked = self._asked.get(fleet)
        return asked is None or self._clock.monotonic() - asked >= ASK_SHARED_EVERY

    def _asked_shared(self, observed: Observed) -> tuple[Observed, tuple[str, ...]]:
        """The observation with what differs in what machines share; a look that fails is a note, no stop."""
        if desired(observed.record) is None:
            return observed, ()
        self._asked[observed.fleet] = self._clock.monotonic()
        try:
            found = tuple(self._provisioner.differences(observed.fleet))
        except SteadyError as failed:
            return observed, (f"what the machines share was not looked at: {failed.what}",)
        return msgspec.structs.replace(observed, shared=found), ()

    def _planned(
        self, observed: Observed, spec: FleetSpec | None, now: float, *, share: bool = False
    ) -> tuple[Observed, Plan]:
        if spec is None and observed.record is None:
            return observed, Plan(fleet=observed.fleet, generation=0)
        observed = with_receipts(spec, observed, self._tracker)
        return observed, planner.plan(spec, observed, now, share=share)

    def _executor(self, fleet: str, guard: Guard) -> Executor:
        return Executor(
            fleet,
            guard,
            tracker=self._tracker,
            compute=self._compute,
            provisioner=self._provisioner,
            clock=self._clock,
        )

    def _finish_destroy(self, executor: Executor, observed: Observed, plan: Plan, guard: Guard) -> tuple[str, ...]:
        """The record goes last, when nothing else is left: a destroy that was cut short goes on."""
        destroying = observed.record is not None and observed.record.destroying
        live = observed.machines is None or any(machine.live for machine in observed.machines)
        if not destroying or not plan.settled or plan.refusals or live:
            return ()
        left = executor.dismantle()
        if not left:
            self._tracker.remove_spec(observed.fleet, guard)
        return left

    def until(
        self,
        fleet: str,
        done: Callable[[Ticked], bool],
        *,
        timeout: float,
        seen: Callable[[Ticked], None] = lambda _: None,
        missed: Callable[[SteadyError], None] = lambda _: None,
        upkeep: bool = False,
        share: bool = False,
        longest_pause: float | None = None,
    ) -> Ticked:
        """Ticks until `done`; raises TimedOut after `timeout` seconds, with what was waited for.

        With `share` that includes what the machines share. A world that could be read once is looked at again.
        """
        deadline = self._clock.monotonic() + timeout
        ticked: Ticked | None = None
        while True:
            try:
                ticked = self.tick(fleet, upkeep=upkeep, share=share)
            except (LostLease, Unreadable) as error:
                blind = isinstance(error, Unreadable)
                if self._clock.monotonic() >= deadline or (blind and ticked is None):
                    raise
                if blind:
                    missed(error)
                    self._wake.wait(self._pace.waiting)
                continue  # overtaken, or blind for a moment: the next tick plans anew
            seen(ticked)
            share = share and bool(ticked.record.shared)
            if done(ticked):
                return ticked
            if self._clock.monotonic() >= deadline:
                raise _timed_out(fleet, ticked.plan, timeout)
            self.pause(ticked.plan, longest_pause)

    def pause(self, plan: Plan, at_most: float | None = None) -> None:
        """Waits as long as the plan allows, or until somebody rings."""
        pace = self._pace
        settled = pace.settled if at_most is None else max(at_most, pace.busy)
        longest = pace.busy if plan.actions else pace.waiting if plan.waiting else settled
        now = self._clock.now()
        due = [waiting.until - now for waiting in plan.waiting if waiting.until is not None]
        self._wake.wait(max(0.0, min([longest, *(seconds for seconds in due if seconds > 0)])))


def desired(record: SpecRecord | None) -> FleetSpec | None:
    """The spec to make true: that of record; nothing once the fleet is being destroyed."""
    return record.spec if record is not None and not record.destroying else None


NOTHING: tuple[str, ...] = ()


def _record(
    observed: Observed,
    plan: Plan,
    *,
    at: float,
    by: str,
    errors: tuple[str, ...],
    notes: tuple[str, ...],
    seconds: float,
) -> Tick:
    return Tick(
        fleet=plan.fleet,
        at=at,
        by=by,
        generation=plan.generation,
        actions=len(plan.actions),
        refused=len(plan.refusals),
        waiting=len(plan.waiting),
        errors=errors,
        notes=notes,
        shared=() if _shared(plan, errors) else observed.shared,
        seconds=seconds,
        nodes_seen=sum(machine.live for machine in observed.machines or ()),
        quiet=tuple(observed.quiet.values()),
        blind_since=blind_since(observed, at),
    )


def _shared(plan: Plan, errors: tuple[str, ...]) -> bool:
    """Whether this tick made what the machines share as declared."""
    tried = any(isinstance(step, Share) for action in plan.actions for step in action.steps)
    return tried and not any(error.startswith(f"{plan.fleet}: ") for error in errors)


def _waits_for(plan: Plan, left: tuple[str, ...]) -> Plan:
    waiting = tuple(Waiting(node=plan.fleet, what=f"what its machines shared to be removed: {why}") for why in left)
    return msgspec.structs.replace(plan, waiting=(*plan.waiting, *waiting))


def _timed_out(fleet: str, plan: Plan, timeout: float) -> TimedOut:
    waits = [f"{w.node}: {w.what}" for w in plan.waiting] + [f"{a.node}: {a.kind}" for a in plan.actions]
    rest = f" and {len(waits) - 3} more" if len(waits) > 3 else ""
    return TimedOut(
        f"{fleet}: not there after {timeout:.0f}s; waits for {'; '.join(waits[:3])}{rest}",
        fix=f"nothing is lost: `steady status {fleet}` shows it, the same command goes on",
    )

"""The tick, and waiting for the next one.

A tick is the same function on a laptop, from cron or in CI: observe, settle, plan, execute, record, all
under the fleet's lease. Waiting ends early when somebody rings; missing a ring is harmless.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from lifecycle.control.execute import Executor
from lifecycle.control.observe import observe, with_receipts
from lifecycle.control.upkeep import Upkeep
from lifecycle.model.errors import LostLease, TimedOut
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.plan import Plan
from lifecycle.model.records import SpecRecord, Tick
from lifecycle.model.world import Observed
from lifecycle.planning import planner
from lifecycle.planning.settle import apply_facts, settle
from lifecycle.ports.clock import Clock
from lifecycle.ports.compute import Compute
from lifecycle.ports.events import Wake
from lifecycle.ports.provisioner import Provisioner
from lifecycle.ports.tracker import Guard
from lifecycle.tracker.controller import ControllerTracker
from lifecycle.tracker.lease import Leases

LEASE_WAIT = 30.0


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
    ) -> None:
        self._tracker, self._leases, self._clock, self._wake = tracker, leases, clock, wake
        self._pace = pace
        self._compute, self._provisioner, self._upkeep, self._who = compute, provisioner, upkeep, who

    def look(self, fleet: str, spec: FleetSpec | None = None) -> tuple[Observed, Plan]:
        """What a tick would see and plan now (for `spec`, else the one of record). Writes nothing."""
        now = self._clock.now()
        observed = observe(fleet, self._compute, self._tracker)
        observed = apply_facts(observed, settle(observed, now))
        return self._planned(observed, spec or desired(observed.record), now)

    def tick(self, fleet: str, *, wait: float = LEASE_WAIT, upkeep: bool = False) -> Ticked:
        """One pass. Raises LeaseHeld when another controller ticks this fleet for longer than `wait`."""
        with self._leases.held(fleet, wait=wait) as guard:
            return self._tick(fleet, guard, upkeep=upkeep)

    def _tick(self, fleet: str, guard: Guard, *, upkeep: bool) -> Ticked:
        began, now = self._clock.monotonic(), self._clock.now()
        executor = self._executor(fleet, guard)
        observed = observe(fleet, self._compute, self._tracker)
        facts = settle(observed, now)
        executor.record(facts)
        observed, plan = self._planned(apply_facts(observed, facts), desired(observed.record), now)
        errors = executor.execute(plan)
        if upkeep and observed.machines is not None:
            errors += self._upkeep.tidy(observed, guard)
        self._finish_destroy(observed, plan, guard)
        record = Tick(
            fleet=fleet,
            at=now,
            by=self._who,
            generation=plan.generation,
            actions=len(plan.actions),
            refused=len(plan.refusals),
            waiting=len(plan.waiting),
            errors=errors,
            notes=(self._wake.trouble,) if self._wake.trouble else (),
            seconds=round(self._clock.monotonic() - began, 3),
            nodes_seen=sum(machine.live for machine in observed.machines or ()),
        )
        self._tracker.tick(record, guard)
        return Ticked(observed=observed, plan=plan, record=record)

    def _planned(self, observed: Observed, spec: FleetSpec | None, now: float) -> tuple[Observed, Plan]:
        if spec is None and observed.record is None:
            return observed, Plan(fleet=observed.fleet, generation=0)
        observed = with_receipts(spec, observed, self._tracker)
        return observed, planner.plan(spec, observed, now)

    def _executor(self, fleet: str, guard: Guard) -> Executor:
        return Executor(
            fleet,
            guard,
            tracker=self._tracker,
            compute=self._compute,
            provisioner=self._provisioner,
            clock=self._clock,
        )

    def _finish_destroy(self, observed: Observed, plan: Plan, guard: Guard) -> None:
        """The record goes last, when no machine is left: a destroy that was cut short goes on."""
        destroying = observed.record is not None and observed.record.destroying
        live = observed.machines is None or any(machine.live for machine in observed.machines)
        if destroying and plan.settled and not plan.refusals and not live:
            self._tracker.remove_spec(observed.fleet, guard)

    def until(
        self,
        fleet: str,
        done: Callable[[Ticked], bool],
        *,
        timeout: float,
        seen: Callable[[Ticked], None] = lambda _: None,
        upkeep: bool = False,
        longest_pause: float | None = None,
    ) -> Ticked:
        """Ticks until `done`; raises TimedOut after `timeout` seconds, with what was waited for."""
        deadline = self._clock.monotonic() + timeout
        while True:
            try:
                ticked = self.tick(fleet, upkeep=upkeep)
            except LostLease:
                if self._clock.monotonic() >= deadline:
                    raise
                continue  # overtaken in the middle: the next tick plans anew
            seen(ticked)
            if done(ticked):
                return ticked
            if self._clock.monotonic() >= deadline:
                raise _timed_out(fleet, ticked.plan, timeout)
            self.pause(ticked.plan, longest_pause)

    def pause(self, plan: Plan, at_most: float | None = None) -> None:
        """Waits as long as the plan allows, or until somebody rings; when settled for `at_most` seconds."""
        pace = self._pace
        settled = pace.settled if at_most is None else at_most
        longest = pace.busy if plan.actions else pace.waiting if plan.waiting else settled
        now = self._clock.now()
        due = [waiting.until - now for waiting in plan.waiting if waiting.until is not None]
        self._wake.wait(max(0.0, min([longest, *(seconds for seconds in due if seconds > 0)])))


def desired(record: SpecRecord | None) -> FleetSpec | None:
    """The spec to make true: that of record; nothing once the fleet is being destroyed."""
    return record.spec if record is not None and not record.destroying else None


def _timed_out(fleet: str, plan: Plan, timeout: float) -> TimedOut:
    waits = [f"{w.node}: {w.what}" for w in plan.waiting] + [f"{a.node}: {a.kind}" for a in plan.actions]
    rest = f" and {len(waits) - 3} more" if len(waits) > 3 else ""
    return TimedOut(
        f"{fleet}: not there after {timeout:.0f}s; waits for {'; '.join(waits[:3])}{rest}",
        fix=f"nothing is lost: `steady status {fleet}` shows it, the same command goes on",
    )

"""What people ask for: the spec of record, holds, saves. Written to the tracker; ticks make it true.

Every method checks first and writes once; a refusal changes nothing. `who` is recorded with each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from lifecycle.control.observe import observe
from lifecycle.model.errors import GuardRefused, SteadyError, WrongUsage
from lifecycle.model.fleet import FleetSpec, Resume
from lifecycle.model.holds import Allowance, Hold, HoldKind
from lifecycle.model.ids import NodeName
from lifecycle.model.journal import Entry, EntryKind
from lifecycle.model.proving import SaveProof
from lifecycle.model.records import Desired, Order, Phase, SpecRecord
from lifecycle.model.states import RunState, StopReason
from lifecycle.model.world import Machine
from lifecycle.planning import adoption, holds, rehearsing
from lifecycle.planning.adoption import Consent
from lifecycle.planning.moments import utc
from lifecycle.planning.strays import Stray, strays
from lifecycle.planning.view import NodeView, views
from lifecycle.ports.clock import Clock
from lifecycle.ports.compute import Compute
from lifecycle.ports.tracker import Guard
from lifecycle.tracker.controller import ControllerTracker
from lifecycle.tracker.lease import Leases

LEASE_WAIT = 30.0
NONE = Consent()


class Operator:
    """One person's orders. Writes are made under the fleet's lease, between ticks."""

    def __init__(
        self, *, tracker: ControllerTracker, leases: Leases, compute: Compute, clock: Clock, who: str
    ) -> None:
        self._tracker, self._leases, self._compute = tracker, leases, compute
        self._clock, self._who = clock, who

    # ---- the spec of record ----------------------------------------------------------------------

    def check(self, spec: FleetSpec, text: str, source: Path, consent: Consent = NONE) -> None:
        """Raises GuardRefused where `adopt` would; writes nothing."""
        self.proposed(spec, text, source, consent)

    def proposed(self, spec: FleetSpec, text: str, source: Path, consent: Consent = NONE) -> SpecRecord:
        """The record that `adopt` would leave standing. Raises GuardRefused where it would; writes nothing."""
        observed = self._tracker.observe(spec.fleet)
        standing = observed.record
        record = self._record(spec, text, source, standing, allow_empty=consent.allow_empty)
        adoption.may_replace(record, observed, consent)
        return record if standing is None or _changed(standing, record) else standing

    def adopt(self, spec: FleetSpec, text: str, source: Path, consent: Consent = NONE) -> SpecRecord:
        """Makes `spec` the spec of record, and lifts what Ctrl-C held. Unchanged: nothing is written."""
        with self._leases.held(spec.fleet, wait=LEASE_WAIT) as guard:
            standing = self._tracker.spec(spec.fleet)
            record = self.proposed(spec, text, source, consent)
            if record != standing:
                self._tracker.set_spec(record, guard)
                self._note(spec.fleet, "apply", evidence=f"generation {record.generation} of {source}")
            self._lift(spec.fleet, guard, lambda hold: hold.kind is HoldKind.PAUSE)
        return record

    def _record(
        self, spec: FleetSpec, text: str, source: Path, standing: SpecRecord | None, *, allow_empty: bool
    ) -> SpecRecord:
        digest = hashlib.sha256(text.encode()).hexdigest()
        same = standing is not None and standing.digest == digest and not standing.destroying
        generation = (standing.generation if standing else 0) + (0 if same else 1)
        return SpecRecord(
            fleet=spec.fleet,
            generation=generation,
            digest=digest,
            source=str(source),
            text=text,
            spec=spec,
            applied_at=self._clock.now(),
            applied_by=self._who,
            allow_empty=allow_empty,
            earlier=adoption.earlier(standing, digest),
            launches_from=standing.launches_from if standing else 0.0,
        )

    def destroy(self, fleet: str) -> SpecRecord | None:
        """Marks the fleet for its end. None when nothing is recorded and no machine is left."""
        with self._leases.held(fleet, wait=LEASE_WAIT) as guard:
            standing = self._tracker.spec(fleet)
            if standing is None:
                return None
            if standing.destroying:
                return standing
            record = msgspec.structs.replace(standing, destroying=True, generation=standing.generation + 1)
            self._tracker.set_spec(record, guard)
            self._lift(fleet, guard, lambda hold: hold.kind is not HoldKind.SUSPEND)
            self._note(fleet, "destroy", evidence="every node is to end, saved first")
            return record

    # ---- holds -----------------------------------------------------------------------------------

    def stop(self, node: NodeName, reason: str, until: float | None) -> Hold:
        return self._hold(HoldKind.STOP, node, reason, until=until)

    def terminate(self, node: NodeName, reason: str) -> Hold:
        return self._hold(HoldKind.TERMINATE, node, reason)

    def replace(self, node: NodeName, reason: str) -> Hold:
        machine = self._machine(node)
        return self._hold(HoldKind.REPLACE, node, reason, instance=machine.id)

    def rehearse(self, node: NodeName, span: float) -> Hold:
        """Asks what trains on the node to save and exit within `span` seconds, and to go on from there.

        Raises GuardRefused where that could cost it more than a moment.
        """
        self._declared(node)
        with self._leases.held(node.fleet, wait=LEASE_WAIT) as guard:
            now = self._clock.now()
            observed = observe(node.fleet, self._compute, self._tracker, now)
            view = next(v for v in views(self._recorded(node.fleet).spec, observed, now) if v.name == node)
            if (suspended := observed.suspended(now)) is not None:
                raise GuardRefused(
                    f"{node}: {holds.in_words(suspended)}", fix=f"steady unsuspend {node.fleet}", about="suspended"
                )
            self._may_rehearse(view)
            if view.run is not None and view.attempt is not None:
                allowed = msgspec.structs.replace(view.run, allowed=view.attempt.number + 1)
                self._tracker.put_run(node.fleet, allowed, guard)
            instance = view.machine.id if view.machine else None
            reason = "whether its trainer saves and stops"
            return self._write(
                guard, node.fleet, HoldKind.REHEARSE, str(node), reason, instance=instance, until=now + span
            )

    def call_off(self, hold: Hold) -> int:
        """Lifts this hold; returns whether it still stood."""
        with self._leases.held(hold.fleet, wait=LEASE_WAIT) as guard:
            return self._lift(hold.fleet, guard, lambda standing: standing.id == hold.id)

    def proved(self, fleet: str, proof: SaveProof) -> None:
        """Keeps what a copy of one of its pools has proven."""
        with self._leases.held(fleet, wait=LEASE_WAIT) as guard:
            self._tracker.put_proof(fleet, proof, guard)

    @staticmethod
    def _may_rehearse(view: NodeView) -> None:
        if view.pool is not None and view.pool.train.resume is Resume.NEVER:
            raise GuardRefused(
                f"{view.node}: with resume: never its next attempt would start from the beginning",
                fix="rehearse a spec with resume: auto",
                about="rehearsal",
            )
        if not rehearsing.trains(view):
            raise SteadyError(f"{view.node} does not train undisturbed now", fix=f"steady status {view.name.fleet}")

    def suspend(self, fleet: str, reason: str, until: float | None) -> Hold:
        self._recorded(fleet)
        return self._put(fleet, HoldKind.SUSPEND, None, reason, until=until)

    def unsuspend(self, fleet: str) -> int:
        """Lifts every suspension, and the breaker; returns how many suspensions there were."""
        self._recorded(fleet)
        with self._leases.held(fleet, wait=LEASE_WAIT) as guard:
            forgiven = msgspec.structs.replace(self._recorded(fleet), launches_from=self._clock.now())
            self._tracker.set_spec(forgiven, guard)
            self._note(fleet, "unsuspend")
            return self._lift(fleet, guard, lambda hold: hold.kind is HoldKind.SUSPEND)

    def pause(self, fleet: str) -> Hold:
        """What Ctrl-C asks for: save and stop everything until the next `run` or `apply`."""
        return self._put(fleet, HoldKind.PAUSE, None, "Ctrl-C in `steady run`")

    def start(self, node: NodeName, *, resume: bool) -> None:
        """Lifts the node's holds, and puts back what is contested; with `resume` its run's
        next attempt may start, whatever held it back."""
        self._declared(node)
        with self._leases.held(node.fleet, wait=LEASE_WAIT) as guard:
            if resume:
                self._allow(node, guard)
            mine = (HoldKind.STOP, HoldKind.TERMINATE, HoldKind.REPLACE, HoldKind.START)
            self._lift(node.fleet, guard, lambda hold: hold.kind in mine and hold.node == str(node))
            self._rouse(node, guard)
            self._make_peace(node, guard)
            self._note(node.fleet, "start --resume" if resume else "start", node=str(node))
            self._against_schedule(node, guard)

    def _against_schedule(self, node: NodeName, guard: Guard) -> None:
        """A node that its schedule stops is kept running until that changes next."""
        found = holds.scheduled(self._recorded(node.fleet).spec, self._clock.now()).get(node.pool)
        if found is not None:
            reason = "`steady start` during a scheduled stop"
            self._write(guard, node.fleet, HoldKind.START, str(node), reason, until=found.until)

    def _rouse(self, node: NodeName, guard: Guard) -> None:
        """What was stopped because it was idle is wanted again."""
        placement = self._tracker.observe(node.fleet).placements.get(str(node))
        if placement is not None and placement.reason is StopReason.IDLE:
            again = msgspec.structs.replace(placement, present=True, reason=None, run=None)
            self._tracker.place(node.fleet, again, guard)

    def _make_peace(self, node: NodeName, guard: Guard) -> None:
        for correction in self._tracker.observe(node.fleet).corrections:
            if correction.node == str(node):
                self._tracker.forget_correction(node.fleet, correction, guard)

    def _allow(self, node: NodeName, guard: Guard) -> None:
        observed = self._tracker.observe(node.fleet)
        record = self._recorded(node.fleet)
        run = observed.runs.get(record.spec.run_of(node))
        if run is None or run.attempt is None:
            return
        if run.state is RunState.COMPLETED:
            raise SteadyError(
                f"{run.run} has completed", fix="give `train.run` another name in the spec to train again"
            )
        if not run.attempt.open:
            allowed = msgspec.structs.replace(run, allowed=run.attempt.number + 1)
            self._tracker.put_run(node.fleet, allowed, guard)

    def checkpoint(self, node: NodeName) -> str:
        """Orders one save without a stop; returns its id, which the receipt will carry."""
        self._declared(node)
        with self._leases.held(node.fleet, wait=LEASE_WAIT) as guard:
            observed = self._tracker.observe(node.fleet)
            order, report = observed.orders.get(str(node)), observed.reports.get(str(node))
            training = report is not None and report.phase in (Phase.TRAINING, Phase.SAVING)
            if order is None or order.assignment is None or not training:
                raise SteadyError(f"{node} is not training", fix=f"steady status {node.fleet}")
            save = f"save-{order.number + 1}"
            asked = Order(
                node=str(node),
                number=order.number + 1,
                incarnation=order.incarnation,
                desired=Desired.SAVED,
                reason=f"checkpoint asked by {self._who}",
                at=self._clock.now(),
                assignment=order.assignment,
                save=save,
            )
            self._tracker.order(node.fleet, asked, guard)
            self._note(node.fleet, "checkpoint", node=str(node))
            return save

    def allow_loss(self, fleet: str, instance: str, reason: str) -> Machine:
        """One machine may be ended without a save, once."""
        machine = next((m for m in self._compute.machines(fleet) if m.id == instance and m.live), None)
        if machine is None:
            raise SteadyError(f"{instance} is no live machine of {fleet}", fix=f"steady status {fleet}")
        allowance = Allowance(instance=instance, reason=reason, by=self._who, at=self._clock.now())
        self._tracker.allow_loss(fleet, allowance)
        self._note(fleet, "allow-loss", node=machine.node, evidence=reason)
        return machine

    # ---- strays ----------------------------------------------------------------------------------

    def strays(self, fleet: str) -> tuple[Stray, ...]:
        """Live machines that are provably ours and belong to no node any more."""
        now = self._clock.now()
        return strays(observe(fleet, self._compute, self._tracker, now), now)

    def sweep(self, fleet: str, found: tuple[Stray, ...]) -> tuple[Machine, ...]:
        """Ends those that nothing speaks for; returns them. Raises GuardRefused while the fleet is suspended."""
        ended = tuple(stray.machine for stray in found if not stray.spared)
        suspended = self._tracker.observe(fleet).suspended(self._clock.now())
        if ended and suspended is not None:
            raise GuardRefused(
                f"{fleet}: {holds.in_words(suspended)}", fix=f"steady unsuspend {fleet}", about="suspended"
            )
        for machine in ended:
            self._note(fleet, "sweep", node=machine.node, evidence=f"{machine.id} belongs to no node")
            self._compute.end_stray(machine)
        return ended

    # ---- checks and writes -----------------------------------------------------------------------

    def _recorded(self, fleet: str) -> SpecRecord:
        record = self._tracker.spec(fleet)
        if record is None:
            raise SteadyError(f"no fleet {fleet!r} is applied here", fix="steady status lists the fleets")
        return record

    def _declared(self, node: NodeName) -> None:
        record = self._recorded(node.fleet)
        if node not in record.spec.nodes():
            pools = ", ".join(f"{name} (0..{pool.nodes - 1})" for name, pool in record.spec.pools.items())
            raise WrongUsage(f"{node} is not a node of the applied spec", fix=f"its pools: {pools}")

    def _machine(self, node: NodeName) -> Machine:
        self._declared(node)
        for machine in self._compute.machines(node.fleet):
            if machine.node == str(node) and machine.live:
                return machine
        raise SteadyError(f"{node} has no machine to replace", fix=f"steady status {node.fleet}")

    def _hold(
        self,
        kind: HoldKind,
        node: NodeName,
        reason: str,
        *,
        instance: str | None = None,
        until: float | None = None,
    ) -> Hold:
        self._declared(node)
        return self._put(node.fleet, kind, str(node), reason, instance=instance, until=until)

    def _put(
        self,
        fleet: str,
        kind: HoldKind,
        node: str | None,
        reason: str,
        *,
        instance: str | None = None,
        until: float | None = None,
    ) -> Hold:
        with self._leases.held(fleet, wait=LEASE_WAIT) as guard:
            return self._write(guard, fleet, kind, node, reason, instance=instance, until=until)

    def _write(
        self,
        guard: Guard,
        fleet: str,
        kind: HoldKind,
        node: str | None,
        reason: str,
        *,
        instance: str | None = None,
        until: float | None = None,
    ) -> Hold:
        hold = Hold(
            id=f"{kind}-{guard.version}",
            fleet=fleet,
            kind=kind,
            node=node,
            reason=reason,
            by=self._who,
            at=self._clock.now(),
            instance=instance,
            until=until,
        )
        self._tracker.hold(fleet, hold, guard)
        self._note(fleet, kind, node=node, evidence=f"{reason}{f', until {utc(until)}' if until else ''}")
        return hold

    def _lift(self, fleet: str, guard: Guard, which: Callable[[Hold], bool]) -> int:
        lifted = [hold for hold in self._tracker.observe(fleet).holds if which(hold)]
        for hold in lifted:
            self._tracker.lift(fleet, hold, guard)
            self._note(fleet, f"{hold.kind} lifted", node=hold.node, evidence=hold.reason)
        return len(lifted)

    def _note(self, fleet: str, what: str, *, node: str | None = None, evidence: str = "") -> None:
        entry = Entry(
            at=self._clock.now(),
            kind=EntryKind.COMMAND,
            what=what,
            node=node,
            cause="operator",
            evidence=evidence,
            result=f"by {self._who}",
        )
        self._tracker.journal(fleet, entry)


def _changed(standing: SpecRecord, record: SpecRecord) -> bool:
    def core(each: SpecRecord) -> tuple[object, ...]:
        return each.digest, each.source, each.destroying, each.allow_empty

    return core(standing) != core(record)

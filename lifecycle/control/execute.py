"""Carries out a plan: the only place that calls mutating ports.

Every action is journalled before (intent) and after (outcome). Orders and drains are written first;
machines change last, after their creation claims, and only while the spec of record is still the one
that was planned for. Every step may be repeated: a controller killed anywhere leaves nothing that the
next tick does not put right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from lifecycle.model import plan as steps
from lifecycle.model.errors import LostLease, SteadyError
from lifecycle.model.journal import Entry, EntryKind
from lifecycle.model.plan import Action, Facts, Plan
from lifecycle.model.records import Desired, Incarnation, Placement, Shortage
from lifecycle.planning import capacity
from lifecycle.ports.clock import Clock
from lifecycle.ports.compute import Compute
from lifecycle.ports.provisioner import Outcome, Provisioner
from lifecycle.ports.tracker import Guard
from lifecycle.tracker.controller import ControllerTracker


class Executor:
    """Executes for one fleet under one lease."""

    def __init__(
        self,
        fleet: str,
        guard: Guard,
        *,
        tracker: ControllerTracker,
        compute: Compute,
        provisioner: Provisioner,
        clock: Clock,
    ) -> None:
        self._fleet, self._guard, self._clock = fleet, guard, clock
        self._tracker, self._compute, self._provisioner = tracker, compute, provisioner
        self._handlers: dict[type, Callable[[Any], None]] = {
            steps.Claim: self._claim,
            steps.Release: self._release,
            steps.Place: self._place,
            steps.PowerOff: self._power_off,
            steps.PowerOn: self._power_on,
            steps.GiveOut: self._give_out,
            steps.Instruct: self._instruct,
            steps.EndStray: self._end_stray,
            steps.Share: self._share,
        }

    def record(self, facts: Facts) -> None:
        """Writes what the observation settled."""
        self._learn(facts)
        self._let_go(facts)
        for entry in facts.entries:
            self._tracker.journal(self._fleet, entry)

    def _learn(self, facts: Facts) -> None:
        tracker, fleet, guard = self._tracker, self._fleet, self._guard
        for run in facts.runs:
            tracker.put_run(fleet, run, guard)
        self._book(facts)
        for receipt in facts.rejections:
            tracker.reject(fleet, receipt, guard)
        for proof in facts.proofs:
            tracker.put_proof(fleet, proof, guard)

    def _let_go(self, facts: Facts) -> None:
        tracker, fleet, guard = self._tracker, self._fleet, self._guard
        for node in facts.released:
            tracker.release_drain(fleet, node, guard)
        for hold in facts.spent:
            tracker.lift(fleet, hold, guard)
        for instance in facts.spent_allowances:
            tracker.spend_allowance(fleet, instance, guard)
        for shortage in facts.over:
            tracker.forget_shortage(fleet, shortage, guard)
        for correction in facts.calm:
            tracker.forget_correction(fleet, correction, guard)

    def _book(self, facts: Facts) -> None:
        """The ledgers first: a claim that says it is booked is."""
        for ledger in facts.ledgers:
            self._tracker.put_ledger(self._fleet, ledger, self._guard)
        for incarnation in facts.incarnations:
            self._tracker.put_incarnation(self._fleet, incarnation, self._guard)

    def execute(self, plan: Plan, shortages: Sequence[Shortage] = ()) -> tuple[str, ...]:
        """Carries the plan out; returns one line per action that failed. Raises LostLease.

        `shortages` are those known before: a refusal that goes on keeps its beginning.
        """
        errors: list[str] = []
        machines = [action for action in plan.actions if _converges(action)]
        for number, action in enumerate(plan.actions):
            if action not in machines:
                errors += self._one(self._op(number), action)
        errors += self._machines(plan, machines, shortages)
        return (*errors, *self._label(plan))

    def dismantle(self) -> tuple[str, ...]:
        """Removes what the fleet's machines shared; returns one line when that failed. Raises LostLease."""
        self._tracker.confirm(self._fleet, self._guard)
        try:
            self._provisioner.dismantle(self._fleet)
        except SteadyError as failed:
            return (f"{self._fleet}: {failed.what}",)
        return ()

    def _op(self, number: int) -> str:
        """Unique per action: the lease's version grows with every tick."""
        return f"{self._guard.version}.{number}"

    def _one(self, op: str, action: Action) -> Iterator[str]:
        self._intend(op, action)
        error = ""
        try:
            for step in action.steps:
                self._handlers[type(step)](step)
        except LostLease:
            raise
        except SteadyError as failed:
            error = failed.what
            yield f"{action.node}: {error}"
        self._conclude(op, action, error)

    def _machines(self, plan: Plan, actions: list[Action], shortages: Sequence[Shortage]) -> Iterator[str]:
        """Placements and creation claims first, then one call for all nodes whose machines change."""
        ready: dict[str, tuple[str, Action]] = {}
        placements: list[Placement] = []
        for number, action in enumerate(actions):
            op = self._op(1000 + number)
            self._intend(op, action)
            try:
                placements.append(self._claimed(action))
            except LostLease:
                raise
            except SteadyError as failed:
                self._conclude(op, action, failed.what)
                yield f"{action.node}: {failed.what}"
            else:
                ready[action.node] = (op, action)
        if not placements:
            return
        self._recheck(plan)
        outcomes = self._converged(placements)
        noted = self._noted(outcomes, placements, shortages)
        for outcome in outcomes:
            error = outcome.error or noted or self._end_orphan(outcome)
            self._conclude(*ready[outcome.node], error)
            if error:
                yield f"{outcome.node}: {error}"

    def _converged(self, placements: Sequence[Placement]) -> Sequence[Outcome]:
        """What became of each; when the provisioner itself failed, nobody can tell."""
        try:
            return self._provisioner.converge(self._fleet, placements)
        except LostLease:
            raise
        except SteadyError as failed:
            return [Outcome(node=each.node, error=failed.what, uncertain=True) for each in placements]

    def _noted(
        self, outcomes: Iterable[Outcome], placements: Iterable[Placement], shortages: Sequence[Shortage]
    ) -> str:
        """Writes what the outcomes say of claims and capacity; says what went wrong in that."""
        asked = {each.node: each for each in placements if each.present}
        told = [(asked[outcome.node], outcome) for outcome in outcomes if outcome.node in asked]
        try:
            claims = self._tracker.incarnations(self._fleet, [(p.node, p.incarnation) for p, _ in told])
            for placement, outcome in told:
                claim = claims.get((placement.node, placement.incarnation))
                self._note(placement, outcome, claim, shortages)
        except LostLease:
            raise
        except SteadyError as failed:
            return failed.what
        return ""

    def _note(
        self, placement: Placement, outcome: Outcome, claim: Incarnation | None, shortages: Sequence[Shortage]
    ) -> None:
        """The shortage first: a claim that was closed is not looked at again."""
        now = self._clock.now()
        if outcome.no_capacity:
            shortage = capacity.refused(placement, outcome.error, shortages, now)
            self._tracker.note_shortage(self._fleet, shortage, self._guard)
        known = _learned(claim, outcome, now) if claim else None
        if known is not None and known != claim:
            self._tracker.put_incarnation(self._fleet, known, self._guard)

    def _end_orphan(self, outcome: Outcome) -> str:
        """A machine that was to go and that the provisioner does not keep: nobody else would end it."""
        if outcome.orphan is None:
            return ""
        try:
            self._end_stray(steps.EndStray(machine=outcome.orphan))
        except LostLease:
            raise
        except SteadyError as failed:
            return failed.what
        return ""

    def _label(self, plan: Plan) -> Iterator[str]:
        """Bookkeeping for people: not journalled, and no reason to stop."""
        if not plan.labels:
            return
        self._tracker.confirm(self._fleet, self._guard)
        try:
            self._compute.label(plan.labels)
        except SteadyError as failed:
            yield f"labels of {self._fleet}: {failed.what}"

    def _claimed(self, action: Action) -> Placement:
        """The placement first: a claim whose writer died is found by it, and taken up by the next tick."""
        step = next(step for step in action.steps if isinstance(step, steps.Converge))
        self._tracker.place(self._fleet, step.placement, self._guard)
        if step.claim is not None:
            self._tracker.claim_incarnation(self._fleet, step.claim, self._guard)
        return step.placement

    def _recheck(self, plan: Plan) -> None:
        """Overtaken, or a newer spec was applied meanwhile: this plan is of yesterday."""
        self._tracker.confirm(self._fleet, self._guard)
        record = self._tracker.spec(self._fleet)
        if record is None or record.generation != plan.generation:
            raise LostLease(f"{self._fleet}: the spec changed during the tick", fix="the next tick plans anew")

    def _claim(self, step: steps.Claim) -> None:
        self._tracker.claim_drain(self._fleet, step.claim, self._guard)

    def _release(self, step: steps.Release) -> None:
        self._tracker.release_drain(self._fleet, step.node, self._guard)

    def _place(self, step: steps.Place) -> None:
        self._tracker.place(self._fleet, step.placement, self._guard)

    def _power_off(self, step: steps.PowerOff) -> None:
        self._tracker.confirm(self._fleet, self._guard)
        self._compute.power_off(step.machine)

    def _power_on(self, step: steps.PowerOn) -> None:
        self._tracker.confirm(self._fleet, self._guard)
        self._compute.power_on(step.machine)

    def _end_stray(self, step: steps.EndStray) -> None:
        self._tracker.confirm(self._fleet, self._guard)
        self._compute.end_stray(step.machine)

    def _share(self, _: steps.Share) -> None:
        self._tracker.confirm(self._fleet, self._guard)
        self._provisioner.share(self._fleet)

    def _give_out(self, step: steps.GiveOut) -> None:
        """The epoch first, by a conditional write; a predecessor's unused one is taken up instead."""
        standing = self._tracker.give_out(self._fleet, step.attempt, self._guard)
        self._tracker.put_run(self._fleet, msgspec.structs.replace(step.run, attempt=standing), self._guard)
        if standing.open and standing.ranks == step.attempt.ranks:
            for order in (step.order, *step.others):
                self._tracker.order(self._fleet, order, self._guard)

    def _instruct(self, step: steps.Instruct) -> None:
        self._tracker.order(self._fleet, step.order, self._guard)

    def _intend(self, op: str, action: Action) -> None:
        self._journal(EntryKind.INTENT, op, action, "")

    def _conclude(self, op: str, action: Action, error: str) -> None:
        if action.correction is not None and not error:
            self._tracker.note_correction(self._fleet, action.correction, self._guard)
        self._journal(EntryKind.OUTCOME, op, action, f"failed: {error}" if error else "done")

    def _journal(self, kind: EntryKind, op: str, action: Action, result: str) -> None:
        entry = Entry(
            at=self._clock.now(),
            kind=kind,
            what=f"{action.kind}: {' + '.join(_word(step) for step in action.steps)}",
            node=None if action.node == self._fleet else action.node,
            op=op,
            cause=action.reason.cause,
            evidence=action.reason.evidence,
            result=result,
        )
        self._tracker.journal(self._fleet, entry)


def _learned(claim: Incarnation, outcome: Outcome, now: float) -> Incarnation:
    return capacity.learned(
        claim,
        failed=bool(outcome.error),
        no_capacity=outcome.no_capacity,
        uncertain=outcome.uncertain,
        now=now,
    )


def _converges(action: Action) -> bool:
    return any(isinstance(step, steps.Converge) for step in action.steps)


def _word(step: steps.Step) -> str:
    if isinstance(step, steps.Converge):
        return f"make incarnation {step.placement.incarnation}" if step.placement.present else "end the machine"
    if isinstance(step, steps.Instruct) and step.order.desired is Desired.STOPPED:
        return "order it to stop"
    return _WORDS[type(step)]


_WORDS: dict[type, str] = {
    steps.Claim: "drain",
    steps.Release: "end the drain",
    steps.Place: "note the placement",
    steps.PowerOff: "stop the machine",
    steps.PowerOn: "start the machine",
    steps.GiveOut: "give out an attempt",
    steps.Instruct: "order the attempt again",
    steps.EndStray: "end the stray machine",
    steps.Share: "make what the machines share as declared",
}

"""The last guard: asked before a machine is made, changed or deleted by somebody who is not the loop.

On AWS these are Pulumi's hooks, for people who type `pulumi up` or `pulumi destroy`. The rules are the planner's
own: the pass table decides, and a drain is claimed as the controller claims it, only in another name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from lifecycle.control.observe import observe, with_receipts
from lifecycle.model.errors import Conflict, GuardRefused
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.ids import NodeName
from lifecycle.model.journal import Quiet
from lifecycle.model.plan import Claim
from lifecycle.model.quantities import spoken
from lifecycle.model.records import DrainClaim, Incarnation, Placement
from lifecycle.model.states import Cause, StopReason
from lifecycle.model.world import Machine, Observed
from lifecycle.planning import emptying
from lifecycle.planning.hearing import heard_at
from lifecycle.planning.renewal import used
from lifecycle.planning.settle import apply_facts, settle
from lifecycle.planning.view import VANISHED_AFTER, NodeView, view_of
from lifecycle.ports.clock import Clock
from lifecycle.ports.compute import Compute
from lifecycle.tracker.controller import ControllerTracker

LOOK_EVERY = 1.0
SLACK = 60.0
"""Seconds beyond the grace in which the agent ships what was saved, and says so."""

UNKNOWN_FOR = 300.0
"""Seconds in which a machine whose making was cut short may still show up in the list."""

IN_PLACE = frozenset({"iamInstanceProfile", "tags", "tagsAll", "vpcSecurityGroupIds"})
"""What may change on a machine that trains: nothing here stops it."""


class LastGuard:
    """Guards one fleet's machines. Every method raises GuardRefused with what to do; none changes a machine."""

    def __init__(
        self,
        fleet: str,
        spec: FleetSpec | None,
        *,
        tracker: ControllerTracker,
        compute: Compute,
        clock: Clock,
        by: str,
    ) -> None:
        self._fleet, self._spec, self._by = fleet, spec, by
        self._tracker, self._compute, self._clock = tracker, compute, clock
        self._began = clock.now()
        self._quiet: Mapping[str, Quiet] = {}

    # ---- making ----------------------------------------------------------------------------------

    def before_create(self, placement: Placement, form: str = "") -> None:
        """Claims the incarnation and stores the placement; a machine of it is never made twice.

        `form` is what it is made of, for `planning.renewal`. From here on its making is an open question,
        until `made` or `refused` answers it.
        """
        standing = self._standing(placement.node, placement.incarnation)
        existing = self._machine_of(placement)
        if existing is not None:
            self._amend(placement.node, placement.incarnation, tried_at=self._clock.now())
            raise self._used(placement, existing.id)
        if standing is not None and used(standing):
            raise self._used(placement, standing.instance or "its machine, which has ended")
        if standing is not None:
            self._answered(standing)
        self._tracker.place(self._fleet, placement, None)
        self._claim(placement, standing, form)

    def made(self, node: str, incarnation: int, instance: str) -> None:
        """The machine is there: the claim learns which one it is."""
        self._amend(node, incarnation, instance=instance, tried_at=None)

    def refused(self, node: str, incarnation: int) -> None:
        """AWS said no: nothing was made, and the claim may be used again at once."""
        self._amend(node, incarnation, tried_at=None)

    def ended(self, node: str, incarnation: int) -> None:
        """The machine was deleted, after `before_delete` let it go. The next tick learns why from its provider."""
        self._amend(node, incarnation, ended_at=self._clock.now(), tried_at=None)

    def _standing(self, node: str, incarnation: int) -> Incarnation | None:
        return self._tracker.incarnations(self._fleet, [(node, incarnation)]).get((node, incarnation))

    def _amend(self, node: str, incarnation: int, **known: Any) -> None:
        """Adds to a claim that stands and whose end is not known yet."""
        standing = self._standing(node, incarnation)
        if standing is not None and standing.ended_at is None:
            self._tracker.put_incarnation(self._fleet, msgspec.structs.replace(standing, **known), None)

    def _machine_of(self, placement: Placement) -> Machine | None:
        """One that the stack does not know: its answer was lost, or the state. Marked, the loop takes it up."""
        found = _worn(self._compute.machines(self._fleet), placement)
        return found and _worn(self._seen().machines or (), placement)  # another's may wear its tags

    def _answered(self, standing: Incarnation) -> None:
        """Lists lag: a machine whose making was cut short may yet show up."""
        tried = standing.tried_at
        wait = 0.0 if tried is None else tried + UNKNOWN_FOR - self._clock.now()
        if wait > 0:
            raise GuardRefused(
                f"{standing.node}: whether incarnation {standing.number} was made is not known yet",
                fix=f"nothing was made now; try again in {spoken(wait)}, or let `steady reconcile SPEC --once` "
                "take up the machine when it shows",
                about="making",
            )

    def _claim(self, placement: Placement, standing: Incarnation | None, form: str) -> None:
        now = self._clock.now()
        claim = Incarnation(
            node=placement.node,
            number=placement.incarnation,
            market=placement.market,
            instance_type=placement.instance_type,
            zone=placement.zone,
            claimed_at=standing.claimed_at if standing else now,
            claimed_by=standing.claimed_by if standing else self._by,
            tried_at=now,
            form=form,
        )
        if standing is not None:
            self._tracker.put_incarnation(self._fleet, claim, None)
            return
        try:
            self._tracker.claim_incarnation(self._fleet, claim, None)
        except Conflict:
            raise self._used(placement, "another writer") from None

    def _used(self, placement: Placement, what: str) -> GuardRefused:
        return GuardRefused(
            f"{placement.node}: incarnation {placement.incarnation} is taken by {what}",
            fix="nothing was made; `steady reconcile SPEC --once` takes it from here",
            about="incarnation",
        )

    # ---- changing --------------------------------------------------------------------------------

    def before_update(self, node: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """Lets through what a running trainer does not notice. Everything else is a replacement."""
        changed = {key for key in {*old, *new} if old.get(key) != new.get(key) and not key.startswith("__")}
        if changed - IN_PLACE:
            fields = ", ".join(sorted(changed - IN_PLACE))
            raise GuardRefused(
                f"{node}: a change of {fields} in place would stop its trainer unsaved",
                fix="`steady apply SPEC` replaces the machine, saved first",
                about="in place",
            )

    # ---- deleting --------------------------------------------------------------------------------

    def before_delete(self, node: str, instance: str) -> str:
        """Waits until the machine may go, and says why it may. Raises GuardRefused when it may not."""
        name = NodeName.parse(node)
        deadline: float | None = None
        while True:
            view = self._view(name, instance)
            if view is None:
                return f"{instance} is gone already"
            verdict = emptying.empty(view, self._purpose(view))
            if isinstance(verdict, emptying.Passed):
                return verdict.evidence
            deadline = deadline or self._clock.monotonic() + emptying.patience(view, self._purpose(view)) + SLACK
            late = self._clock.monotonic() >= deadline
            if isinstance(verdict, emptying.Refused):
                raise self._not_saved(view, verdict.evidence)
            if late:
                raise self._not_saved(view, f"it still waits for {verdict.what}")
            self._drain(verdict.steps)
            self._clock.sleep(LOOK_EVERY)

    def _view(self, name: NodeName, instance: str) -> NodeView | None:
        """The node as if this were its only machine; None when that one is no longer there."""
        observed = self._observe(str(name), instance)
        machine = next(iter(observed.machines or ()), None)
        if machine is None:
            self._must_be_gone(observed, name, instance)
            return None
        if not machine.live or machine.ending:
            return None
        if machine.node != str(name):
            raise self._retagged(name, instance, f"its tags say that it is {machine.node}'s")
        return view_of(self._spec, observed, name, self._clock.now())

    def _must_be_gone(self, observed: Observed, name: NodeName, instance: str) -> None:
        """A machine that the list lacks, and whose agent speaks, has lost its tags, not its life.

        Of one that is on no record here its absence says nothing: this is another foundation's tracker.
        """
        report = observed.report(str(name), instance)
        claims = self._tracker.history_of(self._fleet, str(name))
        if report is None and all(claim.instance != instance for claim in claims):
            raise GuardRefused(
                f"{name}: {instance} is not deleted: nothing is on record of it here",
                fix="is `aws:region` the one that this stack was made in? `pulumi config set aws:region ...`",
                about="other record",
            )
        if report is not None and report.instance == instance:
            heard = self._clock.now() - heard_at(report, observed.quiet.get(instance))
            if heard < VANISHED_AFTER:
                raise self._retagged(name, instance, f"it is not listed, and its agent spoke {spoken(heard)} ago")

    def _retagged(self, name: NodeName, instance: str, why: str) -> GuardRefused:
        return GuardRefused(
            f"{name}: {instance} is not deleted: {why}",
            fix="somebody changed its steady: tags: put them back as its other machines wear them, and try again",
            about="not ours",
        )

    def _observe(self, node: str, instance: str) -> Observed:
        now = self._clock.now()
        observed = _alone(self._seen(), node, instance)
        observed = apply_facts(observed, settle(observed, now))
        only = tuple(machine for machine in observed.machines or () if machine.id == instance)
        return with_receipts(self._spec, msgspec.structs.replace(observed, machines=only), self._tracker)

    def _seen(self) -> Observed:
        """Raises GuardRefused when the world cannot be read: unknown is never a reason to make or to delete."""
        observed = observe(self._fleet, self._compute, self._tracker, self._clock.now(), self._quiet)
        self._quiet = observed.quiet
        if observed.machines is None:
            raise GuardRefused(
                f"{self._fleet}: the machines cannot be read ({observed.unreadable}): nothing is made or deleted",
                fix="try again when AWS answers",
                about="unreadable",
            )
        return observed

    def _purpose(self, view: NodeView) -> emptying.Purpose:
        """Each `pulumi up` asks anew: the refusal of the last one is not held against it."""
        assert view.machine is not None
        reason = StopReason.REPLACEMENT if view.wanted.present else StopReason.SCALE_IN
        if view.owner_is_leaving:
            reason = StopReason.MANUAL
        return emptying.Purpose(reason=reason, cause=Cause.OPERATOR, key=f"up-{self._began:.0f}", ends=True)

    def _drain(self, steps: Iterable[object]) -> None:
        for step in steps:
            if isinstance(step, Claim):
                mine = msgspec.structs.replace(step.claim, by=self._by)
                self._claim_drain(mine)

    def _claim_drain(self, claim: DrainClaim) -> None:
        try:
            self._tracker.claim_drain(self._fleet, claim, None)
        except Conflict:
            return  # another's drain stands: its answer will do

    def _not_saved(self, view: NodeView, why: str) -> GuardRefused:
        """Gives our claim back, so that the trainer's next attempt is not held up by it."""
        assert view.machine is not None
        if view.drain is not None and view.drain.by == self._by:
            self._tracker.release_drain(self._fleet, view.node, None)
        instance = view.machine.id
        return GuardRefused(
            f"{view.node}: {instance} is not deleted: {why}",
            fix=f"`steady stop {view.node} --reason ...` saves it first; "
            f"`steady allow-loss {instance} --reason ...` lets it go without, once",
            about="without_checkpoint: refuse",
        )


def _worn(machines: Iterable[Machine], placement: Placement) -> Machine | None:
    """The live machine of this node and incarnation."""
    same = (placement.node, placement.incarnation)
    return next(
        (machine for machine in machines if machine.live and (machine.node, machine.incarnation) == same), None
    )


def _alone(observed: Observed, node: str, instance: str) -> Observed:
    """What concerns this machine: its node, and the other ranks of the runs it has. What settles of the rest
    does not matter here, and a look at a fleet of thousands is had for every machine that is to go."""
    mine = {node, *(machine.node for machine in observed.machines or () if machine.id == instance)}
    runs = {name: run for name, run in observed.runs.items() if mine & set(run.nodes)}
    near = mine.union(*(run.nodes for run in runs.values()))
    return msgspec.structs.replace(
        observed,
        runs=runs,
        machines=tuple(machine for machine in observed.machines or () if machine.node in near),
        incarnations={key: claim for key, claim in observed.incarnations.items() if claim.node in near},
        drains={each: claim for each, claim in observed.drains.items() if each in near},
    )

"""One node's facts, gathered: what is wanted of it, what is there, and what is known of its run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import msgspec

from lifecycle.model.corrections import Correction
from lifecycle.model.fleet import FleetSpec, Market, Mode, OnCompletion, Pool, WithoutCheckpoint
from lifecycle.model.holds import Hold, HoldKind
from lifecycle.model.ids import NodeName
from lifecycle.model.journal import Quiet
from lifecycle.model.money import Price
from lifecycle.model.records import (
    Attempt,
    DrainClaim,
    Incarnation,
    Order,
    Phase,
    Placement,
    Receipt,
    Report,
    Run,
    Shortage,
)
from lifecycle.model.states import StopReason
from lifecycle.model.world import Machine, Observed
from lifecycle.planning import (
    attempts,
    budget,
    corrections,
    cost,
    gangs,
    hearing,
    holds,
    idling,
    placement,
    receipts,
)
from lifecycle.planning.shelves import Shelves, sorted_out

SILENT_AFTER = 30.0
"""Seconds without a report after which an agent counts as silent: unknown, not dead."""

VANISHED_AFTER = 60.0
"""A machine missing from a full list for this long, its agent silent, is gone."""

DEFAULT_GRACE = 90.0


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules of the planner look at.

    `report` is that of the machine in place, or None; `beside` that of a surplus machine whose agent tells,
    now, of a trainer, or whose attempt nobody saw end.
    """

    name: NodeName
    node: str
    """Its name as it is written."""
    now: float
    generation: int
    source: str
    provider: str
    secrets: Mapping[str, str]
    pool: Pool | None
    stored: Placement | None
    wanted: Placement
    hold: Hold | None
    verdict: attempts.Verdict
    machine: Machine | None
    surplus: tuple[Machine, ...]
    claims: tuple[Incarnation, ...]
    drain: DrainClaim | None
    order: Order | None
    report: Report | None
    earlier: Report | None
    """The last of the machine in place from before it was started again, until it reports anew."""
    heard_at: float
    """When any agent of this node was last heard, whatever machine it spoke for; 0: never."""
    beside: Report | None
    run_id: str | None
    run: Run | None
    receipts: tuple[Receipt, ...]
    allowed: frozenset[str]
    """The machines that an operator lets go without a save."""
    owner_is_leaving: bool
    shortages: tuple[Shortage, ...]
    prices: cost.Prices
    account: budget.Account | None
    """Its pool's money."""
    idle: str
    """The evidence that its machine has been idle for too long; empty when it has not."""
    put_back: Mapping[str, Correction] = {}
    """The fields that were put right lately."""
    looks: Mapping[str, Quiet] = {}
    """By machine: our own looks at the last reports whose time is off."""
    groups: str = ""
    """The security groups of the user's own that its machine is to have."""
    gang: tuple[NodeView, ...] = ()
    """Of a declared gang: the views of all its ranks in order, this one among them; theirs see no gang."""

    @property
    def contested(self) -> Mapping[str, Correction]:
        """The fields that were put back too often to be put back again for now."""
        fields = self.put_back.items()
        return {name: each for name, each in fields if corrections.too_often(each, self.generation, self.now)}

    @property
    def rank(self) -> int | None:
        """Its place in its gang."""
        return [each.node for each in self.gang].index(self.node) if self.gang else None

    @property
    def claim(self) -> Incarnation | None:
        """The creation claim of the machine in place."""
        number = self.machine.incarnation if self.machine else None
        for claim in reversed(self.claims):
            if claim.number == number:
                return claim
        return None

    @property
    def loss_allowed(self) -> bool:
        return self.machine is not None and self.machine.id in self.allowed

    @property
    def attempt(self) -> Attempt | None:
        """The newest attempt of the run, as the machine in place has it, when it was given to that one."""
        attempt = self.run.attempt if self.run else None
        if attempt is None or self.machine is None:
            return None
        return gangs.given_to(attempt, self.node, self.machine.incarnation)

    def open_on(self, stray: Machine) -> bool:
        """Whether its run's attempt was given to this second machine, and nobody saw it end."""
        return _open_on(stray, self.machine, self.run)

    @property
    def quiet(self) -> Quiet | None:
        """Our own looks at the last report of its machine, or of the one that it had last."""
        last = self.claims[-1].instance if self.claims else None
        return self.looks.get(self.machine.id if self.machine else last or "")

    @property
    def silence(self) -> float:
        """Seconds since the agent was last heard, or since the machine was launched."""
        launched_at = self.machine.launched_at if self.machine else self.now
        heard = hearing.heard_at(self.report, self.quiet) if self.report else launched_at
        return max(0.0, self.now - heard)

    @property
    def proven_silence(self) -> float:
        """The same, once two looks of ours have found it; 0 before: a clock may have jumped."""
        return self.silence if hearing.proven(self.quiet, self.now) else 0.0

    @property
    def grace(self) -> float:
        if self.pool is not None:
            return float(self.pool.stop.grace)
        assignment = self.order.assignment if self.order else None
        return assignment.grace if assignment else DEFAULT_GRACE

    @property
    def policy(self) -> WithoutCheckpoint:
        if self.hold is not None and self.hold.kind is HoldKind.REHEARSE:
            return WithoutCheckpoint.REFUSE
        if self.loss_allowed:
            return WithoutCheckpoint.FORCE
        if self.pool is not None:
            return self.pool.stop.without_checkpoint
        assignment = self.order.assignment if self.order else None
        return assignment.policy if assignment else WithoutCheckpoint.REFUSE

    @property
    def unsaved_steps(self) -> int:
        """Steps since the newest receipt: the most that could be lost now."""
        attempt = self.attempt
        if attempt is None or not attempt.open or self.report is None or self.report.step is None:
            return 0
        saved = self.report.receipt.step if self.report.receipt else self.report.from_step or 0
        return max(0, self.report.step - saved)

    @property
    def price(self) -> Price | None:
        """Of the machine in place; None without one, and when it is not known."""
        return self.prices.of(cost.made_of(self.machine)) if self.machine else None


def views(spec: FleetSpec | None, observed: Observed, now: float) -> tuple[NodeView, ...]:
    """Every node that is declared or known, in natural order."""
    spec = _without_zones(spec)
    declared = spec.nodes() if spec else ()
    shelves = sorted_out(spec, observed, now)
    seen = [_view(spec, observed, shelves, name, now) for name in sorted({*declared, *observed.nodes()})]
    return tuple(_with_gangs(seen))


def _with_gangs(seen: list[NodeView]) -> Iterator[NodeView]:
    """Each view of a gang's rank sees those of the others."""
    gang: dict[str, list[NodeView]] = defaultdict(list)
    for view in seen:
        if view.pool is not None and view.pool.mode is Mode.GANG:
            gang[view.name.pool].append(view)
    ranks = {pool: tuple(views) for pool, views in gang.items()}
    for view in seen:
        mine = ranks.get(view.name.pool, ()) if view.pool is not None else ()
        yield msgspec.structs.replace(view, gang=mine) if mine else view


def view_of(spec: FleetSpec | None, observed: Observed, name: NodeName, now: float) -> NodeView:
    """One node alone; of a gang's rank, with the others."""
    spec = _without_zones(spec)
    shelves, pool = sorted_out(spec, observed, now), spec.pools.get(name.pool) if spec else None
    others = spec.nodes() if spec and pool and pool.mode is Mode.GANG else ()
    names = sorted({name, *(other for other in others if other.pool == name.pool)})
    seen = _with_gangs([_view(spec, observed, shelves, each, now) for each in names])
    return next(view for view in seen if view.name == name)


def _without_zones(spec: FleetSpec | None) -> FleetSpec | None:
    """In subnets of the user's own the subnet decides the zone: a pool's `zones` say nothing there."""
    if spec is None or not spec.aws.subnets:
        return spec
    pools = {name: msgspec.structs.replace(pool, zones=()) for name, pool in spec.pools.items()}
    return msgspec.structs.replace(spec, pools=pools)


def _view(spec: FleetSpec | None, observed: Observed, shelves: Shelves, name: NodeName, now: float) -> NodeView:
    """The facts about one node."""
    node = str(name)
    pool = spec.pools[name.pool] if spec and spec.declares(name) else None
    stored = observed.placements.get(node)
    claims = tuple(shelves.claims.get(node, ()))
    machine, surplus = _in_place(shelves.machines.get(node, []), stored, claims)
    report = observed.report(node, machine.id if machine else None)
    run_id = spec.run_of(name) if spec and pool else _last_run(observed, node)
    run = observed.runs.get(run_id) if run_id else None
    hold = shelves.hold(name)
    resumable = _resumable(observed, run_id, run)
    verdict = attempts.verdict(pool, run, resumable, now)
    account, drain = shelves.accounts.get(name.pool), _live_claim(observed, node, now)
    heard = current(observed, report, machine)
    known = report is not None and machine is not None and report.instance == machine.id
    idle = idling.idle(pool, machine, heard, run.attempt if run else None, verdict, drain)
    return NodeView(
        name=name,
        node=node,
        now=now,
        generation=observed.record.generation if observed.record else 0,
        source=observed.record.source if observed.record else "",
        provider=spec.provider if spec else "",
        secrets=spec.secrets if spec else {},
        pool=pool,
        stored=stored,
        wanted=_wanted(
            placement.effective(spec, name, stored), pool, hold, verdict, _saves(account, idle), machine
        ),
        hold=hold,
        verdict=verdict,
        machine=machine,
        surplus=surplus,
        claims=claims,
        drain=drain,
        order=observed.orders.get(node),
        report=heard,
        earlier=report if known and heard is None else None,
        heard_at=max(_heard_at(observed, each) for each in (report, observed.reports.get(node))),
        beside=_at_work(observed, machine, surplus, run, now),
        run_id=run_id,
        run=run,
        receipts=resumable,
        allowed=shelves.allowed,
        owner_is_leaving=bool(observed.record and observed.record.destroying),
        shortages=observed.shortages,
        prices=shelves.prices,
        account=account,
        idle=idle,
        put_back=shelves.put_back.get(node, {}),
        looks=observed.quiet,
        groups=", ".join(sorted(spec.aws.security_groups)) if spec else "",
    )


def _saves(account: budget.Account | None, idle: str) -> StopReason | None:
    """Whether money says that the node's machine is to be off."""
    if account is not None and account.exhausted:
        return StopReason.BUDGET
    return StopReason.IDLE if idle else None


def _heard_at(observed: Observed, report: Report | None) -> float:
    return hearing.heard_at(report, observed.quiet.get(report.instance) if report else None)


def current(observed: Observed, report: Report | None, machine: Machine | None) -> Report | None:
    """The report, when it is of the machine in place and of its present boot."""
    if report is None or machine is None or report.instance != machine.id:
        return None
    return report if max(report.at, _heard_at(observed, report)) >= machine.launched_at else None


def _at_work(
    observed: Observed, in_place: Machine | None, surplus: tuple[Machine, ...], run: Run | None, now: float
) -> Report | None:
    """The report of a surplus machine that tells, now, of a trainer there, or whose attempt is open."""
    for machine in surplus:
        report = current(observed, observed.report(machine.node, machine.id), machine)
        if report is None:
            continue
        heard = hearing.speaks(observed, machine.node, machine.id, now, SILENT_AFTER)
        busy = report.phase is not Phase.IDLE and heard
        if busy or _open_on(machine, in_place, run):
            return report
    return None


def _open_on(stray: Machine, in_place: Machine | None, run: Run | None) -> bool:
    """Whether the run's attempt was given to this second machine, and nobody saw it end."""
    attempt = run.attempt if run else None
    rank = gangs.member(attempt, stray.node) if attempt else None
    number = in_place.incarnation if in_place else None
    at_work = attempt is not None and attempt.open and rank is not None and rank.outcome is None
    return at_work and rank is not None and rank.incarnation == stray.incarnation != number


def _in_place(
    live: list[Machine], stored: Placement | None, claims: tuple[Incarnation, ...]
) -> tuple[Machine | None, tuple[Machine, ...]]:
    """The machine in place and the live ones beside it. The placement's incarnation is the one to keep.

    Of two that wear the same tags it is the one on record: in a console, a machine is copied with its tags.
    """
    if len(live) < 2:
        return (live[0] if live else None), ()
    kept = stored.incarnation if stored else None
    known = {claim.instance for claim in claims}
    ranked = sorted(live, key=lambda m: (m.incarnation == kept, m.incarnation, m.id in known))
    return ranked[-1], tuple(m for m in ranked[:-1] if not m.ending)


def _last_run(observed: Observed, node: str) -> str | None:
    order = observed.orders.get(node)
    return order.assignment.run if order and order.assignment else None


def _live_claim(observed: Observed, node: str, now: float) -> DrainClaim | None:
    claim = observed.drains.get(node)
    return claim if claim and claim.expires_at > now else None


def _resumable(observed: Observed, run_id: str | None, run: Run | None) -> tuple[Receipt, ...]:
    """What was read, and what the attempt itself is known to have saved: its receipt may be read later."""
    attempt = run.attempt if run else None
    read = observed.receipts.get(run_id, ()) if run_id else ()
    known = (attempt.receipt,) if attempt and attempt.receipt and attempt.receipt.run == run_id else ()
    if not read and not known:
        return ()
    found = {receipt.digest: receipt for receipt in (*known, *read)}
    return receipts.eligible(found.values(), observed.rejections, attempt)


_PASSING = (None, StopReason.MANUAL, StopReason.SCHEDULE, StopReason.COMPLETION, StopReason.BUDGET)
"""Reasons of a placement that are judged anew by every tick; one that was idle waits for `steady start`."""


def _wanted(
    allowed: Placement,
    pool: Pool | None,
    hold: Hold | None,
    verdict: attempts.Verdict,
    saves: StopReason | None,
    machine: Machine | None,
) -> Placement:
    """The allowed placement, less what holds, an ended run and money take away."""
    if pool is None:
        return allowed
    replace = msgspec.structs.replace
    if allowed.reason in _PASSING:
        allowed = placement.brought_back(allowed)
    if hold is not None and hold.kind is HoldKind.TERMINATE:
        return replace(allowed, present=False, reason=StopReason.MANUAL)
    if hold is not None and hold.kind in holds.RETURNING:
        return _off(allowed, holds.stop_reason(hold), None, machine)
    if verdict.kind is attempts.VerdictKind.NEVER and pool.train.on_completion is not OnCompletion.KEEP:
        if pool.train.on_completion is OnCompletion.STOP:
            return _off(allowed, StopReason.COMPLETION, pool.train.run, machine)
        return replace(allowed, present=False, reason=StopReason.COMPLETION, run=pool.train.run)
    if saves is not None:
        return _off(allowed, saves, pool.train.run if saves is StopReason.IDLE else None, machine)
    return allowed


def _off(allowed: Placement, reason: StopReason, run: str | None, machine: Machine | None) -> Placement:
    """Stopped: an on-demand machine keeps its disk; a spot machine cannot be stopped and is ended.

    What the machine in place was bought as counts, not what the spec would buy now.
    """
    if (machine.market if machine else allowed.market) is Market.ON_DEMAND:
        return msgspec.structs.replace(allowed, powered=False, reason=reason, run=run)
    return msgspec.structs.replace(allowed, present=False, reason=reason, run=run)

"""Rules about machines: should there be one, is it on, is it the right one?

Each rule looks at one node and returns a Decision, or None when it has nothing to say.
"""

from __future__ import annotations

import msgspec

from lifecycle.model.fleet import DriftPolicy, Pool
from lifecycle.model.holds import HoldKind
from lifecycle.model.money import Meter
from lifecycle.model.plan import Converge, Drift, EndStray, Kind, Place, PowerOff, PowerOn, Reason, Refusal
from lifecycle.model.records import Incarnation, Placement, Report
from lifecycle.model.states import Cause, InstanceState, StopReason
from lifecycle.model.world import Machine
from lifecycle.planning import (
    attempts,
    breaker,
    budget,
    capacity,
    corrections,
    cost,
    drift,
    gangs,
    hearing,
    holds,
    silence,
)
from lifecycle.planning.decision import SETTLED, Decision, act, emptied_first, wait
from lifecycle.planning.emptying import Purpose
from lifecycle.planning.view import VANISHED_AFTER, NodeView

STRAY_AGE = 300.0
"""No machine younger than this is ended as a stray: somebody may just be making it."""

SAVING = (StopReason.BUDGET, StopReason.IDLE)
"""Stopped for the sake of money: the node is to come back."""

UNLISTED = "being listed no longer: if it runs, somebody changed its steady: tags"


def ending(view: NodeView) -> Decision | None:
    """A machine that is shutting down for good fills the node until it is gone."""
    if view.machine is not None and view.machine.ending:
        return wait(view, "its machine, which is ending")
    return None


def surplus(view: NodeView) -> Decision | None:
    """Machines beside the one in place are ended once they are old enough to be no work in progress."""
    if not view.surplus:
        return None
    if view.beside is not None:
        return _at_work_beside(view, view.beside)
    stray = view.surplus[0]
    if view.open_on(stray) and not stray.impaired and stray.id not in view.allowed:
        return wait(view, f"the last word of {stray.id}, whose attempt is open")
    if stray.incarnation > (view.stored.incarnation if view.stored else 0):
        return None
    due = stray.launched_at + STRAY_AGE
    if view.now < due:
        return wait(view, f"a second machine, {stray.id}, is left alone until it is old enough to judge", due)
    reason = Reason(
        cause=Cause.CONTROLLER, evidence=f"{stray.id} is a second machine of incarnation {stray.incarnation}"
    )
    return act(view, Kind.DESTROY, reason, EndStray(machine=stray))


def _at_work_beside(view: NodeView, report: Report) -> Decision:
    """A second machine that still trains is emptied like any other before it is ended."""
    stray = next(machine for machine in view.surplus if machine.id == report.instance)
    there = msgspec.structs.replace(view, machine=stray, surplus=(), report=report, beside=None)
    reason = Reason(cause=Cause.CONTROLLER, evidence=f"{stray.id} still trains beside the machine in place")
    purpose = Purpose(reason=StopReason.REPLACEMENT, cause=Cause.CONTROLLER, key=stray.id, ends=True)
    return emptied_first(
        there, Kind.DESTROY, purpose, reason, act(view, Kind.DESTROY, reason, EndStray(machine=stray))
    )


def absent(view: NodeView) -> Decision | None:
    """A node that should have no machine."""
    if view.wanted.present:
        return None
    if view.machine is None:
        return _unpaid(view)
    if view.pool is None and view.claim is None:
        return _unclaimed(view, view.machine)
    kind = Kind.STOP if _will_return(view) else Kind.DESTROY
    reason = _why_away(view)
    gone = act(view, kind, reason, Converge(placement=_leaving(view)), change=cost.gone(view.machine, view.prices))
    return emptied_first(view, kind, _purpose_away(view, ends=True), reason, gone)


def _unclaimed(view: NodeView, machine: Machine) -> Decision:
    """Tags can be copied: without a creation claim of ours they prove nothing."""
    refusal = Refusal(
        action=Kind.DESTROY,
        node=view.node,
        guard="ownership",
        evidence=f"no creation claim of ours names {machine.id}, which wears this node's tags",
        override="end it where it was made, or take its steady: tags away",
    )
    return Decision(refusal=refusal)


def _will_return(view: NodeView) -> bool:
    held = view.hold is not None and view.hold.kind in holds.RETURNING
    return held or view.wanted.reason in SAVING


def _unpaid(view: NodeView) -> Decision:
    """Without money nothing starts that would."""
    stopped = view.wanted.reason is StopReason.BUDGET and view.verdict.kind is attempts.VerdictKind.GO
    refusal = budget.unpaid(view.node, view.account) if stopped else None
    return Decision(refusal=refusal) if refusal else SETTLED


def _leaving(view: NodeView) -> Placement:
    incarnation = view.machine.incarnation if view.machine else view.wanted.incarnation
    return msgspec.structs.replace(view.wanted, incarnation=incarnation)


def _why_away(view: NodeView) -> Reason:
    if view.hold is not None and view.pool is not None:
        return Reason(cause=holds.cause(view.hold), evidence=holds.in_words(view.hold))
    if view.wanted.reason is StopReason.IDLE:
        return Reason(cause=StopReason.IDLE, evidence=view.idle)
    if view.wanted.reason is StopReason.BUDGET and view.account is not None:
        return Reason(cause=Cause.BUDGET, evidence=f"pool {view.account.pool}: {view.account.said} are spent")
    if view.pool is not None:
        return Reason(cause="completion", evidence=f"its run is over: {view.verdict.why}")
    if view.owner_is_leaving:
        return Reason(cause=Cause.OPERATOR, evidence="the fleet is being destroyed")
    return Reason(cause=Cause.OPERATOR, evidence="the spec no longer declares it")


def _purpose_away(view: NodeView, *, ends: bool) -> Purpose:
    if view.hold is not None and view.pool is not None:
        return Purpose(
            reason=holds.stop_reason(view.hold), cause=holds.cause(view.hold), key=view.hold.id, ends=ends
        )
    reason = view.wanted.reason or StopReason.SCALE_IN
    if reason in SAVING:
        number = view.run.attempt.number if view.run and view.run.attempt else 0
        return Purpose(reason=reason, cause=Cause.BUDGET, key=f"{view.generation}-{number}", ends=ends)
    if view.owner_is_leaving:
        reason = StopReason.MANUAL
    return Purpose(reason=reason, cause=Cause.OPERATOR, key=str(view.generation), ends=ends)


def off(view: NodeView) -> Decision | None:
    """A node whose machine should be off, its disk kept."""
    if view.wanted.powered:
        return None
    if view.machine is None or view.machine.state is InstanceState.STOPPED:
        return _unpaid(view)
    if view.machine.state is InstanceState.STOPPING:
        return wait(view, "its machine, which is stopping")
    reason = _why_away(view)
    switched = act(
        view,
        Kind.STOP,
        reason,
        Place(placement=_leaving(view)),
        PowerOff(machine=view.machine),
        change=cost.gone(view.machine, view.prices),
    )
    return emptied_first(view, Kind.STOP, _purpose_away(view, ends=False), reason, switched)


def missing(view: NodeView) -> Decision | None:
    """A node that should have a machine and has none."""
    if view.machine is not None:
        return None
    if view.drain is not None:
        return wait(view, f"the drain by {view.drain.by} to end", view.drain.expires_at)
    last = view.run.attempt if view.run else None
    if last is not None and last.open and gangs.member(last, view.node) is not None:
        return wait(view, f"its machine to be known as gone, {UNLISTED} (attempt {last.number} is open)")
    if view.verdict.kind is not attempts.VerdictKind.GO:
        return _not_yet(view)
    vanished = _vanished(view)
    if vanished is not None:
        return vanished
    chosen = choose(view)
    if chosen.until is not None:
        return wait(view, f"capacity: {chosen.why}", chosen.until)
    placement, claim = placed(view, view.wanted.incarnation, chosen)
    returns = view.run is not None or bool(view.claims)
    evidence = "declared, and no machine fills it"
    if chosen.why:
        evidence += f"; {chosen.why}"
    if view.receipts:
        evidence += f"; run {view.run_id} goes on from step {view.receipts[0].step}"
    reason = Reason(cause=_lost_to(view) if returns else "spec", evidence=evidence)
    made = cost.made(view.prices.of(chosen.choice))
    return act(view, Kind.CREATE, reason, Converge(placement=placement, claim=claim), change=made)


def _vanished(view: NodeView) -> Decision | None:
    """A machine that was seen, was not seen to end, and is not in the list: lists lag, its silence counts."""
    last = view.claims[-1] if view.claims else None
    if last is None or last.instance is None or last.ended_at is not None:
        return None
    due = max(last.claimed_at, view.heard_at) + VANISHED_AFTER
    if view.now >= due and hearing.proven(view.quiet, view.now):
        return None
    return wait(view, f"{last.instance} to be known as gone, {UNLISTED}", due)


def _not_yet(view: NodeView) -> Decision:
    if view.verdict.kind is attempts.VerdictKind.LATER:
        return wait(view, view.verdict.why, view.verdict.until)
    return SETTLED


def _lost_to(view: NodeView) -> str:
    attempt = view.run.attempt if view.run else None
    if attempt is not None and attempt.cause is not None:
        return attempt.cause
    return view.claims[-1].cause or "spec" if view.claims else "spec"


def choose(view: NodeView) -> capacity.Chosen:
    """What the node's next machine is made of: what a claim that stands unused names, else the next choice."""
    assert view.pool is not None
    last = _unused(view)
    if last is not None and _stands(view, view.pool, last):
        return capacity.Chosen(choice=capacity.made_from(last))
    return capacity.choose(view.pool, view.shortages, view.now)


def _stands(view: NodeView, pool: Pool, claim: Incarnation) -> bool:
    """Of a claim that was tried the machine may yet show up: it keeps its choice even when that is short."""
    choice = capacity.made_from(claim)
    rests = claim.tried_at is None and capacity.resting(choice, view.shortages, view.now)
    return capacity.allowed(pool, choice) and not rests


def _unused(view: NodeView) -> Incarnation | None:
    last = view.claims[-1] if view.claims else None
    return last if last is not None and last.ended_at is None and not last.instance else None


def placed(view: NodeView, at_least: int, chosen: capacity.Chosen) -> tuple[Placement, Incarnation | None]:
    """The choice under the next incarnation, with its creation claim.

    A claim of that choice that stands unused is taken up, without a new one: its writer did not get to make it.
    """
    last = view.claims[-1] if view.claims else None
    unused = _unused(view)
    takes_up = unused is not None and unused.number >= at_least and capacity.made_from(unused) == chosen.choice
    number = max(at_least, last.number + (not takes_up)) if last else at_least
    wanted = msgspec.structs.replace(view.wanted, incarnation=number, **chosen.choice._asdict())
    if takes_up:
        return wanted, None
    price = view.prices.of(chosen.choice)
    claim = Incarnation(
        node=view.node,
        number=number,
        market=wanted.market,
        instance_type=wanted.instance_type,
        zone=wanted.zone,
        claimed_at=view.now,
        claimed_by="controller",
        meter=Meter(rate=price.dollars if price else None),
        recent=breaker.recent(last, view.now),
    )
    return wanted, claim


def powered_down(view: NodeView) -> Decision | None:
    """A machine that is off although it should run. It counts as on once it was switched on, not before."""
    machine = view.machine
    if machine is None or machine.state not in (InstanceState.STOPPED, InstanceState.STOPPING):
        return None
    if machine.state is InstanceState.STOPPING:
        return wait(view, "its machine, which is stopping")
    if view.verdict.kind is not attempts.VerdictKind.GO:
        return _not_yet(view)
    ours = view.stored is not None and not view.stored.powered
    if ours:
        reason = Reason(cause=_switched_off_by(view), evidence="nothing holds it any longer")
    elif view.pool is not None and view.pool.drift.power is DriftPolicy.RESTORE:
        if "power" in view.contested:
            return SETTLED
        due = corrections.shown_by(view.put_back.get("power"), machine.ended_at, view.now)
        if due is not None:
            return wait(view, "the list to show its machine as started", due)
        reason = Reason(cause=Cause.DRIFT, evidence="someone stopped it; drift.power: restore")
    else:
        return SETTLED
    kept = msgspec.structs.replace(view.wanted, incarnation=machine.incarnation)
    on, field = (PowerOn(machine=machine), Place(placement=kept)), "" if ours else "power"
    return act(view, Kind.START, reason, *on, change=cost.made(view.price), field=field)


def _switched_off_by(view: NodeView) -> Cause:
    scheduled = view.stored is not None and view.stored.reason is StopReason.SCHEDULE
    return Cause.SCHEDULE if scheduled else Cause.OPERATOR


def outdated(view: NodeView) -> Decision | None:
    """A machine to be replaced: asked for, of a type or market no longer declared, or lost."""
    if view.machine is None:
        return None
    wrong = _wrong_kind(view)
    found = _asked(view) or (_is_wrong(view, wrong) if wrong else None) or _lost(view)
    if found is None:
        return None
    reason, purpose, certain = found
    field = wrong.field if wrong and reason.cause == Cause.DRIFT else ""
    chosen = choose(view)
    if chosen.until is not None and not certain:
        return wait(view, f"{Kind.REPLACE}: capacity: {chosen.why}", chosen.until)
    placement, claim = placed(view, max(view.wanted.incarnation, view.machine.incarnation + 1), chosen)
    step, lost = Converge(placement=placement, claim=claim), _at_stake(view, certain)
    change = _swapped(view, chosen)
    replaced = act(view, Kind.REPLACE, reason, step, lost=lost, change=change, field=field)
    if certain:
        return replaced
    return emptied_first(view, Kind.REPLACE, purpose, reason, replaced)


Found = tuple[Reason, Purpose, bool]
"""Why, to what end, and whether the machine is certainly lost (then nothing can be saved there)."""


def _swapped(view: NodeView, chosen: capacity.Chosen) -> cost.Change:
    return cost.swapped(view.machine, view.prices.of(chosen.choice), view.prices)


def _at_stake(view: NodeView, certain: bool) -> int:
    return view.unsaved_steps if certain else 0


def _asked(view: NodeView) -> Found | None:
    hold, machine = view.hold, view.machine
    if hold is None or machine is None or hold.kind is not HoldKind.REPLACE or hold.instance != machine.id:
        return None
    return (
        Reason(cause=Cause.OPERATOR, evidence=f"replace by {hold.by}: {hold.reason}"),
        Purpose(reason=StopReason.REPLACEMENT, cause=Cause.OPERATOR, key=hold.id, ends=True),
        False,
    )


def _wrong_kind(view: NodeView) -> Drift | None:
    """What it is made of, and is to be replaced for."""
    wrong = (each for each in drift.kind(view) if each.policy == DriftPolicy.REPLACE)
    return next((each for each in wrong if each.field not in view.contested), None)


def _is_wrong(view: NodeView, wrong: Drift) -> Found:
    what = wrong.field.removeprefix("instance_")
    return (
        Reason(cause=Cause.DRIFT, evidence=f"its {what} {wrong.actual} is not declared"),
        Purpose(reason=StopReason.DRIFT, cause=Cause.DRIFT, key=str(view.generation), ends=True),
        False,
    )


def _lost(view: NodeView) -> Found | None:
    evidence = silence.lost(view)
    if view.machine is None or evidence is None:
        return None
    purpose = Purpose(reason=StopReason.REPLACEMENT, cause=Cause.HARDWARE, key=view.machine.id)
    return Reason(cause=Cause.HARDWARE, evidence=evidence), purpose, True


def leaving(view: NodeView) -> Decision | None:
    """A machine that its provider is about to take: once its work is safe, it is replaced early."""
    notice = view.report.notice if view.report else None
    if notice is None or notice.deadline is None or view.machine is None:
        return None
    attempt = view.attempt
    if attempt is not None and attempt.open:
        return wait(view, f"its agent to save before the {notice.cause} deadline", notice.deadline)
    if view.verdict.kind is not attempts.VerdictKind.GO:
        return None
    saved = attempt.receipt.step if attempt and attempt.receipt else None
    evidence = f"{notice.cause} notice" + (f"; saved at step {saved}" if saved is not None else "")
    reason = Reason(cause=notice.cause, evidence=evidence)
    chosen = choose(view)
    placement, claim = placed(view, max(view.wanted.incarnation, view.machine.incarnation + 1), chosen)
    change = _swapped(view, chosen)
    return act(view, Kind.REPLACE, reason, Converge(placement=placement, claim=claim), change=change)

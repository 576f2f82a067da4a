"""The pass table: may this machine be stopped or ended now, and if not, what comes first?

It passes at once when the provider says it is gone or going; when no attempt was ever given to it; when its
agent saw the attempt end (it ships what can be saved before it says so, and the loss is booked); or when its
agent has answered this very drain. Hooks that stand before a stop or an end are run, and answered for, by a drain
also where nothing trains. Otherwise it is drained: claimed, asked, waited for. A refused drain stays
refused until a person acts; a silent agent is unknown, and unknown is never dead without a second witness.
"""

from __future__ import annotations

import msgspec

from lifecycle.model.fleet import WithoutCheckpoint
from lifecycle.model.plan import Claim, Release, Step
from lifecycle.model.quantities import spoken
from lifecycle.model.records import Desired, DrainClaim, Drained, DrainOutcome, Phase
from lifecycle.model.states import Cause, InstanceState, StopReason
from lifecycle.planning import hooks
from lifecycle.planning.view import SILENT_AFTER, NodeView

CLAIM_SECONDS = 600.0
RENEW_BEFORE = 120.0
ALLOW_LOSS = "steady allow-loss {instance} --reason ..."


class Purpose(msgspec.Struct, frozen=True, kw_only=True):
    """Why a machine is emptied. `key` tells one decision from the next: a hold's id, a generation.

    `ends`: the machine is to be ended, not only stopped.
    """

    reason: StopReason
    cause: Cause
    key: str
    ends: bool = False


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing stands in the way. `evidence` says why, `lost` how many steps go with it."""

    evidence: str
    lost: int = 0


class First(msgspec.Struct, frozen=True, kw_only=True):
    """These steps come first; with none, there is only waiting, until `until`."""

    steps: tuple[Step, ...]
    what: str
    until: float | None = None


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    guard: str
    evidence: str
    override: str
    steps: tuple[Step, ...] = ()


Verdict = Passed | First | Refused


def empty(view: NodeView, purpose: Purpose) -> Verdict:
    """What the pass table says of the machine in place."""
    machine = view.machine
    assert machine is not None
    return _at_once(view, purpose) or _answered(view, purpose) or _without_agent(view) or _drain(view, purpose)


def drain_id(view: NodeView, purpose: Purpose) -> str:
    """Stable for one decision about one machine, so that a repeat asks nothing twice."""
    assert view.machine is not None
    loss = ".loss" if view.policy is WithoutCheckpoint.FORCE else ""
    unblocked = ".unblocked" if view.loss_allowed and _patience(view, purpose) else ""
    return f"{view.machine.id}.{purpose.reason}.{purpose.key}{loss}{unblocked}"


def _patience(view: NodeView, purpose: Purpose) -> float:
    """Seconds that the hooks of this emptying may take; 0 where there are none."""
    assert view.machine is not None
    return hooks.due(view.order, view.machine.incarnation, ends=purpose.ends)


def patience(view: NodeView, purpose: Purpose) -> float:
    """Seconds that saving, and the hooks after it, may take."""
    return view.grace + _patience(view, purpose)


def _hooks_first(view: NodeView, purpose: Purpose) -> bool:
    """Whether hooks stand before the end of a machine on which nothing trains.

    One that is off runs none; one that its provider takes has run those for that.
    """
    on = view.machine is not None and view.machine.state is InstanceState.RUNNING
    notice = view.report.notice if view.report else None
    taken = notice is not None and notice.deadline is not None
    return on and not taken and not view.loss_allowed and _patience(view, purpose) > 0


def _at_once(view: NodeView, purpose: Purpose) -> Passed | None:
    assert view.machine is not None
    if _busy(view):
        return None
    if not _ordered(view):
        return Passed(evidence="nothing was ever started on it")
    attempt = view.attempt
    if attempt is None or attempt.open:
        return None
    if not attempt.witnessed or _hooks_first(view, purpose):
        return None
    saved = f"saved at step {attempt.receipt.step}" if attempt.receipt else "with no checkpoint"
    return Passed(evidence=f"its run is {attempt.outcome}, {saved}")


def _busy(view: NodeView) -> bool:
    """Whether its agent tells of a trainer, whatever our own records say."""
    return view.report is not None and view.report.phase is not Phase.IDLE


def _ordered(view: NodeView) -> bool:
    """Whether an attempt may have started on this machine."""
    assert view.machine is not None
    order = view.order
    ordered = order is not None and order.incarnation == view.machine.incarnation
    return view.attempt is not None or (ordered and order is not None and order.desired is not Desired.STOPPED)


def _answered(view: NodeView, purpose: Purpose) -> Verdict | None:
    drained = view.report.drained if view.report else None
    if drained is None or drained.drain not in {drain_id(view, purpose), _claimed(view)}:
        return None
    if _of_an_earlier_attempt(view, drained):
        return None
    if drained.outcome is not DrainOutcome.REFUSED:
        step = drained.receipt.step if drained.receipt else None
        lost = max(0, (drained.step or 0) - (step or 0)) if drained.outcome is DrainOutcome.FORCED else 0
        saved = f", saved at step {step}" if step is not None else ""
        return Passed(evidence=f"drained: {drained.outcome}{saved}", lost=lost)
    if view.loss_allowed and drained.drain != drain_id(view, purpose):
        return None
    if drained.hook:
        return _refused(view, drained.detail, guard=f"hook {drained.hook}")
    if view.attempt is not None and not view.attempt.open and not _busy(view):
        return None  # its trainer did not save, and has ended since
    return _refused(view, f"its trainer did not save within {spoken(view.grace)}: {drained.detail}")


def _of_an_earlier_attempt(view: NodeView, drained: Drained) -> bool:
    """A save answers for the attempt that it ended, not for one that its agent started later."""
    report = view.report
    if report is None or report.started_at is None or drained.outcome is DrainOutcome.REFUSED:
        return False
    return _busy(view) and drained.at < report.started_at


def _claimed(view: NodeView) -> str:
    return view.drain.drain if view.drain else ""


def _refused(view: NodeView, evidence: str, *, guard: str = "without_checkpoint: refuse") -> Refused:
    assert view.machine is not None
    ours = view.drain is not None and view.drain.by.startswith("controller")
    return Refused(
        guard=guard,
        evidence=evidence,
        override=ALLOW_LOSS.format(instance=view.machine.id),
        steps=(Release(node=view.node),) if ours else (),
    )


def _without_agent(view: NodeView) -> Verdict | None:
    """A machine that is off, or an agent that does not answer: nobody is there to save."""
    assert view.machine is not None
    if view.loss_allowed and view.silence > SILENT_AFTER:
        return Passed(evidence="loss allowed by an operator", lost=view.unsaved_steps)
    witness = _second_witness(view) if view.proven_silence > SILENT_AFTER else ""
    if witness:
        return Passed(
            evidence=f"its agent is silent for {spoken(view.silence)}; {witness}", lost=view.unsaved_steps
        )
    if view.machine.state is InstanceState.STOPPED:
        if view.policy is WithoutCheckpoint.FORCE:
            return Passed(evidence="it is off; without_checkpoint: force", lost=view.unsaved_steps)
        return _refused(view, "it is off, and what its disk holds was never confirmed as saved")
    if view.silence > SILENT_AFTER:
        override = ALLOW_LOSS.format(instance=view.machine.id)
        silent = f"its agent, silent for {spoken(view.silence)}: unknown, not dead (`{override}` lets it go)"
        return First(steps=(), what=silent)
    return None


def _second_witness(view: NodeView) -> str:
    """What else says that a machine with a silent agent is dead: nobody waits, or pays, for it for ever."""
    machine, pool = view.machine, view.pool
    if machine is None or machine.state is not InstanceState.RUNNING:
        return ""
    if machine.impaired:
        return "its status check failed"
    if pool is not None and view.silence > pool.unreachable_after:
        return f"longer than unreachable_after {pool.unreachable_after}"
    return ""


def _drain(view: NodeView, purpose: Purpose) -> First:
    assert view.machine is not None
    claim, wanted = view.drain, drain_id(view, purpose)
    time = patience(view, purpose)
    until = (claim.asked_at if claim else view.now) + time
    if claim is not None and claim.instance == view.machine.id and not _needs_claim(view, claim, wanted):
        return First(steps=(), what=f"its drain by {claim.by}", until=until)
    mine = DrainClaim(
        node=view.node,
        instance=view.machine.id,
        drain=wanted,
        by="controller",
        purpose=purpose.reason,
        cause=purpose.cause,
        asked_at=claim.asked_at if claim and claim.drain == wanted else view.now,
        grace=view.grace,
        policy=view.policy,
        expires_at=view.now + time + CLAIM_SECONDS,
        ends=purpose.ends,
        blocking=not view.loss_allowed,
    )
    return First(steps=(Claim(claim=mine),), what="its drain", until=until)


def _needs_claim(view: NodeView, claim: DrainClaim, wanted: str) -> bool:
    """Ours is to be renewed, or replaced by a stricter one; another's is left alone."""
    if not claim.by.startswith("controller"):
        return False
    return claim.drain != wanted or claim.expires_at - view.now < RENEW_BEFORE

"""A rehearsal: one live attempt is asked to save and exit, and the next one has to go on from there.

It never costs the run more than that: its drain is refused where no save comes, whatever the pool's policy says.
"""

from __future__ import annotations

import msgspec

from lifecycle.model.fleet import FleetSpec, Local, Mode
from lifecycle.model.holds import Hold, HoldKind
from lifecycle.model.ids import NodeName
from lifecycle.model.plan import Kind, Reason
from lifecycle.model.proving import SaveOutcome, SaveProof, pool_key
from lifecycle.model.records import Attempt, Outcome, Phase
from lifecycle.model.states import Cause, StopReason
from lifecycle.model.world import Observed
from lifecycle.planning import holds, proving
from lifecycle.planning.decision import Decision, emptied_first, wait
from lifecycle.planning.emptying import Purpose
from lifecycle.planning.view import SILENT_AFTER, NodeView, views

QUIET = 10.0
"""Seconds of training that are taken for steps, of a trainer that does not tell its own."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a rehearsal. `attempt` is the one that went on from the save."""

    proven: bool
    message: str
    proof: SaveProof | None = None
    attempt: int | None = None


def rehearsed(view: NodeView) -> Decision | None:
    """The attempt that a rehearsal is about is saved and ended; its machine stays."""
    hold, attempt = view.hold, view.attempt
    if hold is None or hold.kind is not HoldKind.REHEARSE or attempt is None or not attempt.open:
        return None
    if attempt.given_at >= hold.at:
        return None
    purpose = Purpose(reason=StopReason.MANUAL, cause=Cause.OPERATOR, key=hold.id)
    ended = wait(view, "its agent's word that the attempt has ended")
    reason = Reason(cause=Cause.OPERATOR, evidence=holds.in_words(hold))
    return emptied_first(view, Kind.STOP, purpose, reason, ended)


def trains(view: NodeView) -> bool:
    """Whether it has trained for long enough to have something to save, and nothing else is asked of it."""
    report, attempt = view.report, view.attempt
    if report is None or attempt is None or not attempt.open or view.hold is not None or view.drain is not None:
        return False
    if report.phase is not Phase.TRAINING or view.silence > SILENT_AFTER or report.notice is not None:
        return False
    return _went_on(attempt, report.step, view.now)


def freshest(spec: FleetSpec | None, observed: Observed, now: float) -> NodeName | None:
    """The node with the youngest checkpoint of those that train: a rehearsal there risks least."""
    able = [view for view in views(spec, observed, now) if trains(view)]
    return max(able, key=_saved_at).name if able else None


def _saved_at(view: NodeView) -> float:
    return view.report.receipt.at if view.report and view.report.receipt else 0.0


def throwaway(spec: FleetSpec, pool: str) -> FleetSpec:
    """A fleet of one node of this pool (of all ranks of a gang), under a name of its own, that nobody disturbs."""
    copied = spec.pools[pool]
    nodes = copied.nodes if copied.mode is Mode.GANG else 1
    alone = msgspec.structs.replace(copied, nodes=nodes, schedule=None)
    name = f"{spec.fleet[:30].rstrip('-')}-rehearsal"
    return msgspec.structs.replace(spec, fleet=name, pools={pool: alone}, local=Local())


def verdict(observed: Observed, hold: Hold, now: float) -> Verdict | None:
    """None while it is under way."""
    proof = observed.proofs.get(pool_key(hold.node or ""))
    attempts = (run.attempt for run in observed.runs.values() if hold.node in run.nodes and run.attempt)
    attempt = max(attempts, key=lambda each: each.given_at, default=None)
    if proof is None or hold.id not in proof.request.split("."):
        return _came_to_nothing(observed, hold, attempt)
    if proof.outcome is not SaveOutcome.SAVED:
        return Verdict(proven=False, message=FAULTS[proof.outcome], proof=proof)
    if attempt is None or attempt.number <= proof.attempt or attempt.started_at is None:
        return None
    return _after_the_save(observed, proof, attempt, now)


def _after_the_save(observed: Observed, proof: SaveProof, attempt: Attempt, now: float) -> Verdict | None:
    """What the next attempt makes of it."""
    step = proving.reached(observed, attempt)
    if proving.unused(proof, attempt, step):
        return Verdict(proven=False, message=FAULTS[SaveOutcome.NOT_RESUMED], proof=proof)
    if attempt.outcome in (Outcome.FAILED, Outcome.INTERRUPTED):
        message = f"attempt {attempt.number}, which was to go on from there, {attempt.outcome}: {attempt.detail}"
        return Verdict(proven=False, message=message, proof=proof)
    if not attempt.open or _went_on(attempt, step, now):
        return Verdict(proven=True, message="", proof=proof, attempt=attempt.number)
    return None


FAULTS = {
    SaveOutcome.REFUSED: "no save came in time; it trains on",
    SaveOutcome.FAILED: "it ended without the save it was asked for",
    SaveOutcome.NOT_RESUMED: "it saved, but the next attempt did not go on from there",
}


def _came_to_nothing(observed: Observed, hold: Hold, attempt: Attempt | None) -> Verdict | None:
    if hold.id in {standing.id for standing in observed.holds}:
        return None
    if attempt is None or (attempt.open and attempt.given_at < hold.at):
        why = "it was called off"
    elif attempt.given_at < hold.at:
        why = f"attempt {attempt.number} is {attempt.outcome}"
    else:
        why = "it stopped with the checkpoint that was there before; try again"
    return Verdict(proven=False, message=f"nothing was measured: {why}")


def _went_on(attempt: Attempt, step: int | None, now: float) -> bool:
    """It has done a step beyond where it began; of one that does not tell its steps, it has trained for a while."""
    if step is not None and step > (attempt.from_step or 0):
        return True
    return attempt.started_at is not None and now - attempt.started_at >= QUIET

"""Rules about runs: is the machine in place training what it should, and what comes next?"""

from __future__ import annotations

import posixpath

import msgspec

from lifecycle.model import hours
from lifecycle.model.fleet import Pool, Resume
from lifecycle.model.plan import GiveOut, Instruct, Kind, Reason, Release
from lifecycle.model.records import (
    Assignment,
    Attempt,
    Desired,
    Order,
    Phase,
    Run,
)
from lifecycle.model.states import Cause, RunState, StopReason
from lifecycle.planning import attempts, blocking, staleness
from lifecycle.planning.decision import SETTLED, Decision, act, emptied_first, wait
from lifecycle.planning.emptying import Purpose
from lifecycle.planning.rendezvous import ordered_to_a_peer, ranks_of, rendezvous
from lifecycle.planning.view import NodeView


def another(view: NodeView) -> Decision | None:
    """The machine in place trains a run that the spec no longer names: it is saved and stopped first."""
    report = view.report
    if report is None or report.phase is Phase.IDLE or view.pool is None or report.run in (None, view.run_id):
        return None
    return _ended_first(view, f"it trains {report.run}, declared is {view.run_id}: save, stop, start that one")


def outlived(view: NodeView) -> Attempt | None:
    """The attempt that the machine in place trains although it was taken for ended: the machine seemed gone."""
    report, attempt = view.report, view.attempt
    if report is None or attempt is None or attempt.open or attempt.witnessed or report.phase is Phase.IDLE:
        return None
    return attempt if (report.run, report.attempt) == (attempt.run, attempt.number) else None


def taken_for_ended(view: NodeView) -> Decision | None:
    """Such an attempt is saved and stopped: the next one goes on from there."""
    attempt = outlived(view)
    return _ended_first(view, still_trains(attempt), Cause.CONTROLLER) if attempt is not None else None


def still_trains(attempt: Attempt) -> str:
    return f"it trains attempt {attempt.number}, whose machine seemed gone: stop, start the next one"


def _ended_first(view: NodeView, evidence: str, cause: Cause = Cause.DRIFT) -> Decision:
    """What trains is not what it should be: it is saved and ended, then its agent's word is waited for."""
    purpose = Purpose(reason=StopReason.DRIFT, cause=cause, key=str(view.generation))
    ended = wait(view, "its agent's word that the attempt has ended")
    return emptied_first(view, Kind.STOP, purpose, Reason(cause=cause, evidence=evidence), ended)


def running(view: NodeView) -> Decision | None:
    """An attempt is under way on the machine in place."""
    attempt = view.attempt
    if attempt is None or not attempt.open:
        return None
    if view.pool is not None and attempt.fingerprint != attempts.fingerprint(view.pool):
        return _ended_first(view, "its train section changed: save, stop, start again from there")
    order = view.order
    if order is None or order.assignment is None or order.assignment.attempt != attempt.number:
        return _order_again(view, attempt)
    if view.drain is not None and view.drain.by.startswith("controller"):
        return _called_off(view)
    if view.run is not None and view.run.state is RunState.STARTING:
        return wait(view, "its trainer to start")
    if view.report is not None and view.report.phase is Phase.SHIPPING:
        return wait(view, "its last checkpoint to be stored: its trainer has ended")
    return blocking.renewed(view) or staleness.stale(view, attempt, order) or SETTLED


def _called_off(view: NodeView) -> Decision:
    """Nothing asks for this drain any longer: the claim goes, and training goes on."""
    reason = Reason(cause=Cause.CONTROLLER, evidence="nothing asks for its drain any longer")
    return act(view, Kind.RESUME, reason, Release(node=view.node))


def _order_again(view: NodeView, attempt: Attempt) -> Decision:
    """Given out, but the order was never written: a controller died between the two."""
    known = view.receipts or ordered_to_a_peer(view, attempt) is not None
    if attempt.earlier and not known and view.pool and view.pool.train.resume is not Resume.NEVER:
        return wait(view, "the receipts of its checkpoints: it does not start over for want of an answer")
    reason = Reason(cause=Cause.CONTROLLER, evidence=f"attempt {attempt.number} was given out and not ordered")
    return act(view, Kind.RESUME, reason, Instruct(order=order_of(view, attempt)))


def idle(view: NodeView) -> Decision | None:
    """A machine in place with nothing training on it."""
    report = view.report
    if report is None or view.pool is None:
        return None
    if view.verdict.kind is attempts.VerdictKind.LATER:
        return wait(view, view.verdict.why, view.verdict.until)
    if view.verdict.kind is not attempts.VerdictKind.GO:
        return SETTLED
    if view.drain is not None and not view.drain.by.startswith("controller"):
        return wait(view, f"the drain by {view.drain.by} to end", view.drain.expires_at)
    last = view.run.attempt if view.run else None
    if last is not None and last.open:
        return wait(view, f"attempt {last.number} on incarnation {last.incarnation} to be known as ended")
    if not report.ready or report.phase is not Phase.IDLE:
        return wait(view, "its agent to be ready")
    return start(view, view.pool)


def trains_on(view: NodeView, refused: Decision) -> Decision:
    """A hook refused the stop after the save: the run goes on from there, in its next attempt."""
    begun = idle(view)
    return msgspec.structs.replace(refused, action=begun.action or refused.action) if begun else refused


def start(view: NodeView, pool: Pool) -> Decision:
    """The run's next attempt, given out and ordered: to one machine, or to all ranks of a gang."""
    attempt = _next_attempt(view, pool)
    trains = tuple(msgspec.structs.replace(each, gang=view.gang) for each in view.gang) or (view,)
    order, *others = (order_of(each, attempt) for each in trains)
    reason, kind = _why_start(view, order)
    released = (Release(node=each.node) for each in trains if each.drain)
    given = GiveOut(run=_run(view, pool, attempt), attempt=attempt, order=order, others=tuple(others))
    return act(view, kind, reason, *released, given)


def _why_start(view: NodeView, order: Order) -> tuple[Reason, Kind]:
    last = view.run.attempt if view.run else None
    assert order.assignment is not None
    if last is None:
        return Reason(cause="spec", evidence=f"run {view.run_id} has never trained"), Kind.START
    resume = order.assignment.resume
    where = f"step {resume[0].step}" if resume else "the beginning"
    evidence = f"attempt {last.number} ended {last.outcome}; goes on from {where}"
    return Reason(cause=last.cause or Cause.CONTROLLER, evidence=evidence), Kind.RESUME


def _next_attempt(view: NodeView, pool: Pool) -> Attempt:
    last = view.run.attempt if view.run else None
    assert view.machine is not None
    assert view.run_id is not None
    return Attempt(
        run=view.run_id,
        number=last.number + 1 if last else 1,
        node=view.node,
        incarnation=view.machine.incarnation,
        market=view.machine.market,
        given_at=view.now,
        fingerprint=attempts.fingerprint(pool),
        earlier=tuple(receipt.digest for receipt in view.receipts),
        members=ranks_of(view.gang),
    )


def _run(view: NodeView, pool: Pool, attempt: Attempt) -> Run:
    train = pool.train
    if view.run is None:
        return Run(
            run=attempt.run,
            name=train.run,
            pool=view.name.pool,
            nodes=tuple(rank.node for rank in attempt.ranks),
            state=RunState.STARTING,
            since=view.now,
            hyperparameters=train.hyperparameters,
            attempt=attempt,
            hours=hours.given_out(hours.Hours(), view.now),
        )
    changed = view.run.attempt is not None and view.run.attempt.fingerprint != attempt.fingerprint
    return msgspec.structs.replace(
        view.run,
        state=RunState.STARTING,
        since=view.now,
        hyperparameters=train.hyperparameters,
        attempt=attempt,
        failures={} if changed else view.run.failures,
    )


def order_of(view: NodeView, attempt: Attempt) -> Order:
    """The order to train this attempt on the machine in place."""
    pool = view.pool
    assert pool is not None
    assert view.machine is not None
    return Order(
        node=view.node,
        number=(view.order.number if view.order else 0) + 1,
        incarnation=view.machine.incarnation,
        desired=Desired.TRAINING,
        reason=f"attempt {attempt.number} of {attempt.run}",
        at=view.now,
        assignment=ordered_to_a_peer(view, attempt) or _assignment(view, pool, attempt),
    )


def _assignment(view: NodeView, pool: Pool, attempt: Attempt) -> Assignment:
    train, checkpoint = pool.train, pool.checkpoint
    return Assignment(
        run=attempt.run,
        attempt=attempt.number,
        pool=view.name.pool,
        command=train.command,
        workdir=_workdir(view, train.workdir),
        profile=train.profile,
        checkpoint_directory=checkpoint.directory,
        keep=checkpoint.keep,
        save_time=float(checkpoint.save_time),
        grace=float(pool.stop.grace),
        policy=pool.stop.without_checkpoint,
        fingerprint=attempt.fingerprint,
        on_completion=train.on_completion,
        hooks=pool.hooks,
        watch_use=pool.budget.idle_stop is not None,
        env=train.env,
        secrets=dict(view.secrets),
        hyperparameters=train.hyperparameters,
        resume=() if train.resume is Resume.NEVER else view.receipts[: 1 if view.gang else RESUME_CANDIDATES],
        **rendezvous(view, attempt),
    )


RESUME_CANDIDATES = 5
"""How many receipts an order offers to resume from: the first whose objects are sound is used.

A gang is offered one: its ranks go on from the same step, or none does.
"""


def _workdir(view: NodeView, workdir: str) -> str:
    """local: relative to the spec file. Elsewhere it is a path of the machine's own."""
    if view.provider != "local":
        return workdir
    return posixpath.normpath(posixpath.join(posixpath.dirname(view.source), workdir))

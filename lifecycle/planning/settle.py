"""What an observation means for the records: attempts end, losses are booked, claims and holds expire.

Run before planning, in the same tick. Machines and trainers may jump where the state tables would not
let *us* go; a jump is recorded as seen and never raises. Only evidence closes an attempt: the agent's own
word, or a machine that is certainly gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import msgspec

from lifecycle.model import hours, tally
from lifecycle.model.journal import Entry
from lifecycle.model.plan import Facts
from lifecycle.model.records import (
    Attempt,
    Ended,
    Incarnation,
    Outcome,
    Phase,
    Reached,
    Receipt,
    Report,
    Run,
)
from lifecycle.model.states import Cause, InstanceState, RunState
from lifecycle.model.world import Machine, Observed
from lifecycle.planning import (
    capacity,
    corrections,
    gangs,
    hearing,
    holds,
    metering,
    noticing,
    proving,
    staleness,
    unordered,
    untold,
    witness,
)
from lifecycle.planning.receipts import greatest
from lifecycle.planning.view import SILENT_AFTER, VANISHED_AFTER, current

_STATE_OF = {
    Outcome.COMPLETED: RunState.COMPLETED,
    Outcome.STOPPED: RunState.STOPPED,
    Outcome.INTERRUPTED: RunState.INTERRUPTED,
    Outcome.FAILED: RunState.FAILED,
    Outcome.VOID: RunState.INTERRUPTED,
}
_STATE_IN = {
    Phase.IDLE: RunState.STARTING,
    Phase.RESTORING: RunState.STARTING,
    Phase.TRAINING: RunState.TRAINING,
    Phase.SAVING: RunState.CHECKPOINTING,
    Phase.SHIPPING: RunState.CHECKPOINTING,
    Phase.HOOKS: RunState.STARTING,
}
_replace = msgspec.structs.replace


def settle(observed: Observed, now: float) -> Facts:
    """The records that this observation changes. Empty when nothing happened."""
    if observed.machines is None:
        return Facts()
    runs: list[Run] = []
    entries: list[Entry] = []
    machines = _by_incarnation(observed)
    learned = {**observed.incarnations, **{(i.node, i.number): i for i in _incarnations(observed, machines, now)}}
    ledgers, claims = metering.settled(observed, machines, learned, now)
    changed = {key: claim for key, claim in claims.items() if claim != observed.incarnations[key]}
    live = witness.not_gone(observed, now)
    spent = holds.spent(observed, live, now)
    for run in observed.runs.values():
        looked = noticing.counted(observed, run, _settle_run(observed, machines, run, now))
        settled = staleness.marked(observed, looked, now)
        if settled != run:
            runs.append(settled)
            entries += [*untold.entries(run, settled, now), *staleness.told(run, settled, now)]
    return Facts(
        runs=tuple(runs),
        ledgers=ledgers,
        incarnations=tuple(claim for _, claim in sorted(changed.items())),
        rejections=_rejections(observed),
        released=tuple(
            node for node, claim in observed.drains.items() if claim.expires_at <= now or claim.instance not in live
        ),
        spent=spent,
        spent_allowances=tuple(instance for instance in observed.allowances if instance not in live),
        over=capacity.over(observed.shortages, observed.machines, now),
        proofs=proving.proofs(observed),
        calm=corrections.calm(observed.corrections, now),
        entries=(*entries, *holds.told(spent, now)),
    )


def apply_facts(observed: Observed, facts: Facts) -> Observed:
    """The observation as it stands once these facts are written."""
    return _replace(
        observed,
        runs={**observed.runs, **{run.run: run for run in facts.runs}},
        incarnations={**observed.incarnations, **{(i.node, i.number): i for i in facts.incarnations}},
        ledgers={**observed.ledgers, **{ledger.pool: ledger for ledger in facts.ledgers}},
        rejections=observed.rejections | {receipt.digest for receipt in facts.rejections},
        drains={node: claim for node, claim in observed.drains.items() if node not in facts.released},
        holds=tuple(hold for hold in observed.holds if hold not in facts.spent),
        allowances={i: a for i, a in observed.allowances.items() if i not in facts.spent_allowances},
        shortages=tuple(shortage for shortage in observed.shortages if shortage not in facts.over),
        proofs={**observed.proofs, **{proof.pool: proof for proof in facts.proofs}},
        corrections=tuple(each for each in observed.corrections if each not in facts.calm),
    )


_Machines = Mapping[tuple[str, int], Machine]
"""Every machine listed, by node and incarnation."""


def _by_incarnation(observed: Observed) -> _Machines:
    """Of two machines of one incarnation the live one counts, then the one on record: nothing is gone too early."""
    known = {claim.instance for claim in observed.incarnations.values()}
    ranked = sorted(observed.machines or (), key=lambda m: (m.live, m.id in known, m.id))
    return {(machine.node, machine.incarnation): machine for machine in ranked}


class _Seen(NamedTuple):
    """What is known of the machine that an attempt, or one rank of it, was given to.

    `again`: it was started again, and its agent has not reported since.
    """

    machine: Machine | None
    report: Report | None
    again: bool


class _End(NamedTuple):
    """The attempt as it ended, with the newest receipt told of and what the trainer left as its result."""

    attempt: Attempt
    receipt: Receipt | None
    result: object


def _settle_run(observed: Observed, machines: _Machines, run: Run, now: float) -> Run:
    attempt = run.attempt
    if attempt is None or not attempt.open:
        return run
    if unordered.outdated(observed, run, attempt):
        return _ended(run, unordered.closed(attempt, now), None, result=None, now=now)
    if attempt.members:
        return _settle_gang(observed, machines, run, attempt, now)
    seen = _look(observed, machines, attempt)
    if seen.report is not None:
        run = _started(run, attempt, seen.report)
        attempt = run.attempt or attempt
    end = _end(observed, attempt, seen, now)
    if end is not None:
        return _ended(run, end.attempt, end.receipt, result=end.result, now=now)
    return _moved(run, _seen_state(attempt, seen), now)


def _settle_gang(observed: Observed, machines: _Machines, run: Run, attempt: Attempt, now: float) -> Run:
    """Every rank by itself; the gang's attempt ends with the last of them."""
    states, receipt, result = [], attempt.receipt, run.result
    for rank in attempt.members:
        if rank.outcome is not None:
            continue
        one = gangs.alone(attempt, rank)
        seen = _look(observed, machines, one)
        if seen.report is not None:
            run = _started(run, attempt, seen.report)
            attempt = run.attempt or attempt
        end = _end(observed, gangs.alone(attempt, rank), seen, now)
        if end is None:
            states.append(_seen_state(one, seen))
            continue
        attempt = gangs.joined(attempt, end.attempt)
        receipt, result = greatest(receipt, end.receipt), end.result if result is None else result
        run = _replace(run, attempt=attempt, result=result)
    if gangs.over(attempt):
        return _ended(run, gangs.judged(attempt), receipt, result=result, now=now)
    return _moved(run, gangs.slowest(states), now)


def _moved(run: Run, state: RunState, now: float) -> Run:
    return run if state is run.state else _replace(run, state=state, since=now)


def _look(observed: Observed, machines: _Machines, attempt: Attempt) -> _Seen:
    claim = observed.incarnations.get((attempt.node, attempt.incarnation))
    report = observed.report(attempt.node, claim.instance if claim else None)
    machine = machines.get((attempt.node, attempt.incarnation))
    report = report if report and report.incarnation == attempt.incarnation else None
    again = report is not None and machine is not None and current(observed, report, machine) is None
    return _Seen(machine, report, again)


def _end(observed: Observed, attempt: Attempt, seen: _Seen, now: float) -> _End | None:
    """How it ended: by its agent's word, or because its machine is certainly gone. None: nothing says so."""
    report = seen.report
    ended = report.ended if report else None
    if report and ended is not None and (ended.run, ended.attempt) == (attempt.run, attempt.number):
        return _End(_closed(attempt, ended, newest(report)), newest(report), ended.result)
    if _certainly_gone(observed, attempt, seen, now):
        return _End(_lost_sight(attempt, seen, now), newest(report) if report else None, None)
    return None


def newest(report: Report) -> Receipt | None:
    """The greatest receipt a report tells of."""
    return greatest(report.receipt, report.ended.receipt if report.ended else None)


def _started(run: Run, attempt: Attempt, report: Report) -> Run:
    """Books, at an attempt's start, the steps that it has to do again."""
    if attempt.started_at is not None:
        return run
    ended = report.ended if report.ended and report.ended.attempt == attempt.number else None
    here = report.run == run.run and report.attempt == attempt.number
    started_at = report.started_at if here else ended.started_at if ended else None
    from_step = report.from_step if here else ended.from_step if ended else None
    if started_at is None:
        return run
    reached = run.reached
    again = max(0, reached.step - (from_step or 0)) if reached else 0
    attempt = _replace(attempt, started_at=started_at, from_step=from_step, lost_steps=again)
    lost = dict(run.lost)
    if reached is not None and again:
        lost[reached.cause] = lost.get(reached.cause, 0) + again
    exact = run.lost_exact and (reached is None or reached.exact)
    clocked, sums = hours.started(run.hours, started_at), run.tally
    if from_step:
        sums = tally.restored(sums, started_at - attempt.given_at)
    return _replace(run, attempt=attempt, reached=None, lost=lost, lost_exact=exact, hours=clocked, tally=sums)


def _closed(attempt: Attempt, ended: Ended, receipt: Receipt | None) -> Attempt:
    """The attempt as its agent judged it."""
    forced = None
    if ended.forced and ended.step is not None:
        forced = (ended.receipt.step if ended.receipt else ended.from_step or 0, ended.step)
    return _replace(
        attempt,
        ended_at=ended.at,
        to_step=ended.step,
        outcome=ended.outcome,
        cause=ended.cause,
        exact=ended.exact,
        forced=forced,
        receipt=ended.receipt or receipt,
        spared_steps=ended.spared,
        detail=ended.detail,
    )


def _lost_sight(attempt: Attempt, seen: _Seen, now: float) -> Attempt:
    """The attempt of a machine that went without a last word: a lower bound, marked so."""
    machine, report, _ = seen
    step = report.step if report and report.attempt == attempt.number else None
    return _replace(
        attempt,
        ended_at=(machine.ended_at if machine else None) or now,
        to_step=step,
        outcome=Outcome.INTERRUPTED if attempt.started_at is not None else Outcome.VOID,
        cause=_taken_by(machine, report),
        exact=False,
        receipt=report.receipt if report else None,
        detail=untold.NO_LAST_WORD,
        witnessed=False,
    )


def _taken_by(machine: Machine | None, report: Report | None) -> Cause:
    """Who ended a machine whose agent had been silent for long, us included, did not end what trained on it."""
    told = machine.cause if machine else None
    if machine is not None and machine.ended_at is not None and report is not None and told is Cause.OPERATOR:
        told = Cause.HARDWARE if machine.ended_at - report.at > SILENT_AFTER else told
    return told or (report.notice.cause if report and report.notice else None) or Cause.HARDWARE


def _ended(run: Run, attempt: Attempt, receipt: Receipt | None, *, result: object, now: float) -> Run:
    reached = run.reached
    if attempt.to_step is not None and attempt.outcome is not Outcome.COMPLETED and attempt.started_at is not None:
        cause = attempt.cause or Cause.CONTROLLER
        reached = Reached(attempt=attempt.number, step=attempt.to_step, cause=cause, exact=attempt.exact)
    run = _counted(run, attempt, receipt)
    return _replace(
        run,
        attempt=attempt,
        state=_STATE_OF[attempt.outcome or Outcome.VOID],
        since=now,
        reached=reached,
        spared=run.spared + attempt.spared_steps,
        hours=_clocked(run, attempt, now),
        result=result if attempt.outcome is Outcome.COMPLETED else None if attempt.members else run.result,
    )


def _clocked(run: Run, attempt: Attempt, now: float) -> hours.Hours:
    """What follows an attempt is lost to what ended it, until the next one trains."""
    over = attempt.outcome is Outcome.COMPLETED
    ended_at = now if attempt.ended_at is None else attempt.ended_at
    return hours.ended(run.hours, ended_at, None if over else attempt.cause or Cause.CONTROLLER)


def _counted(run: Run, attempt: Attempt, receipt: Receipt | None) -> Run:
    """Failures in a row by cause, which a newer receipt than the last mark clears first; and those of its life."""
    rank = receipt.rank if receipt else None
    newer = rank is not None and (run.mark is None or rank > run.mark)
    failures = {} if newer else dict(run.failures)
    if attempt.outcome in (Outcome.FAILED, Outcome.INTERRUPTED) and attempt.cause is not None:
        failures[attempt.cause] = failures.get(attempt.cause, 0) + 1
    trained = attempt.started_at is not None and attempt.outcome is not Outcome.COMPLETED
    sums = tally.ended(run.tally, attempt.cause) if trained else run.tally
    return _replace(run, failures=failures, mark=rank if newer else run.mark, tally=sums)


def _certainly_gone(observed: Observed, attempt: Attempt, seen: _Seen, now: float) -> bool:
    machine, report, _ = seen
    if machine is not None:
        return machine.state is InstanceState.TERMINATED
    claim = observed.incarnations.get((attempt.node, attempt.incarnation))
    quiet = observed.quiet.get(claim.instance or "") if claim else None
    known = claim is not None and claim.instance is not None and claim.ended_at is None
    if known and not hearing.proven(quiet, now):
        return False
    heard = max(attempt.given_at, hearing.heard_at(report, quiet), claim.claimed_at if claim else 0.0)
    return now - heard > VANISHED_AFTER


def _seen_state(attempt: Attempt, seen: _Seen) -> RunState:
    machine, report, again = seen
    if again or (machine is not None and machine.state is InstanceState.STOPPED):
        return RunState.INTERRUPTED
    if report is None or (report.run, report.attempt) != (attempt.run, attempt.number):
        return RunState.STARTING
    return _STATE_IN[report.phase]


def _incarnations(observed: Observed, machines: _Machines, now: float) -> Iterator[Incarnation]:
    """Claims learn which machine came of them, and when and why it ended."""
    for machine in machines.values():
        claim = observed.incarnations.get((machine.node, machine.incarnation))
        if claim is None:
            continue
        known = claim
        if claim.instance != machine.id or (machine.worn and not claim.worn):
            known = _replace(claim, instance=machine.id, worn=claim.worn or dict(machine.worn))
        if machine.state is InstanceState.TERMINATED and None in (claim.ended_at, claim.cause):
            known = _replace(known, ended_at=claim.ended_at or machine.ended_at or now, cause=machine.cause)
        if known != claim:
            yield known


def _rejections(observed: Observed) -> tuple[Receipt, ...]:
    told = {r.digest: r for report in observed.reports.values() for r in report.rejected}
    return tuple(r for digest, r in sorted(told.items()) if digest not in observed.rejections)

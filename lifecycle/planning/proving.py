"""What the ends of attempts prove about saving on request: real stops are measured, nobody has to ask for it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lifecycle.model.fleet import FleetSpec, Market, Pool, Resume
from lifecycle.model.holds import HoldKind
from lifecycle.model.notice import NoticeArithmetic
from lifecycle.model.plan import Save
from lifecycle.model.proving import SaveOutcome, SaveProof, measured, pool_key, proven
from lifecycle.model.records import Attempt, Condition, DrainOutcome, Ended, Outcome, Report, Status
from lifecycle.model.world import Observed
from lifecycle.planning.attempts import fingerprint
from lifecycle.planning.moments import utc

NOT_RESUMED = SaveOutcome.NOT_RESUMED
_HOW = {
    SaveOutcome.REFUSED: "nothing came in time",
    SaveOutcome.FAILED: "it ended without a save",
    SaveOutcome.NOT_RESUMED: "it saved, but the next attempt did not go on from there",
}
_replace = msgspec.structs.replace


def proofs(observed: Observed) -> tuple[SaveProof, ...]:
    """The proofs that are newer than those on record, at most one for each pool."""
    newest: dict[str, SaveProof] = {}
    for report in observed.reports.values():
        for proof in _told(observed, report):
            known = newest.get(proof.pool) or observed.proofs.get(proof.pool)
            if known is None or proof.at > known.at:
                newest[proof.pool] = proof
    newest |= {p.pool: _replace(p, outcome=NOT_RESUMED) for p in observed.proofs.values() if _refuted(observed, p)}
    return tuple(newest.values())


def _refuted(observed: Observed, proof: SaveProof) -> bool:
    """Whether the attempt after a save shows that it was of no use."""
    after = _attempt(observed, proof.run, proof.attempt + 1)
    if proof.outcome is not SaveOutcome.SAVED or after is None or after.started_at is None:
        return False
    if after.fingerprint != proof.fingerprint or _starts_afresh(observed, proof.pool):
        return False
    return unused(proof, after, reached(observed, after))


def unused(proof: SaveProof, after: Attempt, step: int | None) -> bool:
    """Whether the next attempt began before a save, or its trainer began from the start all the same."""
    return after.from_step != proof.step or (step is not None and step < (proof.step or 0))


def reached(observed: Observed, attempt: Attempt) -> int | None:
    """How far an attempt is by its agent's word."""
    report = observed.reports.get(attempt.node)
    here = report is not None and (report.run, report.attempt) == (attempt.run, attempt.number)
    return report.step if report and here else attempt.to_step


def _starts_afresh(observed: Observed, key: str) -> bool:
    """Whether the pool says that every attempt begins from the start."""
    pool = observed.record.spec.pools.get(key.partition("/")[2]) if observed.record else None
    return pool is None or pool.train.resume is Resume.NEVER


def _told(observed: Observed, report: Report) -> Iterator[SaveProof]:
    ended, drained = report.ended, report.drained
    if ended is not None and (attempt := _attempt(observed, ended.run, ended.attempt)) is not None:
        yield from _of_an_end(observed, report.node, ended, attempt)
    refused = drained is not None and drained.outcome is DrainOutcome.REFUSED
    attempt = _attempt(observed, report.run, report.attempt)
    if drained is not None and refused and attempt is not None and drained.at >= (attempt.started_at or 0.0):
        yield SaveProof(
            pool=pool_key(report.node),
            fingerprint=attempt.fingerprint,
            outcome=SaveOutcome.REFUSED,
            at=drained.at,
            by=_asker(observed, drained.drain, "operator"),
            run=attempt.run,
            attempt=attempt.number,
            request=drained.drain,
            step=drained.step,
        )


def _attempt(observed: Observed, run: str | None, number: int | None) -> Attempt | None:
    known = observed.runs.get(run) if run else None
    attempt = known.attempt if known else None
    return attempt if attempt and attempt.number == number else None


def _of_an_end(observed: Observed, node: str, ended: Ended, attempt: Attempt) -> Iterator[SaveProof]:
    """A save that was there before the ask proves nothing, and a run that completed meanwhile neither."""
    receipt, request = ended.receipt, ended.request
    if request is None or ended.asked_at is None or ended.outcome is Outcome.COMPLETED:
        return
    answered = receipt is not None and receipt.request is not None and receipt.at >= ended.asked_at
    lost = receipt is None or receipt.step < (ended.step or 0)
    if not answered and not lost:
        return
    saved = receipt if answered and not ended.forced else None
    yield SaveProof(
        pool=pool_key(node),
        fingerprint=attempt.fingerprint,
        outcome=SaveOutcome.SAVED if saved else SaveOutcome.FAILED,
        at=ended.at,
        by=_asker(observed, request, ended.cause or ""),
        run=ended.run,
        attempt=ended.attempt,
        request=request,
        step=saved.step if saved else ended.step,
        seconds=round(saved.at - ended.asked_at, 3) if saved else None,
        size=saved.size if saved else None,
    )


def _asker(observed: Observed, request: str, cause: str) -> str:
    hold = next((h for h in observed.holds if h.id in request.split(".")), None)
    return f"rehearsal by {hold.by}" if hold and hold.kind is HoldKind.REHEARSE else cause


# ---- what is told of them ------------------------------------------------------------------------


def condition(key: str, pool: Pool, observed: Observed) -> Condition:
    """`CheckpointOnStop` of one pool."""
    proof, applied = observed.proofs.get(key), observed.record.applied_at if observed.record else 0.0
    status = proven(proof, fingerprint(pool))
    return Condition(
        type="CheckpointOnStop",
        status=status,
        reason="NotSeen" if status is Status.UNKNOWN or proof is None else proof.outcome.title().replace(" ", ""),
        message=_message(proof, status),
        since=applied if status is Status.UNKNOWN or proof is None else proof.at,
    )


def saves(spec: FleetSpec | None, observed: Observed) -> tuple[Save, ...]:
    """What is known of saving on request in every spot pool, with the arithmetic of a notice."""
    pools = sorted(spec.pools.items()) if spec else ()
    return tuple(
        _save(f"{observed.fleet}/{name}", pool, observed)
        for name, pool in pools
        if pool.market is Market.SPOT and pool.nodes > 0
    )


def _save(key: str, pool: Pool, observed: Observed) -> Save:
    known = condition(key, pool, observed)
    seen = observed.proofs.get(key) if known.status is Status.TRUE else None
    sums = NoticeArithmetic.of(pool.checkpoint, seen)
    return Save(
        pool=key,
        status=known.status,
        message=f"{known.message}; {sums.sentence()}",
        fits=sums.fits,
        measured=sums.measured,
    )


def _message(proof: SaveProof | None, status: Status) -> str:
    if proof is None or status is Status.UNKNOWN:
        earlier = " with this train section" if proof else ""
        return f"its trainer has not been seen to save when asked to stop{earlier}; `steady rehearse SPEC` tries it"
    when = f"({proof.by}, {utc(proof.at)})"
    if status is Status.TRUE:
        return f"saved {proof.size or 0:,} bytes in {measured(proof)} {when}"
    return f"asked to save and stop, {_HOW[proof.outcome]} {when}"

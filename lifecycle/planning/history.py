"""History: every attempt of a run with its proof, and the steps lost by cause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from lifecycle.model.records import Attempt, Receipt, Run


class ProofShown(msgspec.Struct, frozen=True, kw_only=True):
    step: int
    digest: str
    bytes: int
    at: float


class RankShown(msgspec.Struct, frozen=True, kw_only=True):
    node: str
    incarnation: int
    outcome: str | None
    cause: str | None


class AttemptShown(msgspec.Struct, frozen=True, kw_only=True):
    attempt: int
    node: str
    incarnation: int
    market: str
    started: float | None
    ended: float | None
    from_step: int | None
    to_step: int | None
    outcome: str | None
    cause: str | None
    lost_steps: int
    forced: tuple[int, int] | None
    detail: str
    receipt: ProofShown | None
    ranks: tuple[RankShown, ...]
    """Of a gang: each of its ranks, in order."""


class CheckpointShown(msgspec.Struct, frozen=True, kw_only=True):
    epoch: int
    step: int
    digest: str
    bytes: int
    at: float
    sound: bool
    kept: bool


class RunShown(msgspec.Struct, frozen=True, kw_only=True):
    run: str
    nodes: tuple[str, ...]
    hyperparameters: dict[str, Any]
    state: str
    attempts: tuple[AttemptShown, ...]
    checkpoints: tuple[CheckpointShown, ...]
    lost_steps: dict[str, int]
    lost_steps_exact: bool
    spared_steps: int
    result: Any


def run_shown(
    run: Run, attempts: Sequence[Attempt], receipts: Sequence[Receipt], rejected: frozenset[str]
) -> RunShown:
    """One run's history. The newest attempt is shown as the run has it."""
    current = {run.attempt.number: run.attempt} if run.attempt else {}
    return RunShown(
        run=run.run,
        nodes=run.nodes,
        hyperparameters=run.hyperparameters,
        state=run.state,
        attempts=tuple(_attempt(current.get(each.number, each)) for each in attempts),
        checkpoints=tuple(_checkpoint(receipt, rejected) for receipt in sorted(receipts, key=lambda r: r.rank)),
        lost_steps=run.lost,
        lost_steps_exact=run.lost_exact,
        spared_steps=run.spared,
        result=run.result,
    )


def _attempt(attempt: Attempt) -> AttemptShown:
    return AttemptShown(
        attempt=attempt.number,
        node=attempt.node,
        incarnation=attempt.incarnation,
        market=attempt.market,
        started=attempt.started_at,
        ended=None if attempt.open else attempt.ended_at,
        from_step=attempt.from_step,
        to_step=None if attempt.open else attempt.to_step,
        outcome=attempt.outcome,
        cause=attempt.cause,
        lost_steps=attempt.lost_steps,
        forced=attempt.forced,
        detail=attempt.detail,
        receipt=_proof(attempt.receipt) if attempt.receipt else None,
        ranks=tuple(
            RankShown(node=rank.node, incarnation=rank.incarnation, outcome=rank.outcome, cause=rank.cause)
            for rank in attempt.members
        ),
    )


def _proof(receipt: Receipt) -> ProofShown:
    return ProofShown(step=receipt.step, digest=receipt.digest, bytes=receipt.size, at=receipt.at)


def _checkpoint(receipt: Receipt, rejected: frozenset[str]) -> CheckpointShown:
    return CheckpointShown(
        epoch=receipt.epoch,
        step=receipt.step,
        digest=receipt.digest,
        bytes=receipt.size,
        at=receipt.at,
        sound=receipt.digest not in rejected,
        kept=not receipt.pruned,
    )

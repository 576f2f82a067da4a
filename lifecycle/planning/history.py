"""History: every attempt of a run with its proof, and the steps lost by cause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from lifecycle.model import hours
from lifecycle.model.past import Past
from lifecycle.model.records import Attempt, Incarnation, Receipt, Run
from lifecycle.model.world import Observed
from lifecycle.planning import metering


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
    training_seconds: float
    lost_seconds: dict[str, float]
    wall_seconds: float
    """From the first attempt to now, or to the last thing that was booked: training and lost seconds together."""
    cost: float
    """Dollars of the machines that its attempts had; at least that, unless `cost_exact`."""
    cost_exact: bool
    result: Any


CHECKPOINTS = 1000
"""Of each run the newest so many are shown."""


def runs_shown(observed: Observed, past: Past, now: float) -> Iterator[RunShown]:
    """Every run's history."""
    for run in observed.runs.values():
        attempts = past.attempts.get(run.run, ())
        nodes = {rank.node for attempt in attempts for rank in attempt.ranks}
        claims = [claim for node in sorted(nodes) for claim in past.claims.get(node, ())]
        yield run_shown(
            run,
            attempts,
            past.receipts.get(run.run, ())[-CHECKPOINTS:],
            observed.rejections,
            spent=spent(observed, attempts, claims, now),
            now=now,
        )


def run_shown(
    run: Run,
    attempts: Sequence[Attempt],
    receipts: Sequence[Receipt],
    rejected: frozenset[str],
    *,
    spent: tuple[float, bool] = (0.0, True),
    now: float | None = None,
) -> RunShown:
    """One run's history. The newest attempt is shown as the run has it; what trains now, trains until `now`."""
    trained = hours.trained(run.hours, now if run.attempt and run.attempt.open else None)
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
        training_seconds=round(trained.training, 3),
        lost_seconds={cause: round(seconds, 3) for cause, seconds in trained.lost.items()},
        wall_seconds=round(trained.wall, 3),
        cost=round(spent[0], 4),
        cost_exact=spent[1],
        result=run.result,
    )


def spent(
    observed: Observed, attempts: Sequence[Attempt], claims: Iterable[Incarnation], now: float
) -> tuple[float, bool]:
    """What the machines of these attempts have cost, and whether that is exact.

    `claims`: all that their nodes ever had.
    """
    known = {(claim.node, claim.number): claim for claim in claims} | dict(observed.incarnations)
    machines = {(machine.node, machine.incarnation): machine for machine in observed.machines or () if machine.live}
    keys = {(rank.node, rank.incarnation) for attempt in attempts for rank in attempt.ranks} & known.keys()
    found = [metering.spent(observed, known[key], machines.get(key), now) for key in keys]
    return sum(dollars for dollars, _ in found), all(exact for _, exact in found)


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

"""Whether a pool's trainer has been seen to save when it was asked to stop: the proof behind `CheckpointOnStop`."""

from __future__ import annotations

from enum import StrEnum

from lifecycle.model.quantities import spoken
from lifecycle.model.records import Record, Status


class SaveOutcome(StrEnum):
    SAVED = "saved"
    REFUSED = "refused"
    """Nothing came in time, and it was let train on."""
    FAILED = "failed"
    """It ended without the save it was asked for."""
    NOT_RESUMED = "not resumed"
    """It saved, and the attempt after it did not go on from there."""


class SaveProof(Record, frozen=True, kw_only=True):
    """The last time that a trainer of this pool was asked to save and exit, and what came of it.

    It says something of this train section (`fingerprint`) only. `seconds` go from the ask to the receipt, by the
    node's clock; `size` is in bytes. `by` is who or what asked: a cause, or a rehearsal.
    """

    pool: str
    fingerprint: str
    outcome: SaveOutcome
    at: float
    by: str
    run: str
    attempt: int
    request: str
    step: int | None = None
    seconds: float | None = None
    size: int | None = None


def measured(proof: SaveProof) -> str:
    """The seconds of a save for people: `0.3s`, `4m`."""
    seconds = proof.seconds or 0.0
    return spoken(seconds) if seconds >= 10 else f"{seconds:.1f}s"


def pool_key(node: str) -> str:
    """`fleet/pool` of a node `fleet/pool/index`: what proofs are kept under."""
    return node.rpartition("/")[0]


def proven(proof: SaveProof | None, fingerprint: str) -> Status:
    """Whether a stop of this train section is known to save: the status of `CheckpointOnStop`."""
    if proof is None or proof.fingerprint != fingerprint:
        return Status.UNKNOWN
    return Status.TRUE if proof.outcome is SaveOutcome.SAVED else Status.FALSE

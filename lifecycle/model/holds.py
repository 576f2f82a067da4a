"""What operators record beside the spec: exceptions to it, and losses that they allow."""

from __future__ import annotations

from enum import StrEnum

from lifecycle.model.records import Record


class HoldKind(StrEnum):
    STOP = "stop"
    TERMINATE = "terminate"
    REPLACE = "replace"
    SCHEDULE = "schedule"
    """Made by the spec; never stored."""
    START = "start"
    """Keeps a node running through a scheduled stop."""
    SUSPEND = "suspend"
    REHEARSE = "rehearse"
    """One attempt is to save and exit, and the next to go on from there; spent once it has answered."""
    PAUSE = "pause"
    """Written by Ctrl-C in `run`; the next `run` or `apply` lifts it."""


class Hold(Record, frozen=True, kw_only=True):
    """An operator's recorded exception to the spec. `node` None means the whole fleet."""

    id: str
    fleet: str
    kind: HoldKind
    reason: str
    by: str
    at: float
    node: str | None = None
    instance: str | None = None
    """For `replace`: the machine to be replaced; the hold is spent once that machine is gone."""
    until: float | None = None

    def active(self, now: float) -> bool:
        return self.until is None or now < self.until


class Allowance(Record, frozen=True, kw_only=True):
    """`steady allow-loss`: one machine may be ended without a save, once."""

    instance: str
    reason: str
    by: str
    at: float

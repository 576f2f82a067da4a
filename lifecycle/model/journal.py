"""The journal's lines, and the record that every tick leaves."""

from __future__ import annotations

from enum import StrEnum

from lifecycle.model.records import Record


class EntryKind(StrEnum):
    INTENT = "intent"
    OUTCOME = "outcome"
    OBSERVED = "observed"
    COMMAND = "command"


class Entry(Record, frozen=True, kw_only=True):
    """A line of the journal. An intent and its outcome share `op`."""

    at: float
    kind: EntryKind
    what: str
    node: str | None = None
    run: str | None = None
    op: str | None = None
    cause: str = ""
    evidence: str = ""
    result: str = ""
    output: str = ""
    """The last of what a hook printed, at most 64 KiB of it."""


class Quiet(Record, frozen=True, kw_only=True):
    """The last report of a machine, where its time is not that of our clock: old, or of the future.

    Our own looks say what that means. `since`: when this `sequence` was first found, by our clock; 0 is that of a
    machine that never reported. `moved`: it was found after another one, so its agent speaks and its clock is off.
    """

    instance: str
    sequence: int
    since: float
    moved: bool = False


class Tick(Record, frozen=True, kw_only=True):
    """The record a tick leaves, whether or not it acted."""

    fleet: str
    at: float
    by: str
    generation: int
    actions: int
    refused: int
    waiting: int
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be looked at, and stopped nothing."""
    shared: tuple[str, ...] = ()
    """What the machines share and is not as declared, when that was last asked for."""
    seconds: float = 0.0
    nodes_seen: int = 0
    quiet: tuple[Quiet, ...] = ()
    """The machines of whose reports only a second look can say whether their agents live."""
    blind_since: float | None = None
    """Since when no tick could tell which machines there are."""

"""What is worth waking a person for, and the memory of what was told: each occurrence once, whoever ticks."""

from __future__ import annotations

import msgspec


class Tiding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that stands. Its `key` is the same for as long as it is the same occurrence."""

    key: str
    kind: str
    fleet: str
    sentence: str
    node: str | None = None
    cause: str = ""
    since: float | None = None
    """Seconds since the epoch; None where nobody knows."""
    patience: float = 0.0
    """It has to stand so many seconds before it is told."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent, as it is sent: `specs/notification.schema.json`. `text` is what Slack and its like show."""

    version: int
    text: str
    kind: str
    fleet: str
    node: str | None
    cause: str
    since: float | None
    more: str
    """The command that tells more."""


class Failing(msgspec.Struct, frozen=True, kw_only=True):
    """A target that could not be told: how often in a row, and when it is tried again."""

    times: int
    due: float


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row a fleet, written conditionally. Targets are named by a digest: their addresses are secrets."""

    standing: dict[str, float] = {}
    """What stands, by key, and since when it was seen to."""
    sent: dict[str, tuple[str, ...]] = {}
    """By target: what it was told of and still stands."""
    owed: tuple[str, ...] = ()
    """The targets that were told of something since the fleet was last as declared."""
    sending: dict[str, float] = {}
    """By target: until when somebody is about to tell it."""
    failing: dict[str, Failing] = {}

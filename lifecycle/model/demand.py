"""What is asked of a trainer by whatever its machine, its gang or its controller met with."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from lifecycle.model.fleet import WithoutCheckpoint
from lifecycle.model.states import Cause


class AskMode(StrEnum):
    SAVE = "save"
    SAVE_AND_EXIT = "save-and-exit"


class Demand(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The strictest of what is asked of the trainer now.

    `deadline` is when the machine ends, whatever happens; None where only patience ends, after `grace`.
    """

    request: str
    mode: AskMode
    cause: Cause
    reason: str
    grace: float
    policy: WithoutCheckpoint = WithoutCheckpoint.FORCE
    deadline: float | None = None
    drain: str | None = None
    futile: bool = False
    """A rank of its gang is gone: nothing can be saved any more, and nothing is waited for."""
    ends: bool = False
    """Its drain is to end the machine, not only to stop it."""
    blocking: bool = True
    """A hook that fails may refuse its drain."""

"""Hooks as values: programs of the user's that an agent runs at fixed points, and how they ended."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from lifecycle.model.states import Cause


class HookPoint(StrEnum):
    """The point at which a hook is run; also its name in the spec."""

    POST_START = "post_start"
    PRE_STOP = "pre_stop"
    PRE_TERMINATE = "pre_terminate"
    ON_INTERRUPTION = "on_interruption"


class HookOutcome(StrEnum):
    DONE = "done"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    NOT_RUN = "not run"


class HookCall(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One hook that is due. `op_id` is the same on every repeat; `timeout` is in seconds."""

    point: HookPoint
    index: int
    op_id: str
    command: tuple[str, ...]
    timeout: float
    may_block: bool
    cause: Cause | None = None

    @property
    def name(self) -> str:
        """As in the spec: `pre_stop[0]`."""
        return f"{self.point}[{self.index}]"


class HookDone(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one hook ended. `blocks`: it failed, and what it was run before must not happen."""

    point: HookPoint
    name: str
    op_id: str
    run: str
    outcome: HookOutcome
    at: float
    cause: Cause | None = None
    blocks: bool = False
    detail: str = ""

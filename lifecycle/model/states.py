"""The two state machines, as data. A move that the table lacks raises and changes nothing.

All transitions live here; this file knows nothing of who asks for them. The tables bind our own
commands: what a machine or a trainer was *seen* to do may jump, and is recorded as such
(`lifecycle/planning/settle.py`). The diagrams in `lifecycle/README.md` are drawn from these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from lifecycle.model.errors import IllegalMove


class InstanceState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    TERMINATED = "terminated"


class RunState(StrEnum):
    WAITING = "waiting"
    STARTING = "starting"
    TRAINING = "training"
    CHECKPOINTING = "checkpointing"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    COMPLETED = "completed"
    FAILED = "failed"


class StopReason(StrEnum):
    """Why a machine is being stopped or ended."""

    MANUAL = "manual"
    SCHEDULE = "schedule"
    IDLE = "idle"
    BUDGET = "budget"
    REPLACEMENT = "replacement"
    SCALE_IN = "scale_in"
    COMPLETION = "completion"
    DRIFT = "drift"


class Cause(StrEnum):
    """Whom an ended attempt, and the steps lost with it, is booked to."""

    SPOT = "spot"
    REBALANCE = "rebalance"
    MAINTENANCE = "maintenance"
    HARDWARE = "hardware"
    OPERATOR = "operator"
    SCHEDULE = "schedule"
    BUDGET = "budget"
    DRIFT = "drift"
    USER_ERROR = "user_error"
    CONTROLLER = "controller"


WARNED = (Cause.SPOT, Cause.REBALANCE, Cause.MAINTENANCE)
"""Those of which the provider gives notice."""


class Outcome(StrEnum):
    """How an attempt ended, or one rank's part in it."""

    COMPLETED = "completed"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    VOID = "void"  # given out, never started


State = TypeVar("State", InstanceState, RunState)
Table = Mapping[State, Mapping[State, str]]

_I = InstanceState
INSTANCE_MOVES: Table[InstanceState] = {
    _I.PENDING: {_I.RUNNING: "booted", _I.TERMINATED: "never came up"},
    _I.RUNNING: {
        _I.STOPPING: "we asked it to stop, for a stop reason",
        _I.STOPPED: "a human stopped it",
        _I.INTERRUPTED: "the provider took it back",
        _I.TERMINATED: "ended",
    },
    _I.STOPPING: {
        _I.STOPPED: "powered off, disk kept",
        _I.INTERRUPTED: "taken back while stopping",
        _I.TERMINATED: "ended",
    },
    _I.STOPPED: {_I.PENDING: "started again", _I.TERMINATED: "ended"},
    _I.INTERRUPTED: {_I.TERMINATED: "its deadline passed"},
    _I.TERMINATED: {},
}

_R = RunState
_HALTS = {
    _R.STOPPED: "saved and stopped on request",
    _R.INTERRUPTED: "its machine went away",
    _R.COMPLETED: "finished",
    _R.FAILED: "died by itself",
}
RUN_MOVES: Table[RunState] = {
    _R.WAITING: {_R.STARTING: "an attempt is given out"},
    _R.STARTING: {
        _R.TRAINING: "the trainer runs",
        _R.FAILED: "the trainer never ran",
        _R.INTERRUPTED: "its machine went away",
    },
    _R.TRAINING: {_R.CHECKPOINTING: "asked to save", **_HALTS},
    _R.CHECKPOINTING: {_R.TRAINING: "saved and trained on, or the drain was refused", **_HALTS},
    _R.STOPPED: {_R.STARTING: "resumed"},
    _R.INTERRUPTED: {_R.STARTING: "resumed"},
    _R.FAILED: {_R.STARTING: "tried again within its budget"},
    _R.COMPLETED: {},
}

LIVE = frozenset({_I.PENDING, _I.RUNNING, _I.STOPPING, _I.STOPPED, _I.INTERRUPTED})
"""States in which a machine exists and may cost money."""

ENDED = frozenset({_R.COMPLETED, _R.FAILED})


def advance(moves: Table[State], now: State, to: State) -> State:
    """`to`, when the table has the arrow from `now`; raises IllegalMove otherwise."""
    if to not in moves[now]:
        allowed = ", ".join(moves[now]) or "nothing: it is final"
        raise IllegalMove(f"{now} cannot become {to}; it may become {allowed}")
    return to


def diagram(moves: Table[State]) -> str:
    """The table as a Mermaid state diagram."""
    arrows: list[str] = [
        f"    {source} --> {target}: {why}" for source, row in moves.items() for target, why in row.items()
    ]
    return "\n".join(["stateDiagram-v2", *arrows])

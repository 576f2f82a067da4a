"""Lifecycle tags: what the provider's console shows of a machine's run. For people; nothing decides by them.

States are coarse, so that a machine that saves and trains on is not tagged again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lifecycle.model import tags
from lifecycle.model.plan import Label
from lifecycle.model.states import InstanceState, RunState
from lifecycle.planning.view import NodeView

AT_ONCE = 100
"""Machines labelled in one tick: each may need a call of its own."""

IDLE = "idle"

_STATES = {
    RunState.TRAINING: "training",
    RunState.CHECKPOINTING: "training",
    RunState.COMPLETED: "completed",
    RunState.FAILED: "failed",
}


def labels(views: Iterable[NodeView]) -> tuple[Label, ...]:
    """The labels that differ from what the machines wear, at most so many. Machines of this computer wear none."""
    return tuple(_labels(views))[:AT_ONCE]


def _labels(views: Iterable[NodeView]) -> Iterator[Label]:
    for view in views:
        machine = view.machine
        if machine is None or machine.ending or view.provider == "local":
            continue
        wanted = dict(_wanted(view))
        if any(machine.tags.get(name) != value for name, value in wanted.items()):
            yield Label(machine=machine, tags=wanted)


def _wanted(view: NodeView) -> Iterator[tuple[str, str]]:
    machine, here = view.machine, view.attempt is not None
    off = machine is not None and machine.state is InstanceState.STOPPED
    state = _STATES.get(view.run.state, IDLE) if view.run and here else IDLE
    yield tags.STATE, InstanceState.STOPPED if off else state
    if here and view.run_id is not None:
        yield tags.RUN, view.run_id

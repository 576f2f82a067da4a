"""Rules about agents that are not heard: what is waited for, and what says that a machine is lost."""

from __future__ import annotations

import math

from lifecycle.model.quantities import spoken
from lifecycle.model.states import InstanceState
from lifecycle.planning.decision import Decision, wait
from lifecycle.planning.view import SILENT_AFTER, NodeView

REGISTER_WITHIN = 900.0
"""A machine whose agent never reported is replaced after this."""


def lost(view: NodeView) -> str | None:
    """Why a running machine is taken for lost: it never came up, or something beside its silence says so."""
    machine, pool = view.machine, view.pool
    if machine is None or machine.state is not InstanceState.RUNNING or view.proven_silence <= SILENT_AFTER:
        return None
    if view.report is None and view.earlier is None and view.silence > REGISTER_WITHIN:
        return f"its agent never reported in {spoken(view.silence)}"
    if machine.impaired:
        return f"its status check failed and its agent is silent for {spoken(view.silence)}"
    if pool is not None and (view.report or view.earlier) and view.silence > pool.unreachable_after:
        return f"{silent_for(view)} (unreachable_after {pool.unreachable_after})"
    return None


def silent_for(view: NodeView) -> str:
    """How long its agent is silent, in words: in the present boot of its machine."""
    again = " since its machine was started again" if view.earlier else ""
    return f"its agent is silent for {spoken(view.silence)}{again}"


def silent(view: NodeView) -> Decision | None:
    """A machine that is booting, or whose agent is not heard: it is waited for, nothing else."""
    if view.machine is None:
        return None
    if view.report is None:
        within = float(view.pool.unreachable_after) if view.pool and view.earlier else REGISTER_WITHIN
        due = view.machine.launched_at + within
        what = "its machine to boot and its agent to report"
        return wait(view, what, due if math.isfinite(due) else None)
    if view.silence > SILENT_AFTER:
        return wait(view, f"its agent, silent for {spoken(view.silence)}: unknown, not dead")
    return None

"""Idleness: is a machine paid for without need? Only its own agent's word counts; what is unknown is not idle.

Spans are of the agent's clock on both sides: ours may have jumped.
"""

from __future__ import annotations

from lifecycle.model.fleet import Pool
from lifecycle.model.quantities import spoken
from lifecycle.model.records import Attempt, DrainClaim, Phase, Report
from lifecycle.model.states import StopReason
from lifecycle.model.world import Machine
from lifecycle.planning.attempts import Verdict, VerdictKind
from lifecycle.planning.cost import on


def idle(
    pool: Pool | None,
    machine: Machine | None,
    report: Report | None,
    attempt: Attempt | None,
    verdict: Verdict,
    drain: DrainClaim | None,
) -> str:
    """The evidence that the machine has been idle for `idle_stop`; empty when it has not, or nobody knows.

    `attempt`: the newest of its run. A machine that is being emptied for idleness stays idle: to save is to work.
    """
    limit = pool.budget.idle_stop if pool else None
    if limit is None or machine is None or report is None or not on(machine):
        return ""
    if drain is not None and drain.instance == machine.id and drain.purpose is StopReason.IDLE:
        return f"it was idle for {limit}; being saved"
    seconds, what = _for_how_long(machine, report, attempt, verdict)
    return f"{what} for {spoken(seconds)} (budget.idle_stop {limit})" if seconds >= limit else ""


def _for_how_long(machine: Machine, report: Report, attempt: Attempt | None, verdict: Verdict) -> tuple[float, str]:
    if attempt is not None and not attempt.open and report.phase is Phase.IDLE and _waits_for_ever(verdict):
        since = max(attempt.ended_at or 0.0, machine.launched_at)
        return report.at - since, f"nothing to train: {verdict.why}"
    use = report.use
    if report.phase is not Phase.TRAINING or use is None or use.idle_since is None:
        return -1.0, ""
    return report.at - use.idle_since, f"no step, {use.cpu or 0.0:.2f} cores and {use.gpu or 0.0:.0%} GPU in use"


def _waits_for_ever(verdict: Verdict) -> bool:
    return verdict.kind in (VerdictKind.NEVER, VerdictKind.ASK)

"""How a fleet's runs have ended, when they have: for `steady run` and its last lines."""

from __future__ import annotations

import msgspec

from lifecycle.model.fleet import FleetSpec
from lifecycle.model.plan import Plan
from lifecycle.model.records import Run
from lifecycle.model.states import RunState
from lifecycle.model.world import Observed
from lifecycle.planning.attempts import VerdictKind
from lifecycle.planning.presence import SAVING
from lifecycle.planning.view import NodeView, views


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """`over`: no declared run will start again by itself."""

    over: bool
    runs: tuple[Run, ...]
    failed: tuple[Run, ...]
    """Those that have not completed, and will not be tried again by themselves."""

    @property
    def sentence(self) -> str:
        """What was lost, and what would have been without the saves."""
        lost = sum(sum(run.lost.values()) for run in self.runs)
        spared = sum(run.spared for run in self.runs)
        bound = "" if all(run.lost_exact for run in self.runs) else "at least "
        without = f" Without the saves it would have been {bound}{lost + spared}." if spared else ""
        return f"Lost work: {bound}{lost} steps.{without}"


def ending(spec: FleetSpec | None, observed: Observed, now: float) -> Ending:
    """The declared runs, and whether they are all over."""
    declared = {str(name) for name in spec.nodes()} if spec else set()
    seen = [view for view in views(spec, observed, now) if view.node in declared]
    runs = {view.run.run: view.run for view in seen if view.run}
    ended = {view.run.run for view in seen if view.run and _over(view)}
    return Ending(
        over=all(_over(view) for view in seen),
        runs=tuple(runs.values()),
        failed=tuple(run for run in runs.values() if run.run in ended and run.state is not RunState.COMPLETED),
    )


def _over(view: NodeView) -> bool:
    """It has ended for good, or was stopped for the sake of money: only a person lets it go on."""
    return view.verdict.kind is VerdictKind.NEVER or view.wanted.reason in SAVING


def stuck(plan: Plan, found: Ending, observed: Observed) -> bool:
    """Whether nothing trains, and all that is left to do is refused: waiting would change nothing."""
    training = any(run.attempt is not None and run.attempt.open for run in observed.runs.values())
    return plan.settled and bool(plan.refusals) and not training and not found.over

"""How a fleet's runs have ended, when they have: for `steady run` and its last lines."""

from __future__ import annotations

import msgspec

from lifecycle.model.fleet import FleetSpec
from lifecycle.model.records import Run
from lifecycle.model.states import RunState
from lifecycle.model.world import Observed
from lifecycle.planning.attempts import VerdictKind
from lifecycle.planning.view import views


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
    ended = {view.run.run for view in seen if view.run and view.verdict.kind is VerdictKind.NEVER}
    return Ending(
        over=all(view.verdict.kind is VerdictKind.NEVER for view in seen),
        runs=tuple(runs.values()),
        failed=tuple(run for run in runs.values() if run.run in ended and run.state is not RunState.COMPLETED),
    )

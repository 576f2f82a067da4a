"""What the tests of planning read: one node's view, a plan, and which steps it takes."""

from __future__ import annotations

from typing import Any

from lifecycle.model.fleet import FleetSpec
from lifecycle.model.plan import Action, Plan, Refusal, Waiting
from lifecycle.model.world import Observed
from lifecycle.planning import planner
from lifecycle.planning.hearing import looked
from lifecycle.planning.view import NodeView, views
from tests.builders import NODE, NOW, but


def declared(observed: Observed) -> FleetSpec | None:
    """The spec to make true: that of record, nothing once the fleet is being destroyed."""
    record = observed.record
    return record.spec if record is not None and not record.destroying else None


def watched(observed: Observed, now: float) -> Observed:
    """As if our own looks had found each report since the moment it names: nobody's clock jumped."""
    heard = {report.instance: report for report in observed.reports.values()} | dict(observed.heard)
    looks = looked(but(observed, heard=heard), {}, now)
    said = {name: heard[name].at if name in heard else 0.0 for name in looks}
    found = {name: but(look, since=min(now, said[name])) for name, look in looks.items()}
    return but(observed, quiet={**found, **observed.quiet})


def planned(observed: Observed, now: float = NOW) -> Plan:
    return planner.plan(declared(observed), watched(observed, now), now)


def seen(observed: Observed, node: str = NODE, now: float = NOW) -> NodeView:
    return next(view for view in views(declared(observed), watched(observed, now), now) if view.node == node)


def action(observed: Observed, now: float = NOW) -> Action:
    """The one action of the plan."""
    (found,) = planned(observed, now).actions
    return found


def refusal(observed: Observed, now: float = NOW) -> Refusal:
    (found,) = planned(observed, now).refusals
    return found


def waiting(observed: Observed, now: float = NOW) -> Waiting:
    """The one wait of a plan that does nothing else."""
    plan = planned(observed, now)
    assert not plan.actions
    (found,) = plan.waiting
    return found


def steps(observed: Observed, now: float = NOW) -> list[str]:
    """The names of the steps of the one action."""
    return [type(step).__name__ for step in action(observed, now).steps]


def step(observed: Observed, kind: type[Any], now: float = NOW) -> Any:
    """The one step of this kind."""
    (found,) = (each for each in action(observed, now).steps if isinstance(each, kind))
    return found

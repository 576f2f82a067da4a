"""A plan kept for later: what it was made of, and whether that still holds.

It is consent, not a program: `apply` plans anew, and asks whether the result is what was agreed to. What agents
report by the second (steps, heartbeats) is left out; what decides about machines and runs is in.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from lifecycle.model.plan import Plan
from lifecycle.model.world import Observed
from lifecycle.planning import holds
from lifecycle.planning.cost import made_of
from lifecycle.planning.moments import utc

KEPT = 86400.0
"""Seconds for which a saved plan may be applied, when nothing moved."""

SKEW = 60.0
"""Seconds that the clocks of two computers may differ."""

GUARD = "stale plan"
_NAMED = 3


class SavedPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`spec` is the digest of the text, `source` where it came from; times are seconds since the epoch.

    `facts` are what was observed, a line for each thing; `actions` what was agreed to, as `KIND NODE`.
    """

    version: Literal[1]
    fleet: str
    source: str
    spec: str
    generation: int
    made_at: float
    expires_at: float
    facts: dict[str, str]
    actions: tuple[str, ...]
    summary: str


def saved(source: str, digest: str, observed: Observed, plan: Plan, summary: str, now: float) -> SavedPlan:
    return SavedPlan(
        version=1,
        fleet=plan.fleet,
        source=source,
        spec=digest,
        generation=plan.generation,
        made_at=now,
        expires_at=now + KEPT,
        facts=dict(_facts(observed)),
        actions=_agreed(plan),
        summary=summary,
    )


def moved(kept: SavedPlan, fresh: SavedPlan) -> str:
    """What is not any more as it was when the plan was saved; empty when it may be applied as agreed."""
    now = fresh.made_at
    if (kept.fleet, kept.source) != (fresh.fleet, fresh.source):
        return f"it is a plan of {kept.fleet} from {kept.source}"
    if kept.spec != fresh.spec:
        return "the spec has changed since"
    if not kept.made_at - SKEW <= now < kept.expires_at:
        return f"it is of {utc(kept.made_at)} and was to be applied by {utc(kept.expires_at)}"
    if kept.generation != fresh.generation:
        return f"it was made for generation {kept.generation}; {fresh.generation} is applied now"
    return _some(_differences(kept, fresh)) or _some(_other_actions(kept, fresh))


def _agreed(plan: Plan) -> tuple[str, ...]:
    return tuple(sorted(f"{action.kind} {action.node}" for action in (*plan.actions, *plan.late)))


def _facts(observed: Observed) -> Iterator[tuple[str, str]]:
    for machine in observed.machines or ():
        if machine.live:
            doing = "ending" if machine.ending else machine.state
            yield machine.id, f"{doing}, {made_of(machine)}, fills {machine.node}"
    for run in observed.runs.values():
        if run.attempt is not None:
            yield run.run, f"attempt {run.attempt.number} {run.attempt.outcome or 'under way'}"
    for hold in observed.holds:
        yield f"hold {hold.id}", holds.line(hold)
    for node, claim in observed.drains.items():
        yield f"drain of {node}", f"by {claim.by}"
    for instance in observed.allowances:
        yield f"allowance for {instance}", "given"
    for number, line in enumerate(observed.shared):
        yield f"shared difference {number + 1}", line


def _differences(kept: SavedPlan, fresh: SavedPlan) -> Iterator[str]:
    for name in sorted({*kept.facts, *fresh.facts}):
        was, now = kept.facts.get(name), fresh.facts.get(name)
        if was == now:
            continue
        yield f"{name} is new ({now})" if was is None else f"{name} is {now or 'gone'}, was {was}"


def _other_actions(kept: SavedPlan, fresh: SavedPlan) -> Iterator[str]:
    """The same facts at another hour, or at other prices, may ask for something else."""
    yield from (f"it would now {action} too" for action in fresh.actions if action not in kept.actions)
    yield from (f"it would not {action} any more" for action in kept.actions if action not in fresh.actions)


def _some(lines: Iterator[str]) -> str:
    found = list(lines)
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return "; ".join(found[:_NAMED]) + more

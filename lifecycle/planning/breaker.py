"""The breaker: a fleet that makes machines again and again stops making them, whatever asks for it.

How many were made is told by the creation claims: each remembers when the node's earlier ones of the hour were
written, so no controller that was killed forgets one.
"""

from __future__ import annotations

import msgspec

from lifecycle.model.plan import Action, Claim, Converge, Kind, Plan, Refusal
from lifecycle.model.records import Incarnation
from lifecycle.model.world import Observed

WITHIN = 3600.0
AT_LEAST, FOR_EACH = 10, 3
"""Machines that may be made within an hour: so many, and so many for each node if that is more."""

KEPT = 100


def recent(last: Incarnation | None, now: float) -> tuple[float, ...]:
    """When the node's claims of the last hour were written, for its next one to remember."""
    times = (*last.recent, last.claimed_at) if last else ()
    return tuple(at for at in times if abs(now - at) < WITHIN)[-KEPT:]


def launches(observed: Observed, now: float) -> int:
    """The machines of the last hour, of those that `steady unsuspend` has not forgiven."""
    newest: dict[str, Incarnation] = {}
    for (node, number), claim in observed.incarnations.items():
        if node not in newest or number > newest[node].number:
            newest[node] = claim
    since = observed.record.launches_from if observed.record else 0.0
    return sum(at > since for claim in newest.values() for at in recent(claim, now))


def held(plan: Plan, observed: Observed, nodes: int, now: float) -> Plan:
    """Refuses what would make more machines than a fleet of `nodes` may have made within an hour."""
    limit = max(AT_LEAST, FOR_EACH * nodes)
    made, kept, refused = launches(observed, now), [], []
    for action in plan.actions:
        if _makes(action) and made >= limit:
            refused.append(_refusal(action, plan.fleet, made, limit))
            continue
        made += any(isinstance(step, Converge) and step.claim is not None for step in action.steps)
        kept.append(action)
    return msgspec.structs.replace(plan, actions=tuple(kept), refusals=(*plan.refusals, *refused))


def _makes(action: Action) -> bool:
    """A machine now, or a drain on the way to one: no node is emptied for a machine that must not be made."""
    steps = action.steps
    new = any(isinstance(step, Converge) and step.claim is not None for step in steps)
    return new or (action.kind is Kind.REPLACE and any(isinstance(step, Claim) for step in steps))


def _refusal(action: Action, fleet: str, made: int, limit: int) -> Refusal:
    return Refusal(
        action=action.kind,
        node=action.node,
        guard="launches per hour",
        evidence=f"{made} machines were made within an hour; {limit} are the most for this fleet",
        override=f"steady unsuspend {fleet}",
    )

"""What a fleet's machines share (role, profile, security group): its differences are the fleet's own drift."""

from __future__ import annotations

from lifecycle.model.plan import Action, Drift, Kind, Reason, Share
from lifecycle.model.world import Observed

FIELD = "shared"
CONDITION = "SharedDrift"


def drift(observed: Observed) -> tuple[Drift, ...]:
    """One per difference that was found when it was last asked for. `reconcile` only reports them."""
    return tuple(
        Drift(node=observed.fleet, field=FIELD, desired="as the spec has it", actual=line, policy="report")
        for line in observed.shared
    )


def actions(observed: Observed, share: bool) -> tuple[Action, ...]:
    """Makes them as declared, where somebody asked for that (`apply`)."""
    if not share or not observed.shared:
        return ()
    reason = Reason(cause="spec", evidence=f"{CONDITION}: {'; '.join(observed.shared)}")
    return (Action(kind=Kind.UPDATE, node=observed.fleet, reason=reason, steps=(Share(),)),)

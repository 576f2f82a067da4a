"""What a fleet's machines share (role, profile, security group): its differences are the fleet's own drift.

What all share is put back together, by `apply` and `run` only, unless every pool says `report` of all that differs.
"""

from __future__ import annotations

from lifecycle.model.fleet import DriftPolicy, FleetSpec
from lifecycle.model.plan import Action, Drift, Kind, Reason, Share
from lifecycle.model.world import Observed

FIELD = "shared"
CONDITION = "SharedDrift"


def drift(spec: FleetSpec | None, observed: Observed) -> tuple[Drift, ...]:
    """One per difference that was found when it was last asked for. `reconcile` only reports them."""
    return tuple(
        Drift(
            node=observed.fleet, field=FIELD, desired="as the spec has it", actual=line, policy=policy(spec, line)
        )
        for line in observed.shared
    )


def actions(spec: FleetSpec | None, observed: Observed) -> tuple[Action, ...]:
    """Makes them as declared, where somebody asked for that (`apply`): then `spec` is given."""
    due = spec is not None and any(policy(spec, line) is DriftPolicy.RESTORE for line in observed.shared)
    if not due:
        return ()
    reason = Reason(cause="spec", evidence=f"{CONDITION}: {'; '.join(observed.shared)}")
    return (Action(kind=Kind.UPDATE, node=observed.fleet, reason=reason, steps=(Share(),)),)


def policy(spec: FleetSpec | None, line: str) -> DriftPolicy:
    """For one difference, as it is told: `security group nodes differs in ...`. What is missing has to be made."""
    pools = spec.pools.values() if spec else ()
    group = line.startswith("security group")
    if line.endswith(" is missing") or not (group or line.startswith(("role", "instance profile"))):
        return DriftPolicy.RESTORE
    said = {pool.drift.security_group if group else pool.drift.role for pool in pools}
    return DriftPolicy.REPORT if said == {DriftPolicy.REPORT} else DriftPolicy.RESTORE

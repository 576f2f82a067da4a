"""Which incarnations a person's `pulumi up` makes: the next one wherever the last machine cannot be it any more.

The loop raises the number in its plan; a person who types `pulumi up` may be alone. Either way only another
incarnation makes another machine: a node in `kept` is never replaced under the number it has.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lifecycle.model.fleet import FleetSpec
from lifecycle.model.records import Incarnation, Placement
from lifecycle.model.world import Observed
from lifecycle.planning.hearing import heard_at
from lifecycle.planning.placement import effective
from lifecycle.planning.view import VANISHED_AFTER


def renewed(spec: FleetSpec, observed: Observed, forms: Mapping[str, str], now: float) -> dict[str, Placement]:
    """The stored placements, raised where need be. `forms` tells per node what a machine made now would be of."""
    found = dict(observed.placements)
    for name in spec.nodes():
        stored, wanted = found.get(str(name)), effective(spec, name, found.get(str(name)))
        claim = _claim(observed, stored) if stored else None
        if wanted.present and claim is not None and _must_go(observed, claim, wanted, forms[str(name)], now):
            found[str(name)] = msgspec.structs.replace(wanted, incarnation=claim.number + 1)
    return found


def kept(observed: Observed, placements: Mapping[str, Placement]) -> frozenset[str]:
    """The nodes whose incarnation has had its machine."""
    claims = {node: _claim(observed, placement) for node, placement in placements.items()}
    return frozenset(node for node, claim in claims.items() if claim is not None and used(claim))


def used(claim: Incarnation) -> bool:
    """Whether a machine was made under this claim."""
    return claim.instance is not None or claim.ended_at is not None


def _claim(observed: Observed, placement: Placement) -> Incarnation | None:
    return observed.incarnations.get((placement.node, placement.incarnation))


def _must_go(observed: Observed, claim: Incarnation, wanted: Placement, form: str, now: float) -> bool:
    if not used(claim):
        return False
    same = (claim.market, claim.instance_type, claim.zone) == (wanted.market, wanted.instance_type, wanted.zone)
    alike = not claim.form or claim.form == form
    return not same or not alike or _over(observed, claim, now)


def _over(observed: Observed, claim: Incarnation, now: float) -> bool:
    """Ended, or missing from the list for so long that no lag of it explains that."""
    if claim.ended_at is not None:
        return True
    if any(machine.id == claim.instance for machine in observed.machines or ()):
        return False
    report = observed.report(claim.node, claim.instance)
    mine = report if report is not None and report.instance == claim.instance else None
    heard = heard_at(mine, observed.quiet.get(claim.instance or ""))
    return now - max(claim.claimed_at, heard) >= VANISHED_AFTER

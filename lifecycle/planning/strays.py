"""Strays: live machines that are provably ours and belong to no node.

Proof is the owner tag (the provider lists no others), a creation claim of ours, and age. A stray whose
agent still reports a trainer is spared: it is drained by `replace` or `destroy`, not swept.
"""

from __future__ import annotations

import msgspec

from lifecycle.model.records import Phase
from lifecycle.model.world import Machine, Observed
from lifecycle.planning import hearing
from lifecycle.planning.presence import STRAY_AGE
from lifecycle.planning.view import SILENT_AFTER


class Stray(msgspec.Struct, frozen=True, kw_only=True):
    """`spared` says why it is left alone for now; empty: it may be ended."""

    machine: Machine
    spared: str = ""


def strays(observed: Observed, now: float) -> tuple[Stray, ...]:
    """Every stray in a full list of machines; none when the list could not be read."""
    found = (machine for machine in observed.machines or () if machine.live and _belongs_nowhere(observed, machine))
    return tuple(Stray(machine=machine, spared=_spared(observed, machine, now)) for machine in found)


def _belongs_nowhere(observed: Observed, machine: Machine) -> bool:
    placement = observed.placements.get(machine.node)
    return observed.record is None or placement is None or placement.incarnation > machine.incarnation


def _spared(observed: Observed, machine: Machine, now: float) -> str:
    if (machine.node, machine.incarnation) not in observed.incarnations:
        return "no creation claim of ours names it"
    if now - machine.launched_at < STRAY_AGE:
        return "too young to judge: somebody may just be making it"
    report = observed.report(machine.node, machine.id)
    busy = report and report.instance == machine.id and report.phase is not Phase.IDLE
    if busy and hearing.speaks(observed, machine.node, machine.id, now, SILENT_AFTER):
        return "its agent still reports a trainer"
    return ""

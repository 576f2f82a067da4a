"""Who a listed machine is, and whether a list may be believed: our own records and the agents are the witnesses.

Anybody who may tag can write a node's name on another machine. The tracker is the witness: a machine that is on
record as the one made under a creation claim fills that claim's node, whatever its tags say now. One that is on
record as ended is going, however long a list that lags shows it as it was. A list that lacks most of the machines
is not believed while agents of theirs speak.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from lifecycle.model.quantities import spoken
from lifecycle.model.records import Incarnation
from lifecycle.model.world import Machine, Observed
from lifecycle.planning import hearing
from lifecycle.planning.view import SILENT_AFTER, VANISHED_AFTER


def recognised(machines: Iterable[Machine], claims: Mapping[tuple[str, int], Incarnation]) -> tuple[Machine, ...]:
    """The machines under the node and incarnation that they were made for. Their tags stay as they were found."""
    made = {claim.instance: key for key, claim in claims.items() if claim.instance}
    return tuple(_recognised(machine, made, claims) for machine in machines)


def _recognised(
    machine: Machine, made: Mapping[str, tuple[str, int]], claims: Mapping[tuple[str, int], Incarnation]
) -> Machine:
    if machine.id not in made:
        return machine
    told = claims.get((machine.node, machine.incarnation))
    if told is None or told.instance != machine.id:
        node, incarnation = made[machine.id]
        machine = msgspec.structs.replace(machine, node=node, incarnation=incarnation)
        told = claims[made[machine.id]]
    over = told.ended_at is not None and machine.live
    return msgspec.structs.replace(machine, ending=True) if over else machine


def believed(observed: Observed, now: float) -> Observed:
    """The observation; without its machines where our clock or their list cannot be true."""
    for doubt, why in (
        ("ClockWentBack", _clock_went_back(observed, now)),
        ("ListDoubtful", _lost_many(observed, now)),
    ):
        if why:
            return msgspec.structs.replace(observed, machines=None, unreadable=why, doubt=doubt)
    return observed


def _clock_went_back(observed: Observed, now: float) -> str:
    """For one tick: the record that it leaves has our time."""
    last = observed.last_tick
    if last is None or now >= last.at - SILENT_AFTER:
        return ""
    return f"the last tick, by {last.by}, was {spoken(last.at - now)} later by its clock than it is now"


def _lost_many(observed: Observed, now: float) -> str:
    """More than half of several machines are in the list no more, and agents of theirs still speak."""
    known = [claim for claim in observed.incarnations.values() if claim.instance and claim.ended_at is None]
    missing = _unlisted(observed)
    spoke = sum(_speaks(observed, claim, now) for claim in missing)
    if len(known) < 2 or 2 * len(missing) <= len(known) or not spoke:
        return ""
    listed = len(known) - len(missing)
    return f"the provider lists {listed} of {len(known)} machines, and {spoke} of the others were heard lately"


def not_gone(observed: Observed, now: float) -> frozenset[str]:
    """The machines that are listed alive, and those that are not listed at all and may yet be there."""
    listed = {machine.id for machine in observed.machines or () if machine.live}
    hidden = {each.instance for each in _unlisted(observed) if each.instance and _speaks(observed, each, now)}
    return frozenset(listed | hidden)


def _unlisted(observed: Observed) -> tuple[Incarnation, ...]:
    """The claims whose machine was seen, was not seen to end, and is in the list no more."""
    listed = {machine.id for machine in observed.machines or ()}
    claims = observed.incarnations.values()
    return tuple(c for c in claims if c.instance and c.ended_at is None and c.instance not in listed)


def _speaks(observed: Observed, claim: Incarnation, now: float) -> bool:
    young = now - claim.claimed_at <= VANISHED_AFTER
    return young or hearing.speaks(observed, claim.node, claim.instance or "", now, VANISHED_AFTER)

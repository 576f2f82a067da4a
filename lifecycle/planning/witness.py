"""Which node a listed machine fills: what its tags say, unless our own records know it as another node's.

Anybody who may tag can write a node's name on another machine. The tracker is the witness: a machine that is on
record as the one made under a creation claim fills that claim's node, whatever its tags say now. One that is on
record as ended is going, however long a list that lags shows it as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from lifecycle.model.records import Incarnation
from lifecycle.model.world import Machine


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
        machine, told = (
            msgspec.structs.replace(machine, node=node, incarnation=incarnation),
            claims[made[machine.id]],
        )
    over = told.ended_at is not None and machine.live
    return msgspec.structs.replace(machine, ending=True) if over else machine

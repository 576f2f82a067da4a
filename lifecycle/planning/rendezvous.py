"""What the ranks of a gang are told so that they find each other, and go on from the same step."""

from __future__ import annotations

from typing import TypedDict

import msgspec

from lifecycle.model.gang import Member
from lifecycle.model.records import Assignment, Attempt
from lifecycle.planning import attempts
from lifecycle.planning.gangs import port
from lifecycle.planning.view import NodeView

HERE = "127.0.0.1"


class Rendezvous(TypedDict, total=False):
    """Fields of an Assignment."""

    rank: int
    count: int
    master: str
    port: int
    nodes: tuple[str, ...]


def ranks_of(gang: tuple[NodeView, ...]) -> tuple[Member, ...]:
    """The machines in place, in order of rank."""
    return tuple(
        Member(node=view.node, incarnation=view.machine.incarnation) for view in gang if view.machine is not None
    )


def rendezvous(view: NodeView, attempt: Attempt) -> Rendezvous:
    """This rank's place in its gang, and where rank 0 is. Nothing for a run of one node."""
    if not view.gang:
        return Rendezvous()
    nodes = tuple(rank.node for rank in attempt.members)
    first = view.gang[0].machine
    return Rendezvous(
        rank=nodes.index(view.node),
        count=len(nodes),
        master=(first.address if first else "") or HERE,
        port=port(attempt.run, attempt.number),
        nodes=nodes,
    )


def ordered_to_a_peer(view: NodeView, attempt: Attempt) -> Assignment | None:
    """What another rank was ordered to do in this attempt, for this one: they go on from the same step."""
    for peer in view.gang:
        theirs = peer.order.assignment if peer.order and peer.node != view.node else None
        if theirs is not None and attempts.ordered(peer.order, attempt):
            return msgspec.structs.replace(theirs, rank=theirs.nodes.index(view.node))
    return None

"""Ticks about a gang: wherever the controller is killed, its ranks start together, from one step, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from lifecycle.model.records import Desired, Outcome
from lifecycle.model.states import Cause, InstanceState
from lifecycle.model.world import Observed
from tests.builders import NOW, a_notice, but
from tests.gang_builders import (
    GANG,
    NODES,
    a_whole,
    at_rest,
    at_work,
    ended,
    gang_rests,
    gang_trains,
    with_machine,
    with_report,
)
from tests.unit.control.doubles import DEAD, Fuse, Killed, Room

Scene = Callable[[], Observed]


def resumed() -> Observed:
    return gang_rests(receipts={GANG: (a_whole(100), a_whole(50))})


def broken() -> Observed:
    """One machine is gone without a word; the other ranks do not know yet."""
    taken = {"state": InstanceState.TERMINATED, "cause": Cause.HARDWARE, "ended_at": NOW - 1}
    return with_machine(gang_trains(), 2, **taken)


def noticed() -> Observed:
    """All ranks have saved because one is to go."""
    saved = [ended(rank, Outcome.INTERRUPTED, cause=Cause.SPOT) for rank in (0, 1)]
    last = ended(2, Outcome.INTERRUPTED, cause=Cause.SPOT)
    return with_report(gang_trains(), *saved, but(last, notice=a_notice()))


SCENES = (resumed, broken, noticed)


def outcome(room: Room) -> tuple[object, ...]:
    """What counts in the end: the machines, the attempts given out, what every rank is told."""
    orders = {node: (o.desired, o.lost_to, o.assignment) for node, o in room.seen().orders.items()}
    attempts = [(a.number, a.ranks) for a in room.tracker.past("f").attempts.get(GANG, ())]
    return room.cloud.live(), attempts, orders


def undisturbed(scene: Scene) -> tuple[int, tuple[object, ...]]:
    """How many changes the first tick makes, and what has come about after the second."""
    room, fuse = Room(), Fuse()
    room.is_as(scene())
    room.controller(fuse).tick("f")
    room.controller().tick("f")
    found = outcome(room)
    room.close()
    return fuse.passed, found


@pytest.mark.parametrize("scene", SCENES)
def test_the_ticks_after_a_killed_controller_put_everything_right(scene: Scene) -> None:
    changes, wanted = undisturbed(scene)
    for change in range(changes):
        room = Room()
        room.is_as(scene())
        with pytest.raises(Killed):
            room.controller(Fuse(change), process=DEAD).tick("f")
        for _ in range(2):
            assert room.controller().tick("f").record.errors == ()
        assert outcome(room) == wanted, f"killed before change {change}"
        room.close()


def test_ranks_are_ordered_from_one_step_whatever_receipts_are_seen_later(room: Room) -> None:
    """Killed when one rank was ordered; then the newest receipt is not to be seen for a while."""
    room.is_as(resumed())
    with suppress(Killed):
        room.controller(_until_ordered(1), process=DEAD).tick("f")
    newest = room.tracker.receipts("f", GANG, 1)[0]
    room.tracker.mark_pruned("f", newest, None)
    room.controller().tick("f")
    resumes = {order.assignment.resume for order in room.seen().orders.values() if order.assignment}
    assert resumes == {(a_whole(100),)}


def _until_ordered(ranks: int) -> Callable[[str], None]:
    seen: list[str] = []

    def before(change: str) -> None:
        if change.startswith("order") and len(seen) == ranks:
            raise Killed(change)
        seen.extend([change] if change.startswith("order") else [])

    return before


def test_a_rank_lost_before_all_were_ordered_lets_the_others_stop_and_start_anew(room: Room) -> None:
    room.is_as(resumed())
    with suppress(Killed):
        room.controller(_until_ordered(2), process=DEAD).tick("f")
    room.cloud.has(*(with_machine(gang_trains(), 0, state=InstanceState.TERMINATED).machines or ()))
    room.hears(at_work(1, attempt=2, at=NOW))
    room.hears(at_rest(2, at=NOW))
    room.controller().tick("f")
    told = room.seen().orders
    assert [told[node].desired for node in NODES[1:]] == [Desired.STOPPED, Desired.STOPPED]

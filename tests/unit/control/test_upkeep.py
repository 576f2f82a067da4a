"""Pruning the store: enough is kept, nothing that an order offers goes, and a failure is tried again."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest

from lifecycle.model.errors import LostLease
from lifecycle.model.ids import WHOLE, checkpoint_prefix
from lifecycle.model.records import Receipt
from lifecycle.model.world import Observed
from lifecycle.ports.tracker import Guard
from lifecycle.tracker import rows
from lifecycle.tracker.controller import ControllerTracker
from lifecycle.tracker.node import NodeTracker
from tests.builders import (
    NODE,
    RUN,
    a_receipt,
    a_report,
    a_run,
    a_spec,
    an_assignment,
    an_attempt,
    an_order,
    but,
    training,
)
from tests.unit.control.doubles import OVERTAKEN, UNFENCED, Fuse, Killed, Room, when


def place_of(epoch: int, step: int) -> str:
    return checkpoint_prefix("f", RUN, epoch, step, "ab12")


def saved(room: Room, *steps: int, epoch: int = 1) -> list[Receipt]:
    """Checkpoints of these steps: in the store, and receipted by the agent."""
    found = [a_receipt(step, epoch=epoch, prefix=place_of(epoch, step)) for step in steps]
    for receipt in found:
        NodeTracker(room.table, NODE).receive(receipt)
        room.store.holds(receipt.prefix)
    return found


def world(keep: int = 3, *, newest: Receipt | None = None, **changes: Any) -> Observed:
    """Node 0 trains; the newest receipt that its agent reports is `newest`."""
    spec = a_spec(checkpoint={"keep": keep})
    return training(spec, **{"reports": {NODE: a_report(receipt=newest or a_receipt(400))}, **changes})


def steps_in_store(room: Room) -> list[int]:
    return sorted({int(key.split("-s")[1][:12]) for key in room.store.objects})


def pruned(room: Room) -> list[int]:
    return [receipt.step for receipt in room.tracker.receipts("f", RUN, 99) if receipt.pruned]


# ---- what stays ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("keep", "stay"), [(3, [200, 300, 400]), (2, [300, 400]), (1, [300, 400])])
def test_the_newest_few_are_kept_and_never_fewer_than_two(room: Room, keep: int, stay: list[int]) -> None:
    saved(room, 100, 200, 300, 400)
    assert room.upkeep().tidy(world(keep), UNFENCED) == ()
    assert steps_in_store(room) == stay


def test_what_was_pruned_stays_in_the_records(room: Room) -> None:
    saved(room, 100, 200, 300, 400)
    room.upkeep().tidy(world(2), UNFENCED)
    assert [receipt.step for receipt in room.tracker.receipts("f", RUN, 99)] == [400, 300, 200, 100]
    assert pruned(room) == [200, 100]


def test_what_an_order_offers_to_resume_from_is_kept(room: Room) -> None:
    first, *_ = saved(room, 100, 200, 300, 400)
    order = an_order(assignment=an_assignment(resume=(first,)))
    room.upkeep().tidy(world(2, orders={NODE: order}), UNFENCED)
    assert steps_in_store(room) == [100, 300, 400]


def test_what_an_order_offered_goes_with_it_however_far_back(room: Room) -> None:
    first, *_ = saved(room, *range(100, 5000, 100))
    offered = {NODE: an_order(assignment=an_assignment(resume=(first,)))}
    room.upkeep().tidy(world(2, orders=offered), UNFENCED)
    assert steps_in_store(room) == [100, 4800, 4900]
    room.upkeep().tidy(world(2), UNFENCED)
    assert steps_in_store(room) == [4800, 4900]


def test_of_a_long_history_that_was_pruned_only_the_end_is_read(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *_ = saved(room, *range(100, 5000, 100))
    seen = world(3, orders={NODE: an_order(assignment=an_assignment(resume=(first,)))})
    room.upkeep().tidy(seen, UNFENCED)
    asked, upkeep = list[int](), room.upkeep()
    receipts = ControllerTracker.receipts
    monkeypatch.setattr(ControllerTracker, "receipts", lambda *a: asked.append(a[-1]) or receipts(*a))
    upkeep.tidy(seen, UNFENCED)
    assert asked == [6]


def test_though_the_last_few_are_unsound_as_many_sound_ones_stay(room: Room) -> None:
    *_, fourth, fifth, sixth = saved(room, *range(100, 700, 100))
    unsound = frozenset({fourth.digest, fifth.digest, sixth.digest})
    for _ in range(2):
        room.upkeep().tidy(world(2, rejections=unsound), UNFENCED)
    assert steps_in_store(room) == [200, 300]


def test_an_unsound_checkpoint_does_not_count_as_kept(room: Room) -> None:
    *_, last = saved(room, 100, 200, 300, 400)
    room.upkeep().tidy(world(2, rejections=frozenset({last.digest})), UNFENCED)
    assert steps_in_store(room) == [200, 300]


def test_a_run_whose_pool_is_no_longer_declared_keeps_all(room: Room) -> None:
    saved(room, 100, 200, 300, 400)
    room.upkeep().tidy(world(2, runs={RUN: a_run(pool="gone")}), UNFENCED)
    assert steps_in_store(room) == [100, 200, 300, 400]


def test_without_a_record_all_is_kept(room: Room) -> None:
    saved(room, 100, 200, 300, 400)
    room.upkeep().tidy(world(2, record=None), UNFENCED)
    assert steps_in_store(room) == [100, 200, 300, 400]


def test_another_runs_checkpoints_are_left_alone(room: Room) -> None:
    saved(room, 100, 200, 300, 400)
    room.store.holds(checkpoint_prefix("f", f"{RUN}0", 0, 1, "ab12"), manifest=False)
    room.upkeep().tidy(world(2), UNFENCED)
    assert steps_in_store(room) == [1, 300, 400]


# ---- the order of things -------------------------------------------------------------------------


def test_a_receipt_is_marked_before_its_objects_go_and_the_manifest_goes_first(room: Room) -> None:
    old, *_ = saved(room, 100, 200, 300)
    room.upkeep().tidy(world(2), UNFENCED)
    marked, manifest, data = room.changes
    assert marked.startswith(f"receipt {RUN}/000001/000000000100")
    assert (manifest, data) == (f"-object {old.prefix}/manifest.json", f"-object {old.prefix}/data/weights")


def test_an_overtaken_controller_removes_nothing(room: Room) -> None:
    saved(room, 100, 200, 300, 400)
    with pytest.raises(LostLease):
        room.upkeep().tidy(world(2), OVERTAKEN)
    assert steps_in_store(room) == [100, 200, 300, 400]


# ---- looked at once ------------------------------------------------------------------------------


def test_without_a_newer_receipt_the_store_is_not_looked_at_again(room: Room) -> None:
    upkeep = room.upkeep()
    upkeep.tidy(world(2), UNFENCED)
    room.store.away = True
    assert upkeep.tidy(world(2), UNFENCED) == ()


def test_with_a_newer_receipt_it_is(room: Room) -> None:
    upkeep = room.upkeep()
    saved(room, 100, 200)
    upkeep.tidy(world(2, newest=a_receipt(200)), UNFENCED)
    saved(room, 300)
    upkeep.tidy(world(2, newest=a_receipt(300)), UNFENCED)
    assert steps_in_store(room) == [200, 300]


def test_a_run_without_a_receipt_is_not_looked_at(room: Room) -> None:
    upkeep = room.upkeep()
    upkeep.tidy(world(2, reports={}), UNFENCED)
    room.store.away = True
    assert upkeep.tidy(world(2, reports={NODE: a_report(receipt=None)}), UNFENCED) == ()


# ---- failures ------------------------------------------------------------------------------------


def test_a_store_that_is_away_is_one_line(room: Room) -> None:
    saved(room, 100, 200, 300, 400)
    room.store.away = True
    assert room.upkeep().tidy(world(2), UNFENCED) == (f"{RUN}: pruning: the store is away",)


def test_what_could_not_be_pruned_is_tried_again(room: Room) -> None:
    saved(room, 100, 200, 300, 400)
    upkeep = room.upkeep()
    room.store.away = True
    upkeep.tidy(world(2), UNFENCED)
    room.store.away = False
    assert upkeep.tidy(world(2), UNFENCED) == ()
    assert steps_in_store(room) == [300, 400]


def test_a_store_that_goes_away_after_the_mark_is_tried_again(room: Room) -> None:
    saved(room, 100, 200, 300, 400)
    upkeep = room.upkeep(when("receipt", lambda: setattr(room.store, "away", True)))
    assert upkeep.tidy(world(2), UNFENCED) == (f"{RUN}: pruning: the store is away",)
    room.store.away = False
    upkeep.tidy(world(2), UNFENCED)
    assert (steps_in_store(room), pruned(room)) == ([300, 400], [200, 100])


def test_a_marked_receipt_that_an_order_offers_keeps_its_objects(room: Room) -> None:
    first, *_ = saved(room, 100, 200, 300, 400)
    room.tracker.mark_pruned("f", first, None)
    order = an_order(assignment=an_assignment(resume=(first,)))
    room.upkeep().tidy(world(2, orders={NODE: order}), UNFENCED)
    assert steps_in_store(room) == [100, 300, 400]


def test_a_pruning_cut_short_anywhere_is_finished_by_the_next_controller(room: Room) -> None:
    saved(room, 100, 200, 300, 400)
    for change in range(2):
        with pytest.raises(Killed):
            room.upkeep(Fuse(change)).tidy(world(2), UNFENCED)
    room.upkeep().tidy(world(2), UNFENCED)
    assert (steps_in_store(room), pruned(room)) == ([300, 400], [200, 100])


def test_a_failure_of_upkeep_is_in_the_ticks_record_and_does_not_stop_it(room: Room) -> None:
    room.is_as(world(2))
    room.store.away = True
    record = room.controller().tick("f", upkeep=True).record
    assert record.errors == (f"{RUN}: pruning: the store is away",)
    assert room.seen().last_tick == record


def test_a_tick_that_cannot_read_the_provider_prunes_nothing(room: Room) -> None:
    room.is_as(world(2))
    saved(room, 100, 200, 300, 400)
    room.cloud.away = True
    room.controller().tick("f", upkeep=True)
    assert steps_in_store(room) == [100, 200, 300, 400]


# ---- torn ones -----------------------------------------------------------------------------------


def second_attempt(**changes: Any) -> Observed:
    return world(2, runs={RUN: a_run(an_attempt(number=2))}, **changes)


def test_what_an_earlier_attempt_left_half_shipped_is_removed(room: Room) -> None:
    room.store.holds(place_of(1, 100), manifest=False)
    room.upkeep().tidy(second_attempt(), UNFENCED)
    assert room.store.objects == {}


def test_parts_of_a_gang_that_never_became_whole_go_like_anything_torn(room: Room) -> None:
    place = checkpoint_prefix("f", RUN, 1, 60, WHOLE)
    room.store.objects |= {f"{place}/parts/rank-00000-ab12.json": b"{}", f"{place}/rank-00000-ab12/data": b"w"}
    room.upkeep().tidy(second_attempt(), UNFENCED)
    assert room.store.objects == {}


def test_what_the_present_attempt_is_shipping_is_left_alone(room: Room) -> None:
    room.store.holds(place_of(2, 100), manifest=False)
    room.upkeep().tidy(second_attempt(), UNFENCED)
    assert steps_in_store(room) == [100]


def test_a_whole_checkpoint_without_a_receipt_is_left_alone(room: Room) -> None:
    room.store.holds(place_of(1, 100))
    room.upkeep().tidy(second_attempt(), UNFENCED)
    assert steps_in_store(room) == [100]


def test_objects_that_are_none_of_ours_are_left_alone(room: Room) -> None:
    room.store.objects[f"runs/f/{RUN}/notes/by-hand.txt"] = b"mine"
    room.upkeep().tidy(second_attempt(), UNFENCED)
    assert list(room.store.objects) == [f"runs/f/{RUN}/notes/by-hand.txt"]


# ---- what ends with time -------------------------------------------------------------------------


def test_leftovers_a_day_old_are_swept_once_an_hour_and_fleet(room: Room) -> None:
    upkeep = room.upkeep()
    for _ in range(2):
        upkeep.tidy(world(2), UNFENCED)
        upkeep.tidy(but(world(2), fleet="g", runs={}), Guard(rows.LEASE, "g", 0))
    assert room.store.swept == [("runs/f/", 86400.0), ("runs/g/", 86400.0)]
    room.clock.pass_by(3600.0)
    upkeep.tidy(world(2), UNFENCED)
    assert room.store.swept[2:] == [("runs/f/", 86400.0)]


def test_a_sweep_that_fails_is_one_line_and_is_tried_again_in_an_hour(room: Room) -> None:
    upkeep, quiet = room.upkeep(), world(2, reports={})
    room.store.away = True
    told = [upkeep.tidy(quiet, UNFENCED) for _ in range(2)]
    assert told == [("sweeping f: the store is away",), ()]
    room.clock.pass_by(3600.0)
    room.store.away = False
    assert (upkeep.tidy(quiet, UNFENCED), room.store.swept) == ((), [("runs/f/", 86400.0)])


def test_old_reports_are_swept_under_the_lease(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(room.table, "drop_overshadowed", lambda *what, **how: asked.append((what, how)))
    room.upkeep().tidy(world(2), UNFENCED)
    assert asked == [(("f", rows.REPORT, 86400.0), {"guard": UNFENCED})]


def test_an_overtaken_controller_sweeps_no_more(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.table, "drop_overshadowed", Mock(side_effect=LostLease.of("f")))
    with pytest.raises(LostLease):
        room.upkeep().tidy(world(2), UNFENCED)
    assert room.store.swept == []

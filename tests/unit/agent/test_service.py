"""The agent, step by step: orders, notices, drains, its own faults, and a successor at every point."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lifecycle.agent.courier import Restore
from lifecycle.model.demand import AskMode
from lifecycle.model.fleet import WithoutCheckpoint
from lifecycle.model.records import Desired, DrainOutcome, Outcome, Phase
from lifecycle.model.states import Cause
from tests.builders import NODE, NOW, RUN, a_notice, a_receipt, an_assignment
from tests.unit.agent.doubles import Killed
from tests.unit.agent.stage import HEARTBEAT, NodeStage, offered

DISK = Path("/disk/checkpoints")


@pytest.fixture
def stage(tmp_path: Path) -> NodeStage:
    return NodeStage(tmp_path)


# ---- orders ------------------------------------------------------------------------------------------


def test_an_agent_without_an_order_is_idle_and_ready(stage: NodeStage) -> None:
    stage.step()
    assert (stage.report.phase, stage.report.ready, stage.trainer.prepared) == (Phase.IDLE, True, [])


def test_an_order_is_accepted_once(stage: NodeStage) -> None:
    stage.order()
    stage.step(5)
    assert (stage.trainer.prepared, len(stage.courier.jobs)) == ([1], 1)


def test_an_order_makes_the_trainer_train(stage: NodeStage) -> None:
    stage.begins(*offered())
    assert (stage.report.phase, stage.report.attempt, stage.report.from_step) == (Phase.TRAINING, 1, 100)


def test_a_report_says_where_training_ends_by_the_trainers_word(stage: NodeStage) -> None:
    stage.trainer.says_total = 200
    stage.begins()
    assert stage.report.total == 200


def test_a_report_names_the_order_it_has_seen(stage: NodeStage) -> None:
    stage.order()
    stage.order()
    stage.step()
    assert stage.report.order_seen == 2


def test_an_order_for_another_incarnation_is_not_ours(stage: NodeStage) -> None:
    stage.order(incarnation=0)
    stage.step(2)
    assert stage.trainer.prepared == []


def test_an_attempt_that_was_had_is_not_started_again(stage: NodeStage) -> None:
    stage.begins()
    stage.trainer.exits(0)
    stage.step(6)
    assert (stage.report.phase, stage.trainer.prepared) == (Phase.IDLE, [1])


def test_the_next_attempt_is_started(stage: NodeStage) -> None:
    test_an_attempt_that_was_had_is_not_started_again(stage)
    stage.order(an_assignment(attempt=2))
    stage.step()
    assert stage.trainer.prepared == [1, 2]


def test_an_attempt_of_another_run_is_started_whatever_its_number(stage: NodeStage) -> None:
    test_an_attempt_that_was_had_is_not_started_again(stage)
    stage.order(an_assignment(run="f.t.another.0"))
    stage.step()
    assert stage.trainer.prepared == [1, 1]


def test_a_stop_order_saves_and_stops(stage: NodeStage) -> None:
    stage.begins()
    stage.order_stop()
    stage.step()
    stage.saves_and_leaves(130)
    assert (stage.ended.outcome, stage.ended.cause, stage.ended.step) == (Outcome.STOPPED, Cause.OPERATOR, 130)


def test_a_stop_order_starts_nothing(stage: NodeStage) -> None:
    stage.order_stop()
    stage.step(3)
    assert stage.trainer.prepared == []


def test_a_save_order_saves_and_trains_on(stage: NodeStage) -> None:
    stage.begins()
    stage.order_save("save-7")
    stage.step()
    assert stage.report.saving == "save-7"
    stage.trainer.saves(20)
    stage.ships()
    assert (stage.report.answered, stage.report.phase) == (("save-7",), Phase.TRAINING)


def test_a_save_order_is_asked_once(stage: NodeStage) -> None:
    test_a_save_order_saves_and_trains_on(stage)
    stage.step(3)
    assert len(stage.trainer.requests) == 1


def test_a_newer_incarnation_ends_the_older_ones_trainer(stage: NodeStage) -> None:
    stage.begins()
    stage.order(incarnation=2)
    stage.step()
    asked = stage.trainer.asked
    assert asked is not None
    assert (asked.request, asked.mode) == ("superseded", AskMode.SAVE_AND_EXIT)


def test_the_older_machine_does_not_speak_for_the_node(stage: NodeStage) -> None:
    stage.begins()
    before = stage.report
    stage.order(incarnation=2)
    stage.step(3, after=60)
    assert stage.report == before


# ---- notices -----------------------------------------------------------------------------------------


def test_a_notice_is_acted_on_without_an_order(stage: NodeStage) -> None:
    stage.begins()
    stage.notices.standing = (a_notice(Cause.SPOT),)
    stage.step()
    stage.saves_and_leaves(130)
    assert (stage.ended.outcome, stage.ended.cause) == (Outcome.INTERRUPTED, Cause.SPOT)


def test_a_notice_is_acted_on_with_the_tracker_away(stage: NodeStage) -> None:
    stage.begins()
    stage.table.away = True
    stage.notices.standing = (a_notice(Cause.SPOT, lead=100.0),)
    stage.step()
    asked = stage.trainer.asked
    assert asked is not None
    assert (asked.mode, asked.deadline) == (AskMode.SAVE_AND_EXIT, NOW + 100)


def test_what_was_saved_with_the_tracker_away_is_told_when_it_is_back(stage: NodeStage) -> None:
    test_a_notice_is_acted_on_with_the_tracker_away(stage)
    stage.saves_and_leaves(130)
    stage.table.away = False
    stage.step()
    assert (stage.receipts, stage.ended.step) == ([130], 130)


def test_a_notice_on_an_idle_machine_keeps_orders_from_starting(stage: NodeStage) -> None:
    stage.notices.standing = (a_notice(Cause.SPOT),)
    stage.order()
    stage.step(2)
    assert (stage.trainer.prepared, stage.report.notice) == ([], a_notice(Cause.SPOT))


def test_advice_makes_it_save_and_train_on(stage: NodeStage) -> None:
    stage.begins()
    stage.notices.standing = (a_notice(Cause.REBALANCE, lead=None),)
    stage.step()
    stage.trainer.saves(20)
    stage.ships()
    assert (stage.report.phase, stage.report.receipt is not None, stage.trainer.asked) == (
        Phase.TRAINING,
        True,
        None,
    )


def test_advice_is_asked_once(stage: NodeStage) -> None:
    test_advice_makes_it_save_and_train_on(stage)
    stage.step(3, after=60)
    assert len(stage.trainer.requests) == 1


def test_the_report_names_the_notice_with_the_nearest_deadline(stage: NodeStage) -> None:
    hard, harder = a_notice(Cause.MAINTENANCE, lead=900.0), a_notice(Cause.SPOT, lead=100.0)
    stage.notices.standing = (a_notice(Cause.REBALANCE, lead=None), hard, harder)
    stage.step()
    assert stage.report.notice == harder


def test_a_shutdown_is_a_notice(stage: NodeStage) -> None:
    stage.begins()
    stage.agent.shut_down(NOW + 85)
    stage.agent.shut_down(NOW + 999)
    stage.step()
    asked = stage.trainer.asked
    assert asked is not None
    assert (asked.request, asked.deadline) == ("shutdown", NOW + 85)


def test_an_agent_that_goes_down_leaves_when_all_is_saved_and_told(stage: NodeStage) -> None:
    stage.begins()
    stage.agent.shut_down(NOW + 85)
    stage.step()
    assert not stage.agent.leaving
    stage.saves_and_leaves(130)
    assert stage.agent.leaving


def test_an_agent_with_untold_receipts_does_not_leave(stage: NodeStage) -> None:
    stage.begins()
    stage.table.away = True
    stage.agent.shut_down(NOW + 85)
    stage.step()
    stage.saves_and_leaves(130)
    assert not stage.agent.leaving
    stage.table.away = False
    stage.step()
    assert stage.agent.leaving


def test_a_machine_whose_process_died_is_left_for_hardware(stage: NodeStage) -> None:
    stage.begins()
    stage.orphaned = True
    stage.step()
    stage.saves_and_leaves(130)
    assert (stage.ended.outcome, stage.ended.cause, stage.agent.leaving) == (
        Outcome.INTERRUPTED,
        Cause.HARDWARE,
        True,
    )


# ---- drains ------------------------------------------------------------------------------------------


def test_a_drain_is_answered_saved(stage: NodeStage) -> None:
    stage.begins()
    stage.claim()
    stage.step()
    stage.saves_and_leaves(130)
    drained = stage.report.drained
    assert drained is not None
    assert (drained.drain, drained.outcome, drained.step) == ("m1.manual.1", DrainOutcome.SAVED, 130)


def test_the_receipt_of_a_drain_carries_its_id(stage: NodeStage) -> None:
    test_a_drain_is_answered_saved(stage)
    drained = stage.report.drained
    assert drained is not None
    assert drained.receipt is not None
    assert drained.receipt.request == "m1.manual.1"


def test_a_drain_of_a_trainer_that_will_not_save_is_answered_forced(stage: NodeStage) -> None:
    stage.begins()
    stage.trainer.reaches(130)
    stage.claim(policy=WithoutCheckpoint.FORCE)
    for after in (0.0, 1.0, 89.0, 5.0):
        stage.step(after=after)
    stage.step(2)
    drained = stage.report.drained
    assert drained is not None
    assert (drained.outcome, drained.step, stage.trainer.kills) == (DrainOutcome.FORCED, 130, 2)


def test_a_drain_that_may_lose_nothing_is_answered_refused(stage: NodeStage) -> None:
    stage.begins()
    stage.claim(policy=WithoutCheckpoint.REFUSE)
    for after in (0.0, 1.0, 89.0):
        stage.step(after=after)
    drained = stage.report.drained
    assert drained is not None
    assert (drained.outcome, drained.detail) == (
        DrainOutcome.REFUSED,
        "asked 90s ago, no new complete checkpoint",
    )


def test_a_save_asked_for_earlier_is_no_leave_to_end_a_trainer_that_may_lose_nothing(stage: NodeStage) -> None:
    stage.begins()
    stage.order_save()
    stage.step()
    stage.trainer.saves(20)
    stage.step()
    stage.trainer.reaches(80)
    stage.claim(policy=WithoutCheckpoint.REFUSE)
    for after in (0.0, 1.0, 89.0, 5.0):
        stage.step(after=after)
    assert (stage.trainer.terminations, stage.trainer.kills) == (0, 0)


def test_a_trainer_that_saves_after_its_drain_was_called_off_has_stopped_not_completed(stage: NodeStage) -> None:
    """It had seen the ask: its exit code says nothing of the work that is left."""
    stage.begins()
    stage.claim()
    stage.step()
    stage.controller.release_drain("f", NODE, None)
    stage.step()
    stage.saves_and_leaves(60)
    assert (stage.ended.outcome, stage.ended.cause) == (Outcome.STOPPED, Cause.OPERATOR)


def test_a_trainer_that_saves_after_its_drain_was_refused_has_stopped_too(stage: NodeStage) -> None:
    test_a_drain_that_may_lose_nothing_is_answered_refused(stage)
    stage.saves_and_leaves(60)
    assert stage.ended.outcome is Outcome.STOPPED


def test_the_next_attempt_knows_nothing_of_an_ask_that_was_taken_back(stage: NodeStage) -> None:
    test_a_trainer_that_saves_after_its_drain_was_called_off_has_stopped_not_completed(stage)
    assert stage.agent.state.withdrawn is None


def test_a_refused_trainer_trains_on(stage: NodeStage) -> None:
    test_a_drain_that_may_lose_nothing_is_answered_refused(stage)
    stage.step(3, after=60)
    assert (stage.report.phase, stage.trainer.asked, stage.trainer.terminations) == (Phase.TRAINING, None, 0)


def test_a_drain_of_an_empty_machine_is_answered_empty(stage: NodeStage) -> None:
    stage.claim()
    stage.step()
    assert stage.report.drained is not None
    assert stage.report.drained.outcome is DrainOutcome.EMPTY


def test_an_empty_answer_names_what_the_last_attempt_left(stage: NodeStage) -> None:
    stage.begins()
    stage.order_stop()
    stage.step()
    stage.saves_and_leaves(130)
    stage.claim()
    stage.step()
    drained = stage.report.drained
    assert drained is not None
    assert (drained.outcome, drained.step, drained.receipt is not None) == (DrainOutcome.EMPTY, 130, True)


def test_while_a_drain_stands_nothing_starts(stage: NodeStage) -> None:
    stage.claim()
    stage.order()
    stage.step(3)
    assert stage.trainer.prepared == []


def test_when_a_drain_expires_the_order_starts(stage: NodeStage) -> None:
    test_while_a_drain_stands_nothing_starts(stage)
    stage.step(after=601)
    assert stage.trainer.prepared == [1]


def test_a_drain_called_off_lets_it_train_on(stage: NodeStage) -> None:
    stage.begins()
    stage.claim()
    stage.step()
    stage.controller.release_drain("f", "f/t/0", None)
    stage.step()
    assert (stage.trainer.asked, stage.report.phase) == (None, Phase.TRAINING)


def test_a_drain_during_the_restore_ends_the_attempt_unstarted(stage: NodeStage) -> None:
    stage.order(an_assignment(resume=offered()))
    stage.step()
    stage.claim()
    stage.step(3)
    assert (stage.ended.outcome, stage.trainer.launches) == (Outcome.STOPPED, [])


# ---- what is told ------------------------------------------------------------------------------------


def test_a_receipt_is_sent_again_until_the_tracker_takes_it(stage: NodeStage) -> None:
    stage.begins()
    stage.table.away = True
    stage.trainer.saves(20)
    stage.ships()
    stage.step(3)
    stage.table.away = False
    stage.step()
    assert (stage.receipts, stage.memory.state.unsent) == ([20], ())


def test_every_receipt_that_was_held_up_is_sent(stage: NodeStage) -> None:
    stage.begins()
    stage.table.away = True
    for step in (20, 30):
        stage.trainer.saves(step)
        stage.ships()
    stage.table.away = False
    stage.step()
    assert stage.receipts == [30, 20]


def test_a_node_is_ready_only_when_its_receipts_are_told(stage: NodeStage) -> None:
    stage.begins()
    stage.table.away = True
    stage.trainer.exits(0)
    stage.trainer.saves(20)
    stage.step(2)
    stage.courier.delivers()
    stage.step()
    assert stage.memory.state.assignment is None
    stage.table.away = False
    stage.step()
    assert (stage.receipts, stage.report.ready) == ([20], True)


def test_a_node_with_untold_receipts_says_that_it_is_not_ready(stage: NodeStage) -> None:
    stage.begins()
    stage.trainer.exits(0)
    stage.trainer.saves(20)
    stage.step(2)
    stage.courier.delivers()
    stage.table.away = True
    stage.step()
    assert not stage.agent._report(NOW).ready


def test_news_wake_the_controller_and_heartbeats_do_not(stage: NodeStage) -> None:
    stage.step()
    stage.step(3, after=HEARTBEAT)
    assert (stage.rings.count, stage.report.sequence) == (1, 2)


def test_the_end_of_an_attempt_is_in_the_journal(stage: NodeStage) -> None:
    stage.begins()
    stage.trainer.exits(1)
    stage.step(3)
    assert stage.journal == ["attempt 1 failed at step 0"]


def test_a_torn_resume_point_is_reported(stage: NodeStage) -> None:
    stage.order(an_assignment(resume=offered()))
    stage.step()
    stage.courier.delivers(rejecting=[a_receipt(100)])
    stage.step()
    assert (stage.report.rejected, stage.report.from_step) == ((a_receipt(100),), 50)


def test_the_agents_own_hurry_follows_its_phase(stage: NodeStage) -> None:
    stage.begins()
    assert stage.agent.step() == 1.0
    stage.claim()
    assert stage.agent.step() == 0.05


def test_a_result_is_recorded(stage: NodeStage) -> None:
    stage.begins()
    stage.trainer.finishes({"loss": 0.5})
    stage.trainer.exits(0)
    stage.step(3)
    assert (stage.ended.outcome, stage.ended.result) == (Outcome.COMPLETED, {"loss": 0.5})


def test_where_reading_is_paid_for_an_order_waits_for_the_next_look(stage: NodeStage) -> None:
    stage.read_every = 1.0
    stage.restart()
    stage.step()
    stage.order()
    stage.step(after=0.9)
    assert stage.trainer.prepared == []
    stage.step(after=0.1)
    assert stage.trainer.prepared == [1]


# ---- its own faults ----------------------------------------------------------------------------------


def test_a_tracker_that_was_away_is_told_when_only_writing_fails(stage: NodeStage) -> None:
    stage.table.away = True
    stage.step()
    assert [condition.type for condition in stage.agent._conditions.all()] == ["TrackerReachable"]
    stage.table.away = False
    stage.step()
    assert stage.condition("TrackerReachable") is None


def test_an_order_that_is_not_understood_is_told_and_the_last_one_stands(stage: NodeStage) -> None:
    stage.begins()
    stage.table.put("f", "order", "f/t/0", b'{"desired": "dancing"}')
    stage.step(2)
    assert stage.report.run == RUN
    told = stage.condition("TrackerReachable")
    assert told is not None
    assert told.reason == "NotUnderstood"


def test_a_tracker_that_is_away_keeps_the_last_order_standing(stage: NodeStage) -> None:
    stage.begins()
    stage.order_stop()
    stage.step()
    stage.table.away = True
    stage.step(3)
    assert stage.trainer.asked is not None


def test_a_store_that_fails_is_reported_and_retried(stage: NodeStage) -> None:
    stage.begins()
    stage.trainer.saves(20)
    stage.step()
    stage.courier.fails("the store does not answer")
    stage.step()
    assert stage.condition("StoreReachable") is not None
    stage.step(after=0.5)
    stage.courier.delivers()
    stage.step()
    assert (stage.condition("StoreReachable"), stage.receipts) == (None, [20])


def test_metadata_that_is_away_for_long_is_reported(stage: NodeStage) -> None:
    stage.notices.failing_since, stage.notices.failure = stage.clock.now(), "no answer in 1s"
    stage.step(after=10)
    assert stage.condition("MetadataReachable") is None
    stage.step(after=0.1)
    told = stage.condition("MetadataReachable")
    assert told is not None
    assert told.message == "no answer in 1s"


def test_metadata_that_answers_again_is_no_longer_reported(stage: NodeStage) -> None:
    test_metadata_that_is_away_for_long_is_reported(stage)
    stage.notices.failing_since = None
    stage.step()
    assert stage.condition("MetadataReachable") is None


def test_a_full_disk_is_reported_and_holds_the_launch_back(tmp_path: Path) -> None:
    stage = NodeStage(tmp_path / "full")
    stage.begins(*offered())
    stage.step(3)
    assert stage.trainer.launches == []
    assert stage.condition("DiskWritable") is not None


def test_a_disk_with_room_again_lets_it_start(tmp_path: Path) -> None:
    stage = NodeStage(tmp_path / "full")
    stage.begins(*offered())
    (tmp_path / "full").mkdir()
    stage.step()
    assert stage.trainer.launches == [(1, DISK / "step-000100")]
    assert stage.condition("DiskWritable") is None


# ---- a successor at every point ----------------------------------------------------------------------


def test_a_successor_before_the_restore_restores(stage: NodeStage) -> None:
    stage.order(an_assignment(resume=offered()))
    stage.step()
    stage.restart()
    stage.step()
    assert stage.courier.current == Restore(candidates=offered(), directory=DISK)


def test_a_successor_before_the_restore_books_where_it_starts(stage: NodeStage) -> None:
    test_a_successor_before_the_restore_restores(stage)
    stage.courier.delivers()
    stage.step()
    assert (stage.report.from_step, stage.trainer.prepared) == (100, [1])


def test_an_agent_killed_in_the_launch_leaves_the_resume_point_to_its_successor(stage: NodeStage) -> None:
    stage.trainer.deadly_launches = True
    with pytest.raises(Killed):
        stage.begins(*offered())
    stage.trainer.deadly_launches = False
    stage.restart()
    stage.step(2)
    assert (stage.trainer.launches[-1], stage.report.from_step) == ((1, DISK / "step-000100"), 100)


def test_an_agent_killed_in_the_launch_does_not_restore_again(stage: NodeStage) -> None:
    test_an_agent_killed_in_the_launch_leaves_the_resume_point_to_its_successor(stage)
    assert (stage.courier.jobs, stage.trainer.prepared) == ([], [1])


def test_a_successor_sees_the_trainer_that_was_launched_before_it(stage: NodeStage) -> None:
    stage.trainer.obeys_launches = False
    stage.begins(*offered())
    stage.trainer.starts(NOW + 3)
    stage.restart()
    stage.step()
    assert (stage.report.phase, stage.report.started_at, stage.report.from_step) == (Phase.TRAINING, NOW + 3, 100)


def test_a_successor_of_a_training_agent_goes_on(stage: NodeStage) -> None:
    stage.begins(*offered())
    stage.restart()
    stage.step()
    assert (stage.trainer.prepared, len(stage.trainer.launches), stage.report.from_step) == ([1], 1, 100)


def test_a_successor_in_the_middle_of_an_ask_does_not_ask_again(stage: NodeStage) -> None:
    stage.begins()
    stage.claim()
    stage.step()
    stage.step(after=1)
    stage.restart()
    stage.step(after=1)
    assert (len(stage.trainer.requests), stage.trainer.signals, stage.report.saving) == (1, 1, "m1.manual.1")


def test_a_successor_in_the_middle_of_an_ask_knows_what_was_there_before(stage: NodeStage) -> None:
    stage.begins()
    stage.trainer.saves(100)
    stage.ships()
    stage.claim()
    stage.step()
    stage.restart()
    stage.saves_and_leaves(130)
    assert (stage.ended.spared, stage.report.drained is not None) == (30, True)


def test_a_successor_in_the_middle_of_an_ask_keeps_its_patience(stage: NodeStage) -> None:
    stage.begins()
    stage.claim(policy=WithoutCheckpoint.FORCE)
    stage.step()
    stage.step(after=50)
    stage.restart()
    stage.step(after=40)
    assert stage.trainer.terminations == 1


def test_a_successor_in_the_middle_of_a_transfer_ships_again(stage: NodeStage) -> None:
    stage.begins()
    stage.trainer.saves(20)
    stage.step()
    stage.restart()
    stage.ships()
    assert stage.receipts == [20]


def test_a_successor_after_the_trainers_end_judges_it(stage: NodeStage) -> None:
    stage.begins(*offered())
    stage.trainer.exits(1)
    stage.restart()
    stage.step(3)
    assert (stage.ended.outcome, stage.ended.from_step, stage.ended.step) == (Outcome.FAILED, 100, 100)


def test_a_successor_after_the_end_tells_what_was_not_told(stage: NodeStage) -> None:
    stage.begins(*offered())
    stage.table.away = True
    stage.trainer.exits(1)
    stage.step(3)
    stage.table.away = False
    stage.restart()
    stage.step(2)
    assert (stage.ended.outcome, stage.ended.from_step, stage.trainer.prepared) == (Outcome.FAILED, 100, [1])


def test_a_successor_sends_the_receipts_that_were_not_sent(stage: NodeStage) -> None:
    stage.begins()
    stage.table.away = True
    stage.trainer.saves(20)
    stage.ships()
    stage.table.away = False
    stage.restart()
    stage.step()
    assert stage.receipts == [20]


def test_a_successor_does_not_put_a_refused_drain_again(stage: NodeStage) -> None:
    test_a_drain_that_may_lose_nothing_is_answered_refused(stage)
    stage.restart()
    stage.step(3)
    assert (len(stage.trainer.requests), stage.trainer.asked) == (1, None)


def test_a_trainer_is_adopted_when_the_memory_is_lost(stage: NodeStage) -> None:
    stage.begins(*offered())
    (stage.disk / "agent.json").unlink()
    stage.restart()
    stage.step(2)
    assert (stage.trainer.prepared, len(stage.trainer.launches), stage.report.phase) == ([1], 1, Phase.TRAINING)


def test_a_trainer_is_adopted_when_the_memory_is_garbage(stage: NodeStage) -> None:
    stage.begins(*offered())
    (stage.disk / "agent.json").write_bytes(b'{"restored": "perhaps"')
    stage.restart()
    stage.step(2)
    assert (stage.trainer.prepared, stage.report.phase) == ([1], Phase.TRAINING)


def test_an_adopted_trainers_checkpoints_are_shipped_anew(stage: NodeStage) -> None:
    stage.begins()
    stage.trainer.saves(20)
    stage.ships()
    (stage.disk / "agent.json").unlink()
    stage.restart()
    stage.step(2)
    assert stage.courier.shipping == [20]


def test_an_agent_on_a_vanished_disk_does_not_raise(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    stage = NodeStage(tmp_path / "disk")
    stage.begins()
    shutil.rmtree(tmp_path / "disk")
    stage.trainer.saves(20)
    stage.ships()
    assert (stage.receipts, stage.condition("DiskWritable") is not None) == ([20], True)


def test_an_order_that_has_changed_meanwhile_does_not_disturb_the_attempt_under_way(stage: NodeStage) -> None:
    stage.begins()
    stage.order(an_assignment(attempt=2), desired=Desired.TRAINING)
    stage.step(2)
    assert (stage.report.attempt, stage.trainer.asked, stage.report.run) == (1, None, RUN)


def test_a_directory_that_cannot_be_prepared_is_reported_until_it_can(stage: NodeStage) -> None:
    stage.trainer.fault = OSError(28, "No space left on device", "/disk/runs")
    stage.order()
    stage.step(2)
    told = stage.condition("DiskWritable")
    assert told is not None
    assert (told.reason, told.message) == ("PrepareFailed", "/disk/runs: No space left on device")
    stage.trainer.fault = None
    stage.step()
    assert (stage.condition("DiskWritable"), stage.trainer.prepared) == (None, [1])


def test_an_ask_that_cannot_be_written_is_reported_until_it_can(stage: NodeStage) -> None:
    stage.begins()
    stage.trainer.fault = OSError(28, "No space left on device", "/disk/runs")
    stage.claim()
    stage.step(2)
    told = stage.condition("DiskWritable")
    assert told is not None
    assert told.reason == "AskFailed"
    stage.trainer.fault = None
    stage.step()
    assert (stage.condition("DiskWritable"), stage.report.saving) == (None, "m1.manual.1")

"""One attempt in the agent's hands: restored, started, asked, shipped, pruned, judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifecycle.agent.courier import Restore, Ship
from lifecycle.agent.pace import STORE_RETRY
from lifecycle.model.demand import AskMode
from lifecycle.model.fleet import WithoutCheckpoint
from lifecycle.model.records import Outcome, Phase
from lifecycle.model.states import Cause
from lifecycle.ports.trainer import LocalCheckpoint
from tests.builders import NOW, a_receipt, an_assignment
from tests.unit.agent.stage import Hands, a_demand, offered

DISK = Path("/disk/checkpoints")
FULL = OSError(28, "No space left on device", "/disk/runs")


@pytest.fixture
def hands(tmp_path: Path) -> Hands:
    return Hands(tmp_path)


# ---- beginning ---------------------------------------------------------------------------------------


def test_an_accepted_attempt_is_prepared_and_its_resume_points_are_asked_for(hands: Hands) -> None:
    hands.accepts(*offered())
    assert hands.trainer.prepared == [1]
    assert hands.courier.current == Restore(candidates=offered(), directory=DISK)


def test_nothing_is_launched_before_the_restore_is_done(hands: Hands) -> None:
    hands.accepts(*offered())
    hands.look(times=3)
    assert (hands.trainer.launches, hands.keeper.phase) == ([], Phase.RESTORING)


def test_the_trainer_starts_from_the_newest_sound_receipt(hands: Hands) -> None:
    hands.begins(*offered())
    assert hands.trainer.launches == [(1, DISK / "step-000100")]


def test_without_resume_points_it_starts_from_the_beginning(hands: Hands) -> None:
    hands.begins()
    assert (hands.trainer.launches, hands.state.from_step) == ([(1, None)], 0)


def test_a_torn_resume_point_is_passed_over(hands: Hands) -> None:
    hands.accepts(*offered())
    hands.courier.delivers(rejecting=[a_receipt(100)])
    hands.look()
    assert (hands.trainer.launches, hands.state.from_step) == ([(1, DISK / "step-000050")], 50)


def test_a_torn_resume_point_is_reported(hands: Hands) -> None:
    hands.accepts(*offered())
    hands.courier.delivers(rejecting=[a_receipt(100)])
    hands.look()
    told = hands.told("CheckpointSound")
    assert hands.state.rejected == (a_receipt(100),)
    assert told is not None
    assert told.message == "checkpoints at step 100 are torn or altered"


def test_the_same_torn_resume_point_is_reported_once(hands: Hands) -> None:
    for attempt in (1, 2):
        hands.accepts(*offered(), attempt=attempt)
        hands.courier.delivers(rejecting=offered())
        hands.look()
    assert hands.state.rejected == offered()


def test_with_no_sound_resume_point_the_attempt_fails_for_hardware(hands: Hands) -> None:
    hands.accepts(*offered())
    hands.courier.delivers(rejecting=offered())
    hands.look()
    assert (hands.ended.outcome, hands.ended.cause) == (Outcome.FAILED, Cause.HARDWARE)


def test_with_no_sound_resume_point_nothing_is_launched(hands: Hands) -> None:
    hands.accepts(*offered())
    hands.courier.delivers(rejecting=offered())
    hands.look()
    assert hands.trainer.launches == []


def test_nothing_newer_than_the_resume_point_stays_on_the_disk(hands: Hands) -> None:
    for step in (50, 100, 130):
        hands.trainer.saves(step)
    hands.begins(*offered())
    assert hands.trainer.names == ["step-000050", "step-000100"]


def test_a_namesake_of_the_same_step_does_not_stay_either(hands: Hands) -> None:
    hands.trainer.saves(100)
    hands.trainer._present.append(LocalCheckpoint(100, "zz_100", "zz"))
    hands.begins(*offered())
    assert hands.trainer.names == ["step-000100"]


def test_an_attempt_from_the_beginning_finds_no_checkpoint_at_all(hands: Hands) -> None:
    hands.trainer.saves(0)
    hands.trainer.saves(50)
    hands.begins()
    assert hands.trainer.names == []


def test_what_was_restored_is_not_shipped_again(hands: Hands) -> None:
    hands.trainer.saves(100)
    hands.begins(*offered())
    hands.look(times=2)
    assert hands.courier.shipping == []


def test_a_directory_that_cannot_be_prepared_is_a_fault_and_no_attempt(hands: Hands) -> None:
    hands.trainer.fault = FULL
    hands.accepts()
    assert hands.state.assignment is None
    assert hands.keeper.fault == ("PrepareFailed", "/disk/runs: No space left on device")


def test_a_failed_restore_is_tried_again_later(hands: Hands) -> None:
    hands.accepts(*offered())
    hands.courier.fails()
    hands.look()
    assert hands.courier.current is None
    hands.look(after=STORE_RETRY[0])
    assert isinstance(hands.courier.current, Restore)


def test_a_stop_before_the_restore_is_done_ends_the_attempt_there(hands: Hands) -> None:
    hands.accepts(*offered())
    hands.look(a_demand(), times=2)
    assert (hands.courier.cancelled, hands.ended.outcome, hands.trainer.launches) == (1, Outcome.STOPPED, [])


def test_advice_before_the_restore_is_done_ends_nothing(hands: Hands) -> None:
    hands.accepts(*offered())
    hands.look(a_demand(AskMode.SAVE), times=2)
    assert (hands.courier.cancelled, hands.state.ended) == (0, None)


def test_a_trainer_that_was_launched_is_waited_for_then_asked(hands: Hands) -> None:
    hands.trainer.obeys_launches = False
    hands.begins()
    hands.look(a_demand())
    hands.trainer.starts()
    hands.look(a_demand())
    assert [request.request for request in hands.trainer.requests] == ["r1"]


def test_a_launched_trainer_is_not_waited_for_when_the_machine_has_died(hands: Hands) -> None:
    hands.trainer.obeys_launches = False
    hands.begins()
    hands.look(a_demand(request="orphaned", cause=Cause.HARDWARE))
    assert (hands.ended.outcome, hands.ended.cause) == (Outcome.STOPPED, Cause.HARDWARE)


# ---- shipping ----------------------------------------------------------------------------------------


def test_the_newest_complete_checkpoint_is_shipped(hands: Hands) -> None:
    hands.begins()
    hands.trainer.saves(10)
    hands.trainer.saves(20)
    hands.look()
    assert hands.courier.shipping == [20]


def test_what_is_shipped_is_remembered_with_its_receipt(hands: Hands) -> None:
    hands.begins()
    hands.trainer.saves(20)
    hands.ships()
    assert hands.state.receipt is not None
    assert (hands.state.receipt.step, [receipt.step for receipt in hands.state.unsent]) == (20, [20])


def test_a_shipped_checkpoint_is_not_shipped_again(hands: Hands) -> None:
    hands.begins()
    hands.trainer.saves(20)
    hands.ships()
    hands.look(times=3)
    assert hands.courier.shipping == [20]


def test_the_same_step_saved_anew_is_shipped_again(hands: Hands) -> None:
    hands.begins()
    hands.trainer.saves(20, signature="first")
    hands.ships()
    hands.trainer.saves(20, signature="second")
    hands.look()
    assert hands.courier.shipping == [20, 20]


def test_a_routine_transfer_is_not_pushed_aside_by_a_newer_checkpoint(hands: Hands) -> None:
    hands.begins()
    hands.trainer.saves(10)
    hands.look()
    hands.trainer.saves(20)
    hands.look()
    assert (hands.courier.cancelled, hands.courier.shipping) == (0, [10])


def test_an_asked_for_checkpoint_pushes_aside_an_older_transfer(hands: Hands) -> None:
    hands.begins()
    hands.trainer.saves(10)
    hands.look()
    hands.look(a_demand())
    hands.trainer.saves(20)
    hands.look(a_demand(), times=2)
    assert (hands.courier.cancelled, hands.courier.shipping) == (1, [10, 20])


def test_a_transfer_pushed_aside_is_no_fault_of_the_store(hands: Hands) -> None:
    test_an_asked_for_checkpoint_pushes_aside_an_older_transfer(hands)
    assert hands.told("StoreReachable") is None


def test_the_transfer_of_the_newest_is_not_pushed_aside(hands: Hands) -> None:
    hands.begins()
    hands.trainer.saves(10)
    hands.look(times=2)
    hands.look(a_demand(), times=2)
    assert hands.courier.cancelled == 0


def test_only_the_answer_to_an_ask_carries_its_request(hands: Hands) -> None:
    hands.begins()
    hands.trainer.saves(10)
    hands.look(a_demand())
    hands.courier.delivers()
    hands.trainer.saves(20)
    hands.look(a_demand())
    assert [job.request for job in hands.courier.jobs if isinstance(job, Ship)] == [None, "r1"]


def test_an_unsound_checkpoint_is_left_alone_and_told(hands: Hands) -> None:
    hands.begins()
    hands.trainer.saves(20)
    hands.look()
    hands.courier.fails("it changed while it was read", unsound=True)
    hands.look(times=3)
    told = hands.told("CheckpointSound")
    assert hands.courier.shipping == [20]
    assert told is not None
    assert told.message == "step-000020: it changed while it was read"


def test_a_sound_checkpoint_ends_the_condition_of_an_unsound_one(hands: Hands) -> None:
    hands.begins()
    hands.trainer.saves(20)
    hands.look()
    hands.courier.fails("it changed while it was read", unsound=True)
    hands.trainer.saves(40)
    hands.look(times=2)
    hands.courier.delivers()
    hands.look()
    assert hands.told("CheckpointSound") is None


def test_an_unsound_checkpoint_that_is_put_there_anew_has_another_chance(hands: Hands) -> None:
    hands.begins()
    hands.trainer.saves(20)
    hands.look()
    hands.courier.fails(unsound=True)
    hands.look()
    hands.trainer.saves(20, signature="anew")
    hands.look()
    assert hands.courier.shipping == [20, 20]


@pytest.mark.parametrize(("failures", "wait"), list(enumerate((*STORE_RETRY, STORE_RETRY[-1]))))
def test_a_store_that_fails_is_tried_again_after_longer_and_longer_waits(
    hands: Hands, failures: int, wait: float
) -> None:
    hands.begins()
    hands.trainer.saves(20)
    for _ in range(failures + 1):
        hands.look(after=60)
        hands.courier.fails()
        hands.look()
    hands.look(after=wait - 0.01)
    assert hands.courier.current is None
    hands.look(after=0.02)
    assert hands.courier.current is not None


def test_a_store_that_fails_is_a_condition_until_it_answers(hands: Hands) -> None:
    hands.begins()
    hands.trainer.saves(20)
    hands.look()
    hands.courier.fails("the store does not answer")
    hands.look()
    told = hands.told("StoreReachable")
    assert told is not None
    assert told.message == "the store does not answer"
    hands.look(after=STORE_RETRY[0])
    hands.courier.delivers()
    hands.look()
    assert hands.told("StoreReachable") is None


def test_after_a_success_the_first_wait_is_short_again(hands: Hands) -> None:
    hands.begins()
    for step in (10, 20):
        hands.trainer.saves(step)
        hands.look(after=60)
        hands.courier.fails()
        hands.look()
        hands.look(after=STORE_RETRY[0])
        hands.courier.delivers()
        hands.look()
    assert hands.courier.shipping == [10, 10, 20, 20]


def test_the_disk_keeps_the_newest_few(hands: Hands) -> None:
    hands.begins(keep=3)
    for step in (10, 20, 30, 40, 50):
        hands.trainer.saves(step)
        hands.ships()
    assert hands.trainer.names == ["step-000030", "step-000040", "step-000050"]


def test_the_disk_keeps_two_even_when_one_was_declared(hands: Hands) -> None:
    hands.begins(keep=1)
    for step in (10, 20, 30):
        hands.trainer.saves(step)
        hands.ships()
    assert hands.trainer.names == ["step-000020", "step-000030"]


def test_what_was_never_shipped_is_never_pruned(hands: Hands) -> None:
    hands.begins(keep=2)
    for step in (10, 20, 30, 40):
        hands.trainer.saves(step)
    hands.ships()
    assert hands.trainer.discarded == []


def test_pruned_checkpoints_are_forgotten(hands: Hands) -> None:
    hands.begins(keep=2)
    for step in (10, 20, 30):
        hands.trainer.saves(step)
        hands.ships()
    assert [name for name, _ in hands.state.shipped] == ["step-000020", "step-000030"]


def test_the_bytes_on_their_way_are_told_of_a_checkpoint_only(hands: Hands) -> None:
    hands.accepts(*offered())
    assert hands.keeper.shipping is None
    hands.courier.delivers()
    hands.look()
    hands.trainer.saves(130)
    hands.look()
    assert hands.keeper.shipping == 0


# ---- asking ------------------------------------------------------------------------------------------


def test_the_file_is_put_at_once_and_once(hands: Hands) -> None:
    hands.begins()
    hands.look(a_demand(), times=3)
    assert [request.request for request in hands.trainer.requests] == ["r1"]


def test_the_ranks_are_signalled_a_second_later(hands: Hands) -> None:
    hands.begins()
    hands.look(a_demand())
    hands.look(a_demand(), after=0.9)
    assert hands.trainer.signals == 0
    hands.look(a_demand(), after=0.1, times=3)
    assert hands.trainer.signals == 1


def test_ranks_that_are_not_ready_for_a_signal_are_waited_for(hands: Hands) -> None:
    hands.begins()
    hands.trainer.catches = False
    hands.look(a_demand())
    hands.look(a_demand(), after=5)
    assert hands.trainer.signals == 0
    hands.trainer.catches = True
    hands.look(a_demand(), after=1, times=3)
    assert hands.trainer.signals == 1


def test_after_ten_seconds_those_ranks_are_signalled_that_are_ready(hands: Hands) -> None:
    hands.begins()
    hands.trainer.catches = False
    hands.look(a_demand())
    hands.look(a_demand(), after=10)
    assert hands.trainer.signals == 1


def test_one_that_catches_no_signal_is_refused_at_the_end_of_its_grace(hands: Hands) -> None:
    hands.begins()
    hands.trainer.deaf = True
    asked = a_demand(policy=WithoutCheckpoint.REFUSE)
    hands.look(asked)
    hands.look(asked, after=89)
    assert not hands.state.refused
    hands.look(asked, after=1)
    assert hands.state.refused == ("r1",)


def test_a_trainer_with_the_helper_is_not_signalled(hands: Hands) -> None:
    hands.begins()
    hands.trainer.helper = True
    hands.look(a_demand())
    hands.look(a_demand(), after=60)
    assert hands.trainer.signals == 0


def test_at_the_end_of_its_grace_it_is_terminated_and_five_seconds_later_killed(hands: Hands) -> None:
    hands.begins()
    hands.look(a_demand())
    hands.look(a_demand(), after=1)
    hands.look(a_demand(), after=89)
    assert (hands.trainer.terminations, hands.trainer.kills) == (1, 0)
    hands.look(a_demand(), after=4.9)
    assert hands.trainer.kills == 0
    hands.look(a_demand(), after=0.1)
    assert (hands.trainer.terminations, hands.trainer.kills) == (1, 1)


def test_what_was_killed_is_booked_as_forced(hands: Hands) -> None:
    hands.begins()
    hands.trainer.reaches(130)
    for after in (0.0, 1.0, 89.0, 5.0):
        hands.look(a_demand(), after=after)
    hands.look(times=2)
    assert (hands.ended.forced, hands.ended.step, hands.ended.cause) == (True, 130, Cause.OPERATOR)


def test_nobody_is_killed_under_a_providers_deadline(hands: Hands) -> None:
    hands.begins()
    for _ in range(5):
        hands.look(a_demand(deadline=NOW + 30, grace=5.0), after=60)
    assert (hands.trainer.terminations, hands.trainer.kills) == (0, 0)


def test_a_demand_taken_back_is_withdrawn(hands: Hands) -> None:
    hands.begins()
    hands.look(a_demand())
    hands.look(None)
    assert (hands.trainer.asked, hands.state.ask, hands.keeper.phase) == (None, None, Phase.TRAINING)


def test_a_demand_is_not_taken_back_once_the_trainer_is_terminated(hands: Hands) -> None:
    hands.begins()
    for after in (0.0, 1.0, 89.0):
        hands.look(a_demand(), after=after)
    hands.look(None, after=5)
    assert hands.trainer.kills == 1


def test_a_stricter_demand_is_put_anew_without_starting_over(hands: Hands) -> None:
    hands.begins()
    hands.look(a_demand())
    hands.look(a_demand(request="spot-1", deadline=NOW + 60), after=5)
    assert hands.state.ask is not None
    assert (hands.trainer.requests[-1].request, hands.state.ask.asked_at) == ("spot-1", NOW)


def test_an_ask_that_cannot_be_written_is_tried_again(hands: Hands) -> None:
    hands.begins()
    hands.trainer.fault = FULL
    hands.look(a_demand())
    assert (hands.state.ask, hands.keeper.fault[0]) == (None, "AskFailed")
    hands.trainer.fault = None
    hands.look(a_demand())
    assert [request.request for request in hands.trainer.requests] == ["r1"]


def test_a_refusing_trainer_trains_on_and_the_drain_is_answered(hands: Hands) -> None:
    hands.begins()
    drain = a_demand(request="d1", drain="d1", policy=WithoutCheckpoint.REFUSE)
    for after in (0.0, 1.0, 89.0):
        hands.look(drain, after=after)
    assert hands.state.drained is not None
    assert (hands.state.refused, hands.state.drained.outcome) == (("d1",), "refused")
    assert (hands.trainer.asked, hands.trainer.terminations) == (None, 0)


def test_a_save_without_exit_is_answered_when_it_is_shipped(hands: Hands) -> None:
    hands.begins()
    hands.look(a_demand(AskMode.SAVE))
    hands.trainer.saves(20)
    hands.look(a_demand(AskMode.SAVE))
    assert not hands.state.answered
    hands.courier.delivers()
    hands.look(a_demand(AskMode.SAVE))
    assert hands.state.answered == ("r1",)
    assert (hands.trainer.asked, hands.trainer.signals) == (None, 0)


def test_a_save_that_never_came_is_given_up_and_told(hands: Hands) -> None:
    hands.begins()
    hands.look(a_demand(AskMode.SAVE))
    hands.look(a_demand(AskMode.SAVE), after=90)
    told = hands.told("SaveAnswered")
    assert hands.state.answered == ("r1",)
    assert told is not None
    assert told.message == "lunch: no save came"


def test_the_next_save_that_comes_clears_it(hands: Hands) -> None:
    test_a_save_that_never_came_is_given_up_and_told(hands)
    hands.look(a_demand(AskMode.SAVE, request="r2"))
    hands.trainer.saves(20)
    hands.look(a_demand(AskMode.SAVE, request="r2"))
    hands.courier.delivers()
    hands.look(a_demand(AskMode.SAVE, request="r2"))
    assert hands.told("SaveAnswered") is None


# ---- the end -----------------------------------------------------------------------------------------


def test_nothing_of_an_ended_trainer_stays(hands: Hands) -> None:
    hands.begins()
    hands.trainer.exits(1)
    hands.look(times=3)
    assert hands.trainer.kills == 1


def test_what_it_wrote_last_is_shipped_before_it_is_judged(hands: Hands) -> None:
    hands.begins()
    hands.trainer.saves(20)
    hands.trainer.exits(1)
    hands.look(times=3)
    assert (hands.state.ended, hands.courier.shipping, hands.keeper.phase) == (None, [20], Phase.SHIPPING)


def test_what_a_worker_saved_after_its_trainers_end_is_shipped_too(hands: Hands) -> None:
    hands.begins()
    hands.trainer.saves_when_killed = 30
    hands.trainer.exits(1)
    hands.look(times=3)
    assert (hands.state.ended, hands.courier.shipping) == (None, [30])


def test_an_end_is_judged_with_its_last_receipt(hands: Hands) -> None:
    hands.begins()
    hands.trainer.saves(20)
    hands.trainer.exits(1)
    hands.look(times=2)
    hands.courier.delivers()
    hands.look()
    assert hands.ended.receipt is not None
    assert (hands.ended.receipt.step, hands.ended.outcome) == (20, Outcome.FAILED)


def test_a_trainer_that_died_by_itself_is_told_with_its_last_line(hands: Hands) -> None:
    hands.begins()
    hands.trainer.exits(1, last_words="ValueError: no data")
    hands.look(times=2)
    assert hands.ended.detail == "exit code 1; last line: ValueError: no data"


def test_a_trainer_whose_end_nobody_saw_was_interrupted(hands: Hands) -> None:
    hands.begins()
    hands.trainer.exits(None)
    hands.look(times=2)
    assert (hands.ended.outcome, hands.ended.cause) == (Outcome.INTERRUPTED, Cause.HARDWARE)


def test_an_exit_during_a_shutdown_is_never_completed(hands: Hands) -> None:
    hands.begins()
    hands.trainer.exits(0)
    hands.look(times=2, shutdown_at=NOW + 85)
    assert hands.ended.outcome is Outcome.INTERRUPTED


def test_the_result_file_is_recorded(hands: Hands) -> None:
    hands.begins()
    hands.trainer.finishes({"loss": 0.5})
    hands.trainer.exits(0)
    hands.look(times=2)
    assert (hands.ended.outcome, hands.ended.result) == (Outcome.COMPLETED, {"loss": 0.5})


def test_after_the_end_nothing_is_under_way(hands: Hands) -> None:
    hands.begins()
    hands.trainer.exits(0)
    hands.look(times=2)
    assert (hands.state.assignment, hands.keeper.phase, hands.keeper.pid) == (None, Phase.IDLE, None)


def test_how_far_it_is_is_its_own_word(hands: Hands) -> None:
    hands.begins(*offered())
    assert hands.keeper.step == 100
    hands.trainer.reaches(117)
    hands.look()
    assert hands.keeper.step == 117


# ---- a successor -------------------------------------------------------------------------------------


def test_a_trainer_that_nobody_remembers_is_taken_as_it_is(hands: Hands) -> None:
    hands.trainer.starts()
    hands.accepts(*offered())
    hands.look()
    assert (hands.trainer.prepared, hands.trainer.launches, hands.courier.jobs) == ([], [], [])
    assert hands.keeper.phase is Phase.TRAINING


def test_nothing_is_launched_until_the_resume_point_is_written_down(tmp_path: Path) -> None:
    hands = Hands(tmp_path / "missing")
    hands.accepts(*offered())
    hands.courier.delivers()
    hands.look(times=3)
    assert hands.trainer.launches == []
    (tmp_path / "missing").mkdir()
    hands.look()
    assert hands.trainer.launches == [(1, DISK / "step-000100")]


def test_the_resume_point_is_on_the_disk_before_the_launch(hands: Hands, tmp_path: Path) -> None:
    hands.trainer.obeys_launches = False
    hands.begins(*offered())
    again = Hands(tmp_path)
    assert again.state.assignment == an_assignment(resume=offered())
    assert (again.state.restored, again.state.resumed, again.state.from_step) == (True, "step-000100", 100)

"""The steps between an ask and its end: asked, signalled, proven, escalated; each from facts alone."""

from __future__ import annotations

from typing import Any

import pytest

from lifecycle.model.demand import AskMode, Demand
from lifecycle.model.fleet import WithoutCheckpoint
from lifecycle.model.node import Ask
from lifecycle.model.states import Cause
from lifecycle.planning import drain
from lifecycle.planning.drain import Move, Trainee
from lifecycle.ports.trainer import LocalCheckpoint
from tests.builders import NOW, but

EXIT, SAVE = AskMode.SAVE_AND_EXIT, AskMode.SAVE
OLD = LocalCheckpoint(100, "step-000100", "s100")
NEW = LocalCheckpoint(130, "step-000130", "s130")


def a_demand(mode: AskMode = EXIT, **changes: Any) -> Demand:
    fields = {"request": "r1", "cause": Cause.OPERATOR, "reason": "lunch", "grace": 90.0}
    return Demand(mode=mode, **{**fields, **changes})


def a_trainee(*checkpoints: LocalCheckpoint, **changes: Any) -> Trainee:
    return Trainee(**{"alive": True, "checkpoints": checkpoints, **changes})


def an_ask(mode: AskMode = EXIT, *, demand: dict[str, Any] | None = None, **changes: Any) -> Ask:
    """Put at NOW, when only the checkpoint of step 100 was there; the ranks were signalled."""
    fields = {"asked_at": NOW, "baseline": (("step-000100", "s100"),), "before": 100, "signalled": True}
    return Ask(demand=a_demand(mode, **(demand or {})), **{**fields, **changes})


def moved(ask: Ask, trainee: Trainee, after: float) -> Move:
    return drain.next_move(ask, trainee, NOW + after)


def test_an_ask_remembers_what_was_there_before_it() -> None:
    ask = drain.begin(a_demand(), a_trainee(OLD, NEW), NOW)
    assert (ask.baseline, ask.before) == ((("step-000100", "s100"), ("step-000130", "s130")), 130)


def test_an_ask_of_a_trainer_without_checkpoints_remembers_that() -> None:
    ask = drain.begin(a_demand(), a_trainee(), NOW)
    assert (ask.baseline, ask.before) == ((), None)


def test_who_has_begun_to_save_keeps_its_baseline_under_a_stricter_demand() -> None:
    tightened = drain.tightened(an_ask(EXIT), a_demand(EXIT, deadline=NOW + 9), a_trainee(OLD, NEW), NOW + 5)
    assert (tightened.asked_at, tightened.before, tightened.signalled) == (NOW, 100, True)


def test_a_save_that_becomes_a_stop_has_its_whole_grace_again() -> None:
    tightened = drain.tightened(an_ask(SAVE), a_demand(EXIT), a_trainee(OLD), NOW + 5)
    assert (tightened.asked_at, tightened.signalled) == (NOW + 5, False)


def test_a_save_that_was_complete_before_the_stop_proves_nothing_for_it() -> None:
    tightened = drain.tightened(an_ask(SAVE), a_demand(EXIT), a_trainee(OLD, NEW), NOW + 5)
    assert drain.proof(tightened, a_trainee(OLD, NEW)) is None


def test_a_save_that_was_under_way_at_the_stop_proves_it() -> None:
    tightened = drain.tightened(an_ask(SAVE), a_demand(EXIT), a_trainee(OLD), NOW + 5)
    assert drain.proof(tightened, a_trainee(OLD, NEW)) == NEW


@pytest.mark.parametrize(("written", "proves"), [(NOW - 0.1, False), (NOW, True), (NOW + 5, True)])
def test_what_was_written_before_the_ask_proves_nothing_though_it_counts_only_now(
    written: float, proves: bool
) -> None:
    found = LocalCheckpoint(130, "checkpoint-130", "c130", written)
    assert (drain.proof(an_ask(), a_trainee(OLD, found)) is not None) is proves


def test_the_words_name_the_deadline_of_the_provider() -> None:
    assert drain.words(an_ask(demand={"deadline": NOW + 30})).deadline == NOW + 30


def test_the_words_name_the_end_of_the_patience_otherwise() -> None:
    assert drain.words(an_ask(demand={"grace": 20.0})).deadline == NOW + 20


def test_the_words_name_no_deadline_when_there_is_none() -> None:
    assert drain.words(an_ask(demand={"grace": 0.0})).deadline is None


def test_the_words_name_request_mode_and_reason() -> None:
    words = drain.words(an_ask(SAVE))
    assert (words.request, words.mode, words.reason) == ("r1", "save", "lunch")


def test_a_checkpoint_that_was_there_before_proves_nothing() -> None:
    assert drain.proof(an_ask(), a_trainee(OLD)) is None


def test_a_new_checkpoint_proves_the_save() -> None:
    assert drain.proof(an_ask(), a_trainee(OLD, NEW)) == NEW


def test_the_same_step_put_there_anew_proves_the_save() -> None:
    again = but(OLD, signature="another")
    assert drain.proof(an_ask(), a_trainee(again)) == again


def test_the_newest_of_several_new_ones_is_the_proof() -> None:
    newer = LocalCheckpoint(140, "step-000140", "s140")
    assert drain.proof(an_ask(), a_trainee(OLD, NEW, newer)) == newer


@pytest.mark.parametrize(("progress", "proven"), [(100, True), (99, True), (101, False), (None, False)])
def test_after_the_end_a_checkpoint_that_covers_the_progress_is_proof(progress: int | None, proven: bool) -> None:
    found = drain.proof(an_ask(), a_trainee(OLD, alive=False, progress=progress))
    assert (found is not None) is proven


def test_while_it_lives_a_checkpoint_that_covers_the_progress_is_none() -> None:
    assert drain.proof(an_ask(), a_trainee(OLD, progress=100)) is None


def test_progress_without_any_checkpoint_proves_nothing() -> None:
    assert drain.proof(an_ask(), a_trainee(alive=False, progress=0)) is None


@pytest.mark.parametrize(
    ("trainee", "from_step", "known"),
    [
        (a_trainee(OLD, progress=105), 50, 105),
        (a_trainee(OLD), 50, 100),
        (a_trainee(), 50, 50),
        (a_trainee(), None, None),
    ],
    ids=["its word", "its checkpoint", "its start", "nothing"],
)
def test_how_far_it_is(trainee: Trainee, from_step: int | None, known: int | None) -> None:
    assert drain.known_step(trainee, from_step) == known


def test_the_newest_checkpoint_is_to_be_shipped() -> None:
    assert drain.unshipped(a_trainee(OLD, NEW)) == NEW


def test_older_checkpoints_are_not_worth_the_time() -> None:
    assert drain.unshipped(a_trainee(OLD, NEW, shipped=frozenset({("step-000130", "s130")}))) is None


def test_the_same_name_with_another_signature_is_another_checkpoint() -> None:
    assert drain.unshipped(a_trainee(OLD, shipped=frozenset({("step-000100", "older")}))) == OLD


def test_without_checkpoints_there_is_nothing_to_ship() -> None:
    assert drain.unshipped(a_trainee()) is None


@pytest.mark.parametrize(("after", "move"), [(0.0, Move.WAIT), (0.99, Move.WAIT), (1.0, Move.SIGNAL)])
def test_the_ranks_are_signalled_a_second_after_the_file(after: float, move: Move) -> None:
    assert moved(an_ask(signalled=False), a_trainee(OLD), after) is move


def test_a_trainer_with_the_helper_is_never_signalled() -> None:
    assert moved(an_ask(signalled=False), a_trainee(OLD, helper=True), 60.0) is Move.WAIT


def test_the_ranks_are_signalled_once() -> None:
    assert moved(an_ask(signalled=True), a_trainee(OLD), 60.0) is Move.WAIT


def test_a_provider_deadline_is_signalled_too() -> None:
    assert moved(an_ask(demand={"deadline": NOW + 30}, signalled=False), a_trainee(OLD), 1.0) is Move.SIGNAL


@pytest.mark.parametrize("after", [29.0, 30.0, 1000.0])
def test_under_a_provider_deadline_nobody_is_killed(after: float) -> None:
    assert moved(an_ask(demand={"deadline": NOW + 30, "grace": 5.0}), a_trainee(OLD), after) is Move.WAIT


@pytest.mark.parametrize(("after", "move"), [(89.9, Move.WAIT), (90.0, Move.TERMINATE)])
def test_at_the_end_of_its_grace_a_forced_one_is_terminated(after: float, move: Move) -> None:
    assert moved(an_ask(), a_trainee(OLD), after) is move


@pytest.mark.parametrize(("after", "move"), [(94.9, Move.WAIT), (95.0, Move.KILL)])
def test_five_seconds_later_it_is_killed(after: float, move: Move) -> None:
    assert moved(an_ask(terminated_at=NOW + 90), a_trainee(OLD), after) is move


def test_it_is_killed_once() -> None:
    killed = an_ask(terminated_at=NOW + 90, killed_at=NOW + 95)
    assert moved(killed, a_trainee(OLD), 200.0) is Move.WAIT


def test_at_the_end_of_its_grace_a_refused_one_trains_on() -> None:
    ask = an_ask(demand={"policy": WithoutCheckpoint.REFUSE})
    assert moved(ask, a_trainee(OLD), 90.0) is Move.REFUSE


def test_one_that_saved_and_stays_is_terminated_under_either_policy() -> None:
    ask = an_ask(demand={"policy": WithoutCheckpoint.REFUSE})
    assert moved(ask, a_trainee(OLD, NEW), 90.0) is Move.TERMINATE


def test_a_trainer_that_has_ended_needs_nothing_more() -> None:
    assert moved(an_ask(terminated_at=NOW), a_trainee(OLD, alive=False), 1000.0) is Move.WAIT


def test_a_save_without_exit_waits_until_its_proof_is_shipped() -> None:
    assert moved(an_ask(SAVE), a_trainee(OLD, NEW), 1000.0) is Move.WAIT


def test_a_save_without_exit_is_answered_by_a_shipped_proof() -> None:
    shipped = frozenset({("step-000130", "s130")})
    assert moved(an_ask(SAVE), a_trainee(OLD, NEW, shipped=shipped), 2.0) is Move.ANSWERED


@pytest.mark.parametrize(("after", "move"), [(89.9, Move.WAIT), (90.0, Move.GIVE_UP)])
def test_a_save_without_exit_is_given_up_at_the_end_of_its_grace(after: float, move: Move) -> None:
    assert moved(an_ask(SAVE), a_trainee(OLD), after) is move


def test_a_save_without_exit_never_signals() -> None:
    assert moved(an_ask(SAVE, signalled=False), a_trainee(OLD), 5.0) is Move.WAIT


# Waiting for the other ranks of a gang


@pytest.mark.parametrize(
    ("ask", "until"),
    [
        (an_ask(), 90.0 + drain.PEERS_WITHIN),
        (an_ask(demand={"deadline": NOW + 20}), 20.0 - drain.LAST_WORD),
        (an_ask(demand={"futile": True}), 0.0),
        (an_ask(SAVE), 0.0),
        (None, 0.0),
    ],
)
def test_a_rank_that_saved_as_it_was_asked_waits_for_its_peers(ask: Ask | None, until: float) -> None:
    assert drain.waits_for_peers(ask, NOW + until - 0.1) is (until > 0)
    assert not drain.waits_for_peers(ask, NOW + until)


def test_a_futile_demand_ends_the_trainer_at_once() -> None:
    asked = an_ask(demand={"deadline": NOW + 50})
    futile = drain.tightened(asked, a_demand(futile=True, grace=0.0), a_trainee(OLD), NOW + 1)
    assert moved(futile, a_trainee(OLD), 1.0) is Move.TERMINATE


def test_a_checkpoint_without_a_receipt_proves_nothing_for_a_rank_that_gave_up() -> None:
    left = drain.without_parts(a_trainee(OLD, NEW, shipped=frozenset({("step-000100", "s100")})))
    assert left.checkpoints == (OLD,)


def test_who_was_never_ready_for_a_signal_has_no_more_time_than_others() -> None:
    never = an_ask(signalled=False, demand={"policy": WithoutCheckpoint.REFUSE})
    assert [moved(never, a_trainee(OLD), after) for after in (89.0, 90.0)] == [Move.SIGNAL, Move.REFUSE]


def test_under_a_deadline_it_is_signalled_whenever_it_is_ready() -> None:
    never = an_ask(signalled=False, demand={"deadline": NOW + 120})
    assert moved(never, a_trainee(OLD), 100.0) is Move.SIGNAL

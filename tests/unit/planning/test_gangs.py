"""A gang's attempt: it ends with its last rank, and is booked to the gravest cause that any rank tells of."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.model.gang import Member
from lifecycle.model.records import Attempt, Outcome, Phase, Reached, Run
from lifecycle.model.states import Cause, InstanceState, RunState
from lifecycle.model.world import Observed
from lifecycle.planning import gangs
from lifecycle.planning.settle import apply_facts, settle
from lifecycle.planning.untold import NO_LAST_WORD
from tests.builders import NOW, an_attempt, but
from tests.gang_builders import (
    GANG,
    NODES,
    a_gang_attempt,
    a_gang_run,
    a_whole,
    at_work,
    ended,
    gang_trains,
    members,
    with_machine,
    with_report,
)

ENDS = st.tuples(
    st.sampled_from([Outcome.STOPPED, Outcome.INTERRUPTED, Outcome.FAILED, Outcome.VOID]), st.sampled_from(Cause)
)


def settled(observed: Observed) -> Run:
    return apply_facts(observed, settle(observed, NOW)).runs[GANG]


def last(observed: Observed) -> Attempt:
    attempt = settled(observed).attempt
    assert attempt is not None
    return attempt


def gone(observed: Observed, rank: int, cause: Cause | None = Cause.SPOT) -> Observed:
    """The machine of this rank was ended, and its agent did not get to say a word."""
    return with_machine(observed, rank, state=InstanceState.TERMINATED, cause=cause, ended_at=NOW - 3)


def fell_over(*ranks: int) -> Observed:
    return with_report(
        gang_trains(), *(ended(r, Outcome.FAILED, cause=Cause.USER_ERROR, detail="exit code 1") for r in ranks)
    )


def test_an_attempt_lasts_until_every_rank_has_ended() -> None:
    observed = with_report(gang_trains(), ended(0), ended(1))
    run = settled(observed)
    assert run.attempt is not None
    assert run.attempt.open
    assert [rank.outcome for rank in run.attempt.members] == [Outcome.STOPPED, Outcome.STOPPED, None]
    assert run.state is RunState.TRAINING


def test_it_ends_with_its_last_rank() -> None:
    observed = with_report(gang_trains(), *(ended(rank) for rank in range(3)))
    attempt = last(observed)
    assert (attempt.outcome, attempt.cause, attempt.to_step, attempt.receipt) == (
        Outcome.STOPPED,
        Cause.OPERATOR,
        130,
        a_whole(130),
    )


def test_what_was_settled_of_a_rank_stays_when_its_last_word_is_gone() -> None:
    first = with_report(gang_trains(), ended(0))
    later = but(first, runs={GANG: settled(first)}, reports={NODES[1]: ended(1), NODES[2]: ended(2)})
    assert last(later).outcome is Outcome.STOPPED


def test_ranks_that_fell_over_because_one_was_taken_are_no_user_error() -> None:
    attempt = last(gone(fell_over(0, 1), 2))
    assert (attempt.outcome, attempt.cause) == (Outcome.INTERRUPTED, Cause.SPOT)
    assert (attempt.exact, attempt.witnessed) == (False, False)
    assert attempt.detail == f"f/t/2: {NO_LAST_WORD}"


def test_a_gang_that_falls_over_by_itself_is_a_user_error_once() -> None:
    run = settled(fell_over(0, 1, 2))
    assert (run.state, run.failures) == (RunState.FAILED, {"user_error": 1})


def test_only_all_ranks_together_complete() -> None:
    done = [ended(rank, Outcome.COMPLETED, cause=None, result={"rank": rank}) for rank in range(3)]
    assert settled(with_report(gang_trains(), *done)).state is RunState.COMPLETED
    assert settled(with_report(gang_trains(), *done)).result == {"rank": 0}
    cut_short = settled(gone(with_report(gang_trains(), *done[:2]), 2))
    assert (cut_short.state, cut_short.result) == (RunState.INTERRUPTED, None)


def test_a_rank_that_never_started_does_not_make_the_attempt_void() -> None:
    observed = with_report(gang_trains(), ended(0, cause=Cause.CONTROLLER), ended(1, cause=Cause.CONTROLLER))
    unstarted = a_gang_run(a_gang_attempt(members=members(r2={"outcome": Outcome.VOID, "cause": Cause.SPOT})))
    assert last(but(observed, runs={GANG: unstarted})).outcome is Outcome.INTERRUPTED


def test_steps_to_do_again_are_booked_once_whichever_rank_starts_first() -> None:
    reached = Reached(attempt=1, step=130, cause=Cause.SPOT, exact=True)
    given = a_gang_attempt(number=2, started_at=None, from_step=None)
    starting = a_gang_run(given, state=RunState.STARTING, reached=reached)
    started = [at_work(rank, attempt=2, from_step=100, started_at=NOW - 5) for rank in (1, 2)]
    run = settled(with_report(gang_trains(runs={GANG: starting}), *started))
    assert (run.lost, run.reached) == ({"spot": 30}, None)
    assert settled(but(gang_trains(), runs={GANG: run}, reports={r.node: r for r in started})).lost == {"spot": 30}


def test_the_state_of_a_gang_is_that_of_its_slowest_rank() -> None:
    observed = with_report(gang_trains(), at_work(1, phase=Phase.SAVING))
    assert settled(observed).state is RunState.CHECKPOINTING
    assert settled(with_report(observed, at_work(2, phase=Phase.RESTORING))).state is RunState.STARTING


def test_the_journal_names_the_rank_that_went_without_a_word() -> None:
    entries = settle(gone(gang_trains(), 2), NOW).entries
    assert [(entry.node, entry.what) for entry in entries] == [("f/t/2", "attempt 1 interrupted")]
    known = but(gone(gang_trains(), 2), runs={GANG: settled(gone(gang_trains(), 2))})
    assert settle(known, NOW).entries == ()


def test_a_silent_rank_leaves_the_attempt_open() -> None:
    observed = with_report(fell_over(0, 1), at_work(2, at=NOW - 3000))
    assert last(observed).open


# The fold over ranks


def one(node: str, outcome: Outcome, cause: Cause | None, **changes: Any) -> Attempt:
    return but(a_gang_attempt(), node=node, outcome=outcome, cause=cause, **changes)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(ends=st.tuples(ENDS, ENDS, ENDS))
def test_the_verdict_does_not_depend_on_who_is_heard_first(ends: tuple[tuple[Outcome, Cause], ...]) -> None:
    told = [one(node, *ends[rank], detail="x", to_step=rank) for rank, node in enumerate(NODES)]
    verdicts = set()
    for order in permutations(told):
        attempt = a_gang_attempt()
        for each in order:
            assert not gangs.over(attempt)
            attempt = gangs.joined(attempt, each)
        judged = gangs.judged(attempt)
        verdicts.add((judged.cause, judged.to_step))
    assert len(verdicts) == 1
    assert {cause for _, cause in ends} >= {cause for cause, _ in verdicts}


@pytest.mark.parametrize("grave", [Cause.SPOT, Cause.REBALANCE, Cause.MAINTENANCE, Cause.HARDWARE])
@pytest.mark.parametrize("light", [Cause.OPERATOR, Cause.SCHEDULE, Cause.BUDGET, Cause.DRIFT, Cause.USER_ERROR])
def test_what_the_provider_took_is_graver_than_what_we_or_the_user_did(grave: Cause, light: Cause) -> None:
    both = {"r0": {"outcome": Outcome.FAILED, "cause": light}, "r1": {"outcome": Outcome.STOPPED, "cause": grave}}
    worst = gangs.gravest(a_gang_attempt(members=members(**both)))
    assert worst == Member(node=NODES[1], incarnation=1, outcome=Outcome.STOPPED, cause=grave)


def test_the_operators_wish_is_graver_than_a_trainer_that_fell_over() -> None:
    both = {
        "r0": {"outcome": Outcome.FAILED, "cause": Cause.USER_ERROR},
        "r2": {"outcome": Outcome.STOPPED, "cause": Cause.OPERATOR},
    }
    assert gangs.judged(a_gang_attempt(members=members(**both))).cause is Cause.OPERATOR


def test_another_attempt_has_another_port() -> None:
    ports = {gangs.port(GANG, number) for number in range(1, 50)}
    assert len(ports) > 45
    assert all(15000 <= port < 30000 for port in ports)
    assert gangs.port(GANG, 1) == gangs.port(GANG, 1)


def test_an_attempt_of_one_node_has_that_one_rank() -> None:
    attempt = an_attempt()
    assert gangs.alone(attempt, attempt.ranks[0]) == attempt
    assert gangs.member(attempt, "f/t/0") == Member(node="f/t/0", incarnation=1)
    assert gangs.member(attempt, "f/t/1") is None

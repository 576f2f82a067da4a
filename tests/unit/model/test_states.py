"""The two state tables, walked: where one may go from anywhere, and that nothing else is possible."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from lifecycle.model.errors import IllegalMove
from lifecycle.model.states import ENDED, INSTANCE_MOVES, LIVE, RUN_MOVES, InstanceState, RunState, advance, diagram

TABLES = [pytest.param(INSTANCE_MOVES, id="instance"), pytest.param(RUN_MOVES, id="run")]
STARTS = [
    pytest.param(INSTANCE_MOVES, InstanceState.PENDING, id="instance"),
    pytest.param(RUN_MOVES, RunState.WAITING, id="run"),
]


def arrows(moves: Any) -> list[tuple[Any, Any]]:
    return [(source, target) for source, row in moves.items() for target in row]


def strangers(moves: Any) -> list[tuple[Any, Any]]:
    return [pair for pair in itertools.product(moves, moves) if pair not in arrows(moves)]


@pytest.mark.parametrize(("moves", "kind"), [(INSTANCE_MOVES, InstanceState), (RUN_MOVES, RunState)])
def test_every_state_has_a_row(moves: Any, kind: Any) -> None:
    assert set(moves) == set(kind)


def test_only_a_terminated_machine_goes_nowhere() -> None:
    assert [state for state, row in INSTANCE_MOVES.items() if not row] == [InstanceState.TERMINATED]


def test_only_a_completed_run_goes_nowhere() -> None:
    assert [state for state, row in RUN_MOVES.items() if not row] == [RunState.COMPLETED]


@pytest.mark.parametrize(("moves", "start"), STARTS)
def test_every_state_can_be_reached_from_the_first(moves: Any, start: Any) -> None:
    seen, ahead = set(), [start]
    while ahead:
        state = ahead.pop()
        if state not in seen:
            seen.add(state)
            ahead.extend(moves[state])
    assert seen == set(moves)


@pytest.mark.parametrize("state", sorted(LIVE))
def test_a_live_machine_can_always_be_ended(state: InstanceState) -> None:
    assert advance(INSTANCE_MOVES, state, InstanceState.TERMINATED) is InstanceState.TERMINATED


@pytest.mark.parametrize("state", [RunState.TRAINING, RunState.CHECKPOINTING])
@pytest.mark.parametrize("halt", [RunState.STOPPED, RunState.INTERRUPTED, RunState.COMPLETED, RunState.FAILED])
def test_a_run_under_way_may_halt_in_every_manner(state: RunState, halt: RunState) -> None:
    assert advance(RUN_MOVES, state, halt) is halt


@pytest.mark.parametrize("state", [RunState.WAITING, RunState.STOPPED, RunState.INTERRUPTED, RunState.FAILED])
def test_a_run_that_rests_may_start(state: RunState) -> None:
    assert advance(RUN_MOVES, state, RunState.STARTING) is RunState.STARTING


def test_a_refused_drain_goes_back_to_training() -> None:
    assert advance(RUN_MOVES, RunState.CHECKPOINTING, RunState.TRAINING) is RunState.TRAINING


@pytest.mark.parametrize("moves", TABLES)
def test_every_arrow_of_the_table_is_taken(moves: Any) -> None:
    assert [advance(moves, source, target) for source, target in arrows(moves)] == [t for _, t in arrows(moves)]


@pytest.mark.parametrize(("source", "target"), strangers(INSTANCE_MOVES))
def test_a_machine_makes_no_move_that_the_table_lacks(source: InstanceState, target: InstanceState) -> None:
    with pytest.raises(IllegalMove, match=f"{source} cannot become {target}"):
        advance(INSTANCE_MOVES, source, target)


@pytest.mark.parametrize(("source", "target"), strangers(RUN_MOVES))
def test_a_run_makes_no_move_that_the_table_lacks(source: RunState, target: RunState) -> None:
    with pytest.raises(IllegalMove, match=f"{source} cannot become {target}"):
        advance(RUN_MOVES, source, target)


def test_an_illegal_move_changes_nothing() -> None:
    before = {state: dict(row) for state, row in RUN_MOVES.items()}
    with pytest.raises(IllegalMove):
        advance(RUN_MOVES, RunState.COMPLETED, RunState.STARTING)
    assert before == RUN_MOVES


def test_an_illegal_move_says_what_would_be_allowed() -> None:
    with pytest.raises(IllegalMove, match=r"it may become running, terminated$"):
        advance(INSTANCE_MOVES, InstanceState.PENDING, InstanceState.STOPPED)


def test_an_illegal_move_from_a_final_state_says_that_it_is_final() -> None:
    with pytest.raises(IllegalMove, match="nothing: it is final"):
        advance(INSTANCE_MOVES, InstanceState.TERMINATED, InstanceState.PENDING)


@pytest.mark.parametrize("moves", TABLES)
def test_the_diagram_names_every_arrow_once_and_its_reason(moves: Any) -> None:
    told = [f"    {source} --> {target}: {moves[source][target]}" for source, target in arrows(moves)]
    assert diagram(moves).splitlines() == ["stateDiagram-v2", *told]


def test_every_state_but_terminated_may_cost_money() -> None:
    assert set(InstanceState) - LIVE == {InstanceState.TERMINATED}


def test_a_run_has_ended_when_it_completed_or_failed() -> None:
    assert {RunState.COMPLETED, RunState.FAILED} == ENDED

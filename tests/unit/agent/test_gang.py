"""One rank in its agent's hands: what peers are asked for is its own, and a part alone proves nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lifecycle.agent.courier import Restore, Ship
from lifecycle.agent.pace import PEERS_RETRY
from lifecycle.model.demand import AskMode, Demand
from lifecycle.model.fleet import WithoutCheckpoint
from lifecycle.model.records import Assignment, Desired, DrainOutcome, Outcome, Phase, Report
from lifecycle.model.states import Cause
from lifecycle.planning.drain import LAST_WORD, PEERS_WITHIN
from lifecycle.tracker.node import NodeTracker
from tests.builders import NOW, a_notice, an_assignment, an_end
from tests.gang_builders import GANG, NODES, at_rest, at_work
from tests.unit.agent.stage import Hands, NodeStage, a_demand


def a_rank(**changes: Any) -> Assignment:
    """Rank 0 of three."""
    return an_assignment(**{"run": GANG, "rank": 0, "count": 3, "nodes": NODES, **changes})


@pytest.fixture
def hands(tmp_path: Path) -> Hands:
    built = Hands(tmp_path)
    built.keeper.accept(a_rank(), built.clock.now())
    built.courier.delivers()
    built.look()
    built.trainer.starts()
    built.look()
    return built


@pytest.fixture
def stage(tmp_path: Path) -> NodeStage:
    """Rank 0 trains; its peers' words are written by the test."""
    built = NodeStage(tmp_path)
    built.order(a_rank())
    built.step()
    built.courier.delivers()
    built.step()
    return built


def tells(stage: NodeStage, report: Report) -> None:
    NodeTracker(stage.table, report.node).report(report)


def noticed(rank: int, **changes: Any) -> Report:
    demand = Demand(
        request="spot-1",
        mode=AskMode.SAVE_AND_EXIT,
        cause=Cause.SPOT,
        reason="spot notice",
        grace=90.0,
        deadline=NOW + 100,
    )
    return at_work(rank, **{"demand": demand, **changes})


# What peers are asked for


def test_a_peers_notice_is_its_own(stage: NodeStage) -> None:
    tells(stage, noticed(2))
    stage.step()
    asked = stage.trainer.asked
    assert asked is not None
    assert (asked.request, asked.mode, asked.deadline) == ("spot-1@f/t/2", "save-and-exit", NOW + 100)
    assert asked.reason == "f/t/2: spot notice"


@pytest.mark.parametrize("about", [{"attempt": 2}, {"run": "f.t.other"}, {"run": None, "attempt": None}])
def test_what_a_peer_says_of_another_attempt_is_not_its_own(stage: NodeStage, about: dict[str, Any]) -> None:
    tells(stage, noticed(2, **about))
    stage.step()
    assert stage.trainer.asked is None


def test_what_a_peer_was_asked_for_counts_when_it_has_ended_already(stage: NodeStage) -> None:
    tells(stage, noticed(2, phase=Phase.IDLE, run=None, attempt=None, ended=an_end(run=GANG)))
    stage.step()
    assert stage.trainer.asked is not None


def test_its_own_notice_is_told_to_its_peers_and_theirs_is_not_told_on(stage: NodeStage) -> None:
    tells(stage, noticed(2))
    stage.step()
    assert stage.report.demand is None
    stage.notices.standing = (a_notice(),)
    stage.step()
    assert stage.report.demand is not None
    assert (stage.report.demand.request, stage.report.demand.cause) == ("spot-spot-1", Cause.SPOT)


def test_a_drain_of_its_own_is_told_to_its_peers(stage: NodeStage) -> None:
    stage.claim()
    stage.step()
    assert stage.report.demand is not None
    assert stage.report.demand.request == "m1.manual.1"


def test_a_node_of_its_own_tells_nobody(tmp_path: Path) -> None:
    stage = NodeStage(tmp_path)
    stage.begins()
    stage.notices.standing = (a_notice(),)
    stage.step()
    assert stage.report.demand is None


def test_what_a_peer_is_no_longer_asked_for_is_taken_back(stage: NodeStage) -> None:
    tells(stage, noticed(2))
    stage.step()
    tells(stage, at_work(2))
    stage.step()
    assert stage.trainer.asked is None


def test_a_rank_that_may_not_start_says_so(tmp_path: Path) -> None:
    stage = NodeStage(tmp_path)
    stage.notices.standing = (a_notice(),)
    stage.order(a_rank())
    stage.step()
    assert (stage.ended.outcome, stage.ended.cause) == (Outcome.STOPPED, Cause.SPOT)
    assert stage.trainer.launches == []


def test_a_save_without_exit_is_left_to_the_trainers(stage: NodeStage) -> None:
    advice = Demand(request="r", mode=AskMode.SAVE, cause=Cause.REBALANCE, reason="advice", grace=90.0)
    tells(stage, at_work(2, demand=advice))
    stage.step()
    assert stage.trainer.asked is None


def test_a_drain_that_its_trainer_did_not_answer_is_not_asked_again(stage: NodeStage) -> None:
    drained = a_demand(drain="d1", request="d1", grace=10.0, policy=WithoutCheckpoint.REFUSE)
    tells(stage, at_work(2, demand=drained))
    stage.trainer.starts()
    stage.step()
    stage.step(4, after=11.0)
    assert stage.agent.state.refused == ("d1@f/t/2",)
    assert (stage.trainer.asked, stage.report.drained) == (None, None)


# A peer that is gone


def test_a_rank_that_is_told_to_stop_where_it_is_is_not_waited_for(stage: NodeStage) -> None:
    stage.trainer.starts()
    stage.step()
    stage.order(a_rank(), desired=Desired.STOPPED, lost_to=Cause.HARDWARE, reason="f/t/2 is gone")
    stage.step(2)
    assert stage.trainer.terminations == 1
    stage.trainer.exits(-15)
    stage.step(3)
    assert (stage.ended.outcome, stage.ended.cause, stage.ended.forced) == (
        Outcome.INTERRUPTED,
        Cause.HARDWARE,
        False,
    )


def test_even_under_a_deadline_of_its_own(stage: NodeStage) -> None:
    stage.trainer.starts()
    stage.notices.standing = (a_notice(),)
    stage.step()
    stage.order(a_rank(), desired=Desired.STOPPED, lost_to=Cause.HARDWARE, reason="f/t/2 is gone")
    stage.step(2)
    assert stage.trainer.terminations == 1


def test_an_attempt_that_is_over_before_it_was_begun_here_is_told_as_ended(tmp_path: Path) -> None:
    stage = NodeStage(tmp_path)
    stage.order(a_rank(), desired=Desired.STOPPED, lost_to=Cause.SPOT, reason="f/t/2 is gone")
    stage.step()
    assert (stage.ended.attempt, stage.ended.outcome, stage.ended.cause) == (1, Outcome.STOPPED, Cause.SPOT)


# Parts and wholes


def test_a_rank_ships_and_restores_its_own_part(hands: Hands) -> None:
    hands.trainer.saves(60)
    hands.look()
    restore, ship = hands.courier.jobs
    assert isinstance(restore, Restore)
    assert isinstance(ship, Ship)
    assert (restore.rank, ship.rank, ship.count, ship.parted) == (0, 0, 3, False)


def test_a_stored_part_is_not_stored_again_and_has_no_receipt(hands: Hands) -> None:
    hands.trainer.saves(60)
    hands.look()
    hands.courier.parts()
    hands.look()
    assert hands.state.receipt is None
    assert hands.courier.current is None
    hands.look(after=PEERS_RETRY[1])
    last = hands.courier.jobs[-1]
    assert isinstance(last, Ship)
    assert last.parted


def test_a_successor_of_an_agent_that_was_killed_after_its_part_ships_it_once_more(stage: NodeStage) -> None:
    stage.trainer.starts()
    stage.trainer.saves(60)
    stage.step()
    stage.courier.parts()
    stage.step()
    stage.restart()
    stage.step()
    again = stage.courier.jobs[-1]
    assert isinstance(again, Ship)
    assert (again.checkpoint.step, again.parted) == (60, False)


def leaves(hands: Hands, demand: Demand) -> None:
    """It saved as it was asked to and ended; its part is stored, and others' are not."""
    hands.look(demand)
    hands.trainer.saves(60)
    hands.trainer.reaches(60)
    hands.trainer.exits(0)
    hands.look(demand, times=2)
    hands.courier.parts()
    hands.look(demand)


def test_a_drain_is_answered_only_when_all_parts_are_one_whole(hands: Hands) -> None:
    claim = a_demand(drain="d1", request="d1", grace=10.0)
    leaves(hands, claim)
    assert hands.state.ended is None
    hands.look(claim, after=PEERS_RETRY[0])
    hands.courier.delivers()
    hands.look(claim)
    assert hands.state.drained is not None
    assert (hands.state.drained.outcome, hands.ended.receipt is not None) == (DrainOutcome.SAVED, True)


def test_a_part_that_does_not_become_whole_is_given_up_and_proves_nothing(hands: Hands) -> None:
    claim = a_demand(drain="d1", request="d1", grace=10.0)
    leaves(hands, claim)
    assert hands.state.ended is None
    hands.look(claim, after=10.0 + PEERS_WITHIN)
    assert hands.state.drained is not None
    assert (hands.state.drained.outcome, hands.ended.step, hands.ended.spared) == (DrainOutcome.FORCED, 60, 0)


def test_under_a_notice_its_last_word_comes_before_the_machines_end(hands: Hands) -> None:
    notice = a_demand(cause=Cause.SPOT, deadline=NOW + 20)
    leaves(hands, notice)
    assert hands.state.ended is None
    hands.look(notice, after=20 - LAST_WORD)
    assert hands.ended.outcome is Outcome.INTERRUPTED


def test_one_that_ended_by_itself_looks_once_more_and_waits_for_nobody(hands: Hands) -> None:
    hands.trainer.saves(60)
    hands.look()
    hands.courier.parts()
    hands.trainer.exits(1)
    hands.look(times=2)
    assert hands.state.ended is None
    hands.courier.delivers()
    hands.look()
    assert (hands.ended.outcome, hands.ended.receipt is not None) == (Outcome.FAILED, True)


# Reading


def test_a_node_hears_its_peers_and_not_itself(stage: NodeStage) -> None:
    for report in (at_work(1), at_rest(2)):
        tells(stage, report)
    tracker = NodeTracker(stage.table, NODES[0])
    assert {report.node for report in tracker.peers(NODES)} == set(NODES[1:])
    assert tracker.peers(NODES[:2]) == (at_work(1),)

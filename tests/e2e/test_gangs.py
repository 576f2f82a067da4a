"""Whatever happens to the ranks of a gang, its run ends with the weights of one that nobody disturbed.

One notice saves all ranks at one step; only the machine that was lost is replaced.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lifecycle.model.states import Cause
from tests.e2e.gang_stage import RANKS, GangStage, node_of, undisturbed
from tests.e2e.stage import wait_until


@pytest.fixture
def gang(tmp_path: Path) -> Iterator[GangStage]:
    built = GangStage(tmp_path)
    yield built
    built.close()


def ends_well(gang: GangStage, *replaced: int, exact: bool = True) -> dict[str, Any]:
    """The whole claim, checked once the run has ended; returns its first attempt."""
    run = gang.run()
    assert (run["state"], run["result"]["weights"]) == ("completed", undisturbed(gang.steps_declared))
    assert run["nodes"] == [f"f/t/{rank}" for rank in range(RANKS)]
    first, second = run["attempts"]
    assert [rank["incarnation"] for rank in second["ranks"]] == [1 + (rank in replaced) for rank in range(RANKS)]
    lost = sum(run["lost_steps"].values())
    assert run["lost_steps_exact"] is exact
    assert (lost, gang.redone()) == (0, 0) if exact else lost <= gang.redone()
    assert set(run["lost_steps"]) <= {first["cause"]}
    assert gang.left_over() == []
    return first


@pytest.mark.parametrize("noticed", [(0,), (2,), (0, 1)], ids=["rank 0", "rank 2", "two at once"])
def test_a_notice_saves_all_ranks_and_replaces_the_lost_ones(gang: GangStage, noticed: tuple[int, ...]) -> None:
    controller = gang.gang().controller()
    gang.reach(30)
    for rank in noticed:
        gang.console.notice(node_of(rank), Cause.SPOT, 4.0)
    assert controller.wait(60) == 0
    assert ends_well(gang, *noticed)["cause"] == "spot"


@pytest.mark.parametrize("trainer", [(), ("--patient",)], ids=["its peers fail", "its peers hang"])
def test_a_rank_that_is_killed_takes_nobody_elses_machine_with_it(
    gang: GangStage, trainer: tuple[str, ...]
) -> None:
    controller = gang.gang(*trainer).controller()
    wait_until(gang.wholes, "a checkpoint of all ranks")
    gang.console.kill(node_of(1))
    assert controller.wait(60) == 0
    assert ends_well(gang, 1, exact=False)["cause"] == "hardware"


def test_a_notice_saves_all_ranks_with_no_controller_there(gang: GangStage) -> None:
    gang.gang().apply()
    gang.reach(30)
    instance = gang.console._machine(node_of(2)).id
    gang.console.notice(node_of(2), Cause.SPOT, 4.0)
    wait_until(lambda: not (gang.state / "instances" / instance).exists(), "the machine's end")
    gang.run_to_the_end()
    assert ends_well(gang, 2)["cause"] == "spot"


def test_a_checkpoint_asked_of_one_rank_and_a_replacement_of_one_are_all_ranks(gang: GangStage) -> None:
    gang.gang(steps=250).apply()
    gang.reach(10)
    told = gang.steady("checkpoint", "f/t/1").stdout
    assert any(f"f/t/1: checkpoint at step {step}," in told for step in gang.wholes())
    gang.steady("replace", "f/t/1", "--reason", "noisy neighbour")
    assert "f/t/1  operator → replace by" in gang.steady("why", "f/t/0").stdout
    gang.run_to_the_end()
    assert ends_well(gang, 1)["cause"] == "operator"

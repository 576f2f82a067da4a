"""Whatever happens to the ranks of a gang, its run ends with the weights of one that nobody disturbed.

One notice saves all ranks at one step; only the machine that was lost is replaced.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.gang_stage import GangStage, undisturbed
from tests.e2e.stage import wait_until


@pytest.fixture
def gang(tmp_path: Path) -> Iterator[GangStage]:
    built = GangStage(tmp_path)
    yield built
    built.close()


def ends_well(gang: GangStage, *, exact: bool = True) -> None:
    """The whole claim, checked once the run has ended."""
    run = gang.run()
    assert (run["state"], run["result"]["weights"]) == ("completed", undisturbed())
    assert run["nodes"] == ["f/t/0", "f/t/1", "f/t/2"]
    assert run["lost_steps_exact"] is exact
    assert gang.lost() == gang.redone() if exact else gang.lost() <= gang.redone()
    assert gang.left_over() == []


@pytest.mark.parametrize("noticed", [(0,), (2,), (0, 1)], ids=["rank 0", "rank 2", "two at once"])
def test_a_notice_saves_all_ranks_and_replaces_the_lost_ones(gang: GangStage, noticed: tuple[int, ...]) -> None:
    controller = gang.gang().controller()
    gang.reach(50)
    for rank in noticed:
        gang.steady("local", "notice", f"f/t/{rank}", "--lead", "6s")
    wait_until(lambda: gang.steps(2), "the second attempt")
    assert gang.incarnations() == [2 if rank in noticed else 1 for rank in range(3)]
    assert controller.wait(60) == 0
    ends_well(gang)
    assert gang.lost() == 0
    assert gang.run()["attempts"][0]["cause"] == "spot"


@pytest.mark.parametrize("trainer", [(), ("--patient",)], ids=["its peers fail", "its peers hang"])
def test_a_rank_that_is_killed_takes_nobody_elses_machine_with_it(
    gang: GangStage, trainer: tuple[str, ...]
) -> None:
    controller = gang.gang(*trainer).controller()
    wait_until(gang.wholes, "a checkpoint of all ranks")
    gang.steady("local", "kill", "f/t/1")
    wait_until(lambda: gang.steps(2), "the second attempt")
    assert gang.incarnations() == [1, 2, 1]
    assert controller.wait(60) == 0
    ends_well(gang, exact=False)
    assert gang.run()["attempts"][0]["cause"] == "hardware"
    assert set(gang.run()["lost_steps"]) <= {"hardware"}


def test_a_notice_saves_all_ranks_with_no_controller_there(gang: GangStage) -> None:
    gang.gang().apply()
    gang.reach(50)
    instance = gang.instance(2)
    gang.steady("local", "notice", "f/t/2", "--lead", "4s")
    wait_until(lambda: not (gang.state / "instances" / instance).exists(), "the machine's end")
    gang.run_to_the_end()
    ends_well(gang)
    assert gang.lost() == 0


def test_a_replacement_of_one_rank_saves_all(gang: GangStage) -> None:
    gang.gang().apply()
    gang.reach(50)
    gang.steady("replace", "f/t/1", "--reason", "noisy neighbour")
    assert gang.incarnations() == [1, 2, 1]
    gang.run_to_the_end()
    ends_well(gang)
    first, second = gang.run()["attempts"]
    assert (first["cause"], second["cause"]) == ("operator", None)
    assert [rank["incarnation"] for rank in second["ranks"]] == [1, 2, 1]
    assert (gang.node(1)["run"]["rank"], gang.node(1)["run"]["ranks"]) == (1, 3)
    assert "f/t/1  operator → replace by" in gang.steady("why", "f/t/0").stdout

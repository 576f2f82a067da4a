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
    gang.gang().apply()
    controller = gang.controller()
    gang.reach(50)
    for rank in noticed:
        gang.steady("local", "notice", f"f/t/{rank}", "--lead", "6s")
    wait_until(lambda: gang.steps(2), "the second attempt")
    assert gang.incarnations() == [2 if rank in noticed else 1 for rank in range(3)]
    assert controller.wait(60) == 0
    ends_well(gang)
    assert gang.lost() == 0
    assert gang.run()["attempts"][0]["cause"] == "spot"

"""The live picture: worst first, at every width, and nothing that matters is cut off."""

from __future__ import annotations

import re

import pytest

from lifecycle.planning.progress import NoticeStatus
from lifecycle.planning.status import RunStatus
from lifecycle.planning.watching import Sight
from tests.builders import NOW, a_hold
from tests.unit.cli.seeing import a_condition, a_fleet, a_node, a_sight, drawn, going, saved

LONG = "a reason of many words, which has to be read to its end: " + " ".join(f"word{n}" for n in range(30))


def test_at_80_columns_a_node_takes_two_lines() -> None:
    assert drawn(a_sight(a_fleet(a_node(max_lost_work_seconds=1200)))) == [
        "demo: as it is",
        "demo/trainers/0  spot  running  training  saved at 1380, 12s ago (limit 20m)",
        "  ━━━━━━━━━━━───── 70%  1400/2000  3.2 steps/s  3m left",
    ]


def test_at_200_columns_a_node_takes_one_line_and_columns_stand_below_each_other() -> None:
    first, second = drawn(a_sight(a_fleet(a_node(7), a_node(10, run=going(10, step=999)))), width=200)[1:]
    assert first.index("saved") == second.index("saved")
    assert re.fullmatch(r"demo/trainers/7 .*training.* 70% .*1400/2000 .*3m left .*saved at 1380, 12s ago", first)


def test_at_60_columns_facts_wrap_between_each_other() -> None:
    assert drawn(a_sight(a_fleet(a_node(max_lost_work_seconds=1200))), width=60)[1:] == [
        "demo/trainers/0  spot  running  training",
        "  ━━━━━━━━━━━───── 70%  1400/2000  3.2 steps/s  3m left",
        "  saved at 1380, 12s ago (limit 20m)",
    ]


def test_without_a_known_end_there_is_no_bar_and_no_guess() -> None:
    run = going(total=None, seconds_left=None)
    assert drawn(a_sight(a_fleet(a_node(run=run))), width=200)[1:] == [
        "demo/trainers/0  spot  running  training  step 1400  3.2 steps/s  saved at 1380, 12s ago"
    ]


def test_a_rate_that_is_not_known_is_not_shown() -> None:
    assert "steps/" not in "\n".join(drawn(a_sight(a_fleet(a_node(run=going(steps_per_second=None))))))


def test_a_notice_is_counted_down_below_its_node() -> None:
    noticed = a_node(notice=NoticeStatus(cause="spot", seconds_left=8.0))
    assert drawn(a_sight(a_fleet(noticed)))[-1] == "  ! spot notice: 8s left"


def test_advice_says_that_it_has_no_deadline() -> None:
    advised = a_node(notice=NoticeStatus(cause="rebalance", seconds_left=None))
    assert drawn(a_sight(a_fleet(advised)))[-1] == "  ! rebalance notice: no deadline"


@pytest.mark.parametrize(
    ("age", "limit", "words"),
    [(12, None, "12s ago"), (12, 1200.0, "12s ago (limit 20m)"), (1500, 1200.0, "25m ago (over 20m)")],
)
def test_a_checkpoints_age_is_held_against_max_lost_work(age: float, limit: float | None, words: str) -> None:
    node = a_node(checkpoint=saved(age), max_lost_work_seconds=limit)
    assert drawn(a_sight(a_fleet(node)))[1].endswith(f"saved at 1380, {words}")


def test_a_run_that_has_saved_nothing_says_so() -> None:
    assert "nothing saved yet" in drawn(a_sight(a_fleet(a_node(checkpoint=None))))[1]


@pytest.mark.parametrize("run", [going(state="interrupted"), going(step=None), going(state="waiting", attempt=0)])
def test_of_a_run_whose_agent_does_not_tell_nothing_is_said_of_saves(run: RunStatus) -> None:
    assert "saved" not in "".join(drawn(a_sight(a_fleet(a_node(run=run, checkpoint=None)))))


def test_a_checkpoint_that_is_not_sound_says_so() -> None:
    assert "12s ago, not sound" in drawn(a_sight(a_fleet(a_node(checkpoint=saved(12, verified=False)))))[1]


@pytest.mark.parametrize("width", [20, 60, 80, 200])
def test_a_name_and_a_reason_are_never_cut_off(width: int) -> None:
    name = "a-fleet-with-a-long-name-of-forty-letters/a-pool-with-a-name-as-long/10"
    lines = drawn(a_sight(a_fleet(a_node(node=name, conditions=(a_condition(LONG),)))), width=width, height=200)
    together = "".join(line.strip().replace(" ", "") for line in lines)
    assert all(len(line) <= width for line in lines)
    assert name in together
    assert LONG.replace(" ", "") in together


def test_nodes_beyond_the_screen_are_counted() -> None:
    nodes = tuple(a_node(number) for number in range(55))
    lines = drawn(a_sight(a_fleet(*nodes)))
    assert len(lines) <= 23
    assert lines[-1] == f"and {55 - (len(lines) - 2) // 2} more, all training"


def test_those_beyond_the_screen_are_counted_by_state() -> None:
    done = going(1, state="completed", total=None)
    nodes = (a_node(0), *(a_node(n) for n in range(1, 40)), a_node(40, run=done))
    assert re.fullmatch(r"and \d+ more: \d+ training, 1 completed", drawn(a_sight(a_fleet(*nodes)))[-1])


def test_one_node_is_shown_however_low_the_screen() -> None:
    lines = drawn(a_sight(a_fleet(a_node(0), a_node(1))), height=3)
    assert (lines[1][:15], lines[-1]) == ("demo/trainers/0", "and 1 more, training")


def test_of_a_gang_the_first_rank_has_the_bar() -> None:
    ranks = [a_node(n, run=going(0, rank=n, ranks=2)) for n in range(2)]
    first, second = drawn(a_sight(a_fleet(*ranks)), width=200)[1:]
    assert "training, rank 0 of 2" in first
    assert ("━" in first, "━" in second, "1400/2000" in second) == (True, False, True)


def test_the_last_news_are_below_and_take_a_quarter_at_most() -> None:
    news = tuple(f"10:02:{number:02} something" for number in range(30))
    lines = drawn(a_sight(), news=news)
    assert (lines[-1], sum("something" in line for line in lines)) == ("10:02:29 something", 5)


def test_what_cannot_be_read_is_said_on_top_of_the_last_picture() -> None:
    top, sentence, *_ = drawn(a_sight(trouble="the tracker is locked"), now=NOW + 12)
    assert top == "! demo: as it was 12s ago, nothing newer is known: the tracker is locked"
    assert sentence == "demo: as it is"


def test_a_fleet_that_could_never_be_read_says_only_that() -> None:
    assert drawn(Sight(fleet="demo", trouble="locked")) == ["! demo: nothing is known yet: locked"]


def test_a_hold_of_the_fleet_is_below_the_sentence_and_a_nodes_at_the_node() -> None:
    held = a_node(conditions=(a_condition("lunch", type="Held", reason="Stop"),))
    of_the_node, of_the_fleet = a_hold(node="demo/trainers/0"), a_hold(id="h2", node=None, reason="storm")
    lines = drawn(a_sight(a_fleet(held, holds=(of_the_node, of_the_fleet))), width=200)
    assert [line for line in lines if line.startswith("  held: ")] == [lines[1]]
    assert "storm" in lines[1]


def test_two_fleets_share_the_screen() -> None:
    many = tuple(a_node(number) for number in range(50))
    lines = drawn(a_sight(a_fleet(*many)), a_sight(a_fleet(*many, fleet="other"), fleet="other"))
    assert len(lines) <= 23
    assert [line for line in lines if line.endswith("as it is")] == ["demo: as it is", "other: as it is"]


def test_types_and_zones_are_shown_where_machines_differ_in_them() -> None:
    node = a_node(instance_type="g5.2xlarge", zone="us-east-1a")
    assert "spot  g5.2xlarge  us-east-1a  running" in drawn(a_sight(a_fleet(node, provider="aws")))[1]


def test_colour_is_beside_the_words_and_never_instead_of_them() -> None:
    noticed = a_fleet(a_node(notice=NoticeStatus(cause="spot", seconds_left=8.0)))
    coloured = "\n".join(drawn(a_sight(noticed), plain=False))
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured).split("\n") == drawn(a_sight(noticed))

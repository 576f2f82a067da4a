"""On a terminal: the live table, Ctrl-C once and twice, and the question before anything is made."""

from __future__ import annotations

import pytest

from tests.e2e.stage import Stage, undisturbed, wait_until
from tests.e2e.terminal import Terminals

LONG = {"hyperparameters": {"steps": 100_000, "seed": 7}}
CTRL_C = b"\x03"


def test_run_shows_a_live_table_and_its_news_and_ends_in_the_result(stage: Stage, terminals: Terminals) -> None:
    stage.declare()
    terminal = terminals.open("run", str(stage.spec), "--yes")
    wait_until(lambda: terminal.has(r"^f: 1 training\nf/t/0 +spot +running +training +━"), "the node's line")
    wait_until(lambda: terminal.has(r"trainer started → attempt 1 on incarnation 1"), "the news below")
    assert terminal.ends() == 0
    assert terminal.shows(r"f\.t\.main\.0 +completed")
    assert terminal.shows("Lost work: 0 steps")
    assert stage.weights() == undisturbed()


def test_ctrl_c_saves_and_stops_and_says_how_to_go_on(stage: Stage, terminals: Terminals) -> None:
    stage.declare()
    terminal = terminals.open("run", str(stage.spec), "--yes")
    stage.reach(30)
    terminal.type(CTRL_C)
    assert terminal.ends() == 130
    assert terminal.shows("saving and stopping; Ctrl-C again leaves at once")
    assert terminal.shows("saved and stopped; `steady run` or `steady apply` goes on from here")
    assert stage.left_over() == []


def test_a_second_ctrl_c_leaves_at_once_and_training_goes_on(stage: Stage, terminals: Terminals) -> None:
    stage.declare(train=LONG, arguments=("--step-time", "0.5"))
    terminal = terminals.open("run", str(stage.spec), "--yes")
    stage.reach(2)
    terminal.type(CTRL_C)
    wait_until(lambda: terminal.shows("saving and stopping"), "the answer")
    terminal.type(CTRL_C)
    assert terminal.ends() == 130


@pytest.mark.parametrize("verb", ["apply", "run"])
def test_a_plan_is_asked_about_and_no_means_no(stage: Stage, terminals: Terminals, verb: str) -> None:
    stage.declare()
    terminal = terminals.open(verb, str(stage.spec))
    wait_until(lambda: terminal.shows(r"\+ create  f/t/0[\s\S]*Do this\? \[y/N\]"), "the question")
    terminal.type(b"n\n")
    assert terminal.ends() == 1
    assert not list(stage.state.glob("machines/l-*"))


def test_yes_means_yes(stage: Stage, terminals: Terminals) -> None:
    stage.declare(train=LONG)
    terminal = terminals.open("apply", str(stage.spec))
    wait_until(lambda: terminal.shows(r"Do this\?"), "the question")
    terminal.type(b"y\n")
    assert terminal.ends() == 0
    assert stage.node()["run"]["state"] == "training"


def test_ctrl_c_at_the_question_makes_nothing(stage: Stage, terminals: Terminals) -> None:
    stage.declare()
    terminal = terminals.open("apply", str(stage.spec))
    wait_until(lambda: terminal.shows(r"Do this\?"), "the question")
    terminal.type(CTRL_C)
    assert terminal.ends() == 130
    assert not list(stage.state.glob("machines/l-*"))


def test_destroy_asks_too(stage: Stage, terminals: Terminals) -> None:
    stage.declare(train=LONG).apply()
    terminal = terminals.open("destroy", str(stage.spec))
    wait_until(lambda: terminal.shows(r"f: 1 machines will be saved and ended"), "what it is about")
    terminal.type(b"n\n")
    assert terminal.ends() == 1
    assert stage.node()["run"]["state"] == "training"

"""On a terminal: the live table, Ctrl-C once and twice, and the question before anything is made."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.e2e.stage import Stage, undisturbed, wait_until

LONG = {"hyperparameters": {"steps": 100_000, "seed": 7}}
CTRL_C = b"\x03"


class Terminal:
    """A command on a terminal of its own, and what it has shown so far."""

    def __init__(self, command: list[str], folder: os.PathLike[str]) -> None:
        self._ours, theirs = pty.openpty()
        env = {**os.environ, "TERM": "xterm", "COLUMNS": "160", "LINES": "50"}
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=env, preexec_fn=_own_terminal
        )
        os.close(theirs)
        self._seen = b""

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def shows(self, pattern: str) -> bool:
        """Whether the pattern was ever on the screen."""
        self._read()
        return re.search(pattern, self.text) is not None

    @property
    def text(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._seen.decode(errors="replace"))

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while select.select([self._ours], [], [], 0.02)[0]:
                self._seen += os.read(self._ours, 65536)

    def ends(self, within: float = 60.0) -> int:
        deadline = time.monotonic() + within
        while self.process.poll() is None and time.monotonic() < deadline:
            self._read()
        self._read()
        assert self.process.returncode is not None, self.text
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._ours)


def _own_terminal() -> None:
    """A session with the terminal as its own, so that Ctrl-C is a signal as for a person."""
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def terminals(stage: Stage) -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def on_terminal(terminals: list[Terminal], stage: Stage, *arguments: str) -> Terminal:
    terminals.append(Terminal(stage.command(*arguments), stage.folder))
    return terminals[-1]


def test_run_shows_a_live_table_and_its_news_and_ends_in_the_result(
    stage: Stage, terminals: list[Terminal]
) -> None:
    stage.declare()
    terminal = on_terminal(terminals, stage, "run", str(stage.spec), "--yes")
    wait_until(lambda: terminal.shows(r"f/t/0 +spot +running +training"), "the row of the node")
    wait_until(lambda: terminal.shows(r"trainer started → attempt 1 on incarnation 1"), "the news below")
    assert terminal.ends() == 0
    assert terminal.shows(r"f\.t\.main\.0 +completed")
    assert terminal.shows("Lost work: 0 steps")
    assert stage.weights() == undisturbed()


def test_ctrl_c_saves_and_stops_and_says_how_to_go_on(stage: Stage, terminals: list[Terminal]) -> None:
    stage.declare()
    terminal = on_terminal(terminals, stage, "run", str(stage.spec), "--yes")
    stage.reach(30)
    terminal.type(CTRL_C)
    assert terminal.ends() == 130
    assert terminal.shows("saving and stopping; Ctrl-C again leaves at once")
    assert terminal.shows("saved and stopped; `steady run` or `steady apply` goes on from here")
    assert stage.left_over() == []


def test_a_second_ctrl_c_leaves_at_once_and_training_goes_on(stage: Stage, terminals: list[Terminal]) -> None:
    stage.declare(train=LONG, arguments=("--step-time", "0.5"))
    terminal = on_terminal(terminals, stage, "run", str(stage.spec), "--yes")
    stage.reach(2)
    terminal.type(CTRL_C)
    wait_until(lambda: terminal.shows("saving and stopping"), "the answer")
    terminal.type(CTRL_C)
    assert terminal.ends() == 130


@pytest.mark.parametrize("verb", ["apply", "run"])
def test_a_plan_is_asked_about_and_no_means_no(stage: Stage, terminals: list[Terminal], verb: str) -> None:
    stage.declare()
    terminal = on_terminal(terminals, stage, verb, str(stage.spec))
    wait_until(lambda: terminal.shows(r"\+ create  f/t/0[\s\S]*Do this\? \[y/N\]"), "the question")
    terminal.type(b"n\n")
    assert terminal.ends() == 1
    assert not list(stage.state.glob("machines/l-*"))


def test_yes_means_yes(stage: Stage, terminals: list[Terminal]) -> None:
    stage.declare(train=LONG)
    terminal = on_terminal(terminals, stage, "apply", str(stage.spec))
    wait_until(lambda: terminal.shows(r"Do this\?"), "the question")
    terminal.type(b"y\n")
    assert terminal.ends() == 0
    assert stage.node()["run"]["state"] == "training"


def test_ctrl_c_at_the_question_makes_nothing(stage: Stage, terminals: list[Terminal]) -> None:
    stage.declare()
    terminal = on_terminal(terminals, stage, "apply", str(stage.spec))
    wait_until(lambda: terminal.shows(r"Do this\?"), "the question")
    terminal.type(CTRL_C)
    assert terminal.ends() == 130
    assert not list(stage.state.glob("machines/l-*"))


def test_destroy_asks_too(stage: Stage, terminals: list[Terminal]) -> None:
    stage.declare(train=LONG).apply()
    terminal = on_terminal(terminals, stage, "destroy", str(stage.spec))
    wait_until(lambda: terminal.shows(r"f: 1 machines will be saved and ended"), "what it is about")
    terminal.type(b"n\n")
    assert terminal.ends() == 1
    assert stage.node()["run"]["state"] == "training"

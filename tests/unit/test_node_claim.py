"""Who may be an agent: a machine with a creation claim. A tracker that is away proves nothing against it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lifecycle.adapters.local.layout import StateDirectory
from lifecycle.adapters.local.table import SqliteTable
from lifecycle.agent.service import Identity
from lifecycle.bootstrap import node
from lifecycle.model.errors import SteadyError, Unreadable
from lifecycle.tracker.controller import ControllerTracker
from lifecycle.tracker.node import NodeTracker
from tests.builders import NODE, an_incarnation
from tests.unit.agent.doubles import Rings

ME = Identity(node=NODE, instance="m1", incarnation=1)


class Begun(Exception):
    """The agent was put together: it has passed the check."""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateDirectory:
    """An agent that ends where its threads would begin; its machine says that it is m1."""

    def begin(*_: object) -> None:
        raise Begun

    monkeypatch.setattr(node, "Bell", Rings)
    monkeypatch.setattr(node, "_who_am_i", lambda *_: ME)
    monkeypatch.setattr(node, "Courier", begin)
    return StateDirectory(tmp_path)


def test_a_machine_without_a_claim_is_nobodys(state: StateDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "SqliteTable", lambda *_, **__: SqliteTable(None))
    with pytest.raises(SteadyError, match="no creation claim for f/t/0, incarnation 1"):
        node._run(state)


def test_a_machine_with_a_claim_begins(state: StateDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    table = SqliteTable(None)
    ControllerTracker(table).claim_incarnation("f", an_incarnation(), None)
    monkeypatch.setattr(node, "SqliteTable", lambda *_, **__: table)
    with pytest.raises(Begun):
        node._run(state)


def test_a_copy_of_a_machine_with_its_tags_trains_nothing(
    state: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = SqliteTable(None)
    ControllerTracker(table).claim_incarnation("f", an_incarnation(instance="m0"), None)
    monkeypatch.setattr(node, "SqliteTable", lambda *_, **__: table)
    with pytest.raises(SteadyError, match="m1 wears the tags of m0, which fills f/t/0"):
        node._run(state)


def test_an_agent_begins_while_the_tracker_is_away(state: StateDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise Unreadable("it is away", fix="wait")

    monkeypatch.setattr(NodeTracker, "incarnation", away)
    with pytest.raises(Begun):
        node._run(state)


def test_an_agent_whose_machine_was_gone_before_it_looked_does_not_wait_for_its_name(tmp_path: Path) -> None:
    env = {**os.environ, "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1/", "STEADY_MACHINE_PID": "1"}
    command = [sys.executable, "-m", "lifecycle.bootstrap.node", "--state", str(tmp_path)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)

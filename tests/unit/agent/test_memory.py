"""What an agent leaves to its successor: one file, whole or absent; a full disk is waited out."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifecycle.agent.memory import Memory
from lifecycle.model.node import NodeState
from tests.builders import a_receipt, an_assignment, but


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent.json"


def test_a_first_agent_remembers_nothing(path: Path) -> None:
    assert Memory(path).state == NodeState()


def test_a_successor_remembers_what_was_saved(path: Path) -> None:
    memory = Memory(path)
    memory.state = NodeState(assignment=an_assignment(), receipt=a_receipt(100), refused=("d1",))
    memory.save()
    assert Memory(path).state == memory.state


def test_what_was_not_saved_is_not_remembered(path: Path) -> None:
    memory = Memory(path)
    memory.state = NodeState(from_step=7)
    assert Memory(path).state == NodeState()


def test_an_unchanged_state_is_not_written_again(path: Path) -> None:
    memory = Memory(path)
    memory.state = NodeState(from_step=7)
    memory.save()
    path.unlink()
    memory.save()
    assert not path.exists()


@pytest.mark.parametrize("garbage", [b"", b"{", b"[]", b'{"restored": 3}', b"\xff\xfe"])
def test_garbage_is_remembered_as_nothing(path: Path, garbage: bytes) -> None:
    path.write_bytes(garbage)
    assert Memory(path).state == NodeState()


def test_what_a_newer_agent_wrote_beside_is_passed_over(path: Path) -> None:
    path.write_bytes(b'{"from_step": 7, "invented_later": true}')
    assert Memory(path).state == NodeState(from_step=7)


def test_a_disk_that_takes_nothing_is_a_fault(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "missing/agent.json")
    memory.state = NodeState(from_step=7)
    memory.save()
    assert memory.fault == f"{tmp_path}/missing/agent.json: No such file or directory"


def test_a_fault_is_tried_again_until_it_is_over(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "missing/agent.json")
    memory.state = NodeState(from_step=7)
    memory.save()
    (tmp_path / "missing").mkdir()
    memory.save()
    assert (memory.fault, Memory(tmp_path / "missing/agent.json").state.from_step) == ("", 7)


def test_a_file_is_never_half_written(path: Path) -> None:
    memory = Memory(path)
    for step in range(5):
        memory.state = but(memory.state, from_step=step)
        memory.save()
    assert [entry.name for entry in path.parent.iterdir()] == ["agent.json"]


def test_a_fault_is_over_when_nothing_is_left_to_write(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "missing/agent.json")
    memory.state = NodeState(from_step=7)
    memory.save()
    memory.state = NodeState()
    memory.save()
    assert memory.fault == ""

"""The state directory: made once, for this user only, with one owner for ever."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lifecycle.adapters.local.layout import StateDirectory
from lifecycle.model.errors import StateUnusable, Unreadable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "state"


def prepared(path: Path) -> StateDirectory:
    state = StateDirectory(path)
    state.prepare()
    return state


# ---- the owner -----------------------------------------------------------------------------------


def test_an_owner_is_made_with_the_directory_and_stays(path: Path) -> None:
    owner = prepared(path).owner
    assert owner.startswith("local-")
    assert prepared(path).owner == owner


def test_two_directories_have_two_owners(tmp_path: Path) -> None:
    assert prepared(tmp_path / "one").owner != prepared(tmp_path / "two").owner


PREPARES = """
import sys
from pathlib import Path
from lifecycle.adapters.local.layout import StateDirectory
state = StateDirectory(Path(sys.argv[1]))
sys.stdin.readline()
state.prepare()
print(state.owner)
"""


def test_processes_that_come_at_once_agree_on_the_owner(path: Path) -> None:
    command = [sys.executable, "-c", PREPARES, str(path)]
    crowd = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for each in crowd:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    owners = {each.communicate(timeout=60)[0].strip() for each in crowd}
    assert owners == {StateDirectory(path).owner}


@pytest.mark.parametrize("sign", ["machines", "tracker.db"])
def test_a_lost_owner_is_not_made_anew(path: Path, sign: str) -> None:
    state = prepared(path)
    state.tracker.touch()
    (path / "owner").unlink()
    for other in {"machines", "tracker.db"} - {sign}:
        (path / other).rmdir() if (path / other).is_dir() else (path / other).unlink()
    state.prepare()
    with pytest.raises(Unreadable, match="owner: No such file"):
        state.owner  # noqa: B018


def test_nothing_is_left_beside_the_owner(path: Path) -> None:
    prepared(path)
    assert sorted(entry.name for entry in path.iterdir()) == [".gitignore", "local", "logs", "machines", "owner"]


# ---- the directory -------------------------------------------------------------------------------


def test_the_directory_is_for_this_user_only(path: Path) -> None:
    prepared(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_the_directory_keeps_out_of_repositories(path: Path) -> None:
    prepared(path)
    assert (path / ".gitignore").read_text() == "*\n"


def test_a_gitignore_of_ones_own_is_kept(path: Path) -> None:
    path.mkdir(parents=True)
    (path / ".gitignore").write_text("mine\n")
    prepared(path)
    assert (path / ".gitignore").read_text() == "mine\n"


def test_preparing_again_makes_what_is_missing(path: Path) -> None:
    state = prepared(path)
    state.logs.rmdir()
    state.prepare()
    assert state.logs.is_dir()


# ---- unused --------------------------------------------------------------------------------------


def test_a_directory_that_is_not_there_is_unused_and_stays_away(path: Path) -> None:
    assert StateDirectory(path).unused
    assert not path.parent.exists()


def test_an_empty_directory_is_unused_and_left_alone(path: Path) -> None:
    path.mkdir(parents=True)
    assert StateDirectory(path).unused
    assert list(path.iterdir()) == []


def test_a_prepared_directory_is_used(path: Path) -> None:
    assert not prepared(path).unused


# ---- what cannot be used -------------------------------------------------------------------------


def test_a_file_cannot_be_a_state_directory(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("a file")
    with pytest.raises(StateUnusable, match="the state directory cannot be used: Not a directory"):
        prepared(path)
    assert path.read_text() == "a file"


def test_a_file_is_not_an_unused_directory(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with pytest.raises(StateUnusable):
        StateDirectory(path).unused  # noqa: B018


def test_a_directory_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateUnusable, match="Not a directory"):
        prepared(tmp_path / "file" / "state")


def test_an_owner_that_is_a_directory_is_unreadable(path: Path) -> None:
    (path / "owner").mkdir(parents=True)
    with pytest.raises(Unreadable, match="Is a directory"):
        StateDirectory(path).owner  # noqa: B018

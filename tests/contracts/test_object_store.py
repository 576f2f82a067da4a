"""The directory store keeps the contract; and what only a directory can get wrong."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lifecycle.adapters.local.objects import DirectoryStore
from lifecycle.model.errors import Conflict, Unreadable
from lifecycle.ports.checkpoints import ObjectStore
from tests.contracts.object_store import ObjectStoreContract, digest_of, nothing


class TestDirectoryStore(ObjectStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        (tmp_path / "objects").mkdir()
        return DirectoryStore(tmp_path / "objects")

    @pytest.fixture
    def away(self, tmp_path: Path) -> ObjectStore:
        (tmp_path / "objects").write_text("not a directory, as after a failed mount")
        return DirectoryStore(tmp_path / "objects")

    @pytest.fixture
    def leave(self, tmp_path: Path) -> Callable[[str], object]:
        def left(key: str) -> None:
            half = tmp_path / "objects" / key
            half.parent.mkdir(parents=True, exist_ok=True)
            half.with_name(f".77.{half.name}").write_bytes(b"half")

        return left


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "objects").mkdir()
    return tmp_path / "objects"


def files(root: Path) -> list[str]:
    """Everything that lies in the store, hidden or not."""
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_a_store_that_is_not_there_yet_has_not_said_that_an_object_is_missing(tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        DirectoryStore(tmp_path / "nowhere").get("runs/a/manifest.json")


def test_the_first_object_makes_the_store(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "state" / "objects")
    store.put_new("runs/a/manifest.json", b"{}")
    assert files(tmp_path / "state" / "objects") == ["runs/a/manifest.json"]


def test_nothing_but_the_object_lies_in_the_store_after_a_put(root: Path, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"data")
    DirectoryStore(root).put_file("runs/a/data", tmp_path / "source", nothing)
    assert files(root) == ["runs/a/data"]


def test_nothing_but_the_first_object_lies_in_the_store_after_a_conflict(root: Path) -> None:
    store = DirectoryStore(root)
    store.put_new("runs/a/manifest.json", b"first")
    with pytest.raises(Conflict):
        store.put_new("runs/a/manifest.json", b"second")
    assert files(root) == ["runs/a/manifest.json"]


def test_removing_the_last_object_takes_its_empty_folders_but_never_the_store(root: Path) -> None:
    store = DirectoryStore(root)
    store.put_new("runs/a/deep/1", b"")
    store.remove(["runs/a/deep/1"])
    assert list(root.iterdir()) == []


def test_folders_that_hold_something_else_stay(root: Path) -> None:
    store = DirectoryStore(root)
    store.put_new("runs/a/1", b"")
    store.put_new("runs/a/2", b"")
    store.remove(["runs/a/1"])
    assert files(root) == ["runs/a/2"]


PUT_SLOWLY = """
import sys, time
from pathlib import Path
from lifecycle.adapters.local.objects import DirectoryStore
def moved(count):
    print("moved", flush=True)
    time.sleep(60)
DirectoryStore(Path(sys.argv[1])).put_file("runs/a/data", Path(sys.argv[2]), moved)
"""


def killed_in_the_middle_of_a_put(root: Path, source: Path) -> None:
    command = [sys.executable, "-c", PUT_SLOWLY, str(root), str(source)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout.readline() == "moved\n"
        victim.send_signal(signal.SIGKILL)


def test_a_put_cut_short_by_sigkill_leaves_nothing_visible(root: Path, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"data")
    killed_in_the_middle_of_a_put(root, tmp_path / "source")
    store = DirectoryStore(root)
    assert (store.get("runs/a/data"), list(store.keys("runs/"))) == (None, [])


def test_a_put_cut_short_by_sigkill_may_be_repeated(root: Path, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"data")
    killed_in_the_middle_of_a_put(root, tmp_path / "source")
    assert DirectoryStore(root).put_file("runs/a/data", tmp_path / "source", nothing) == digest_of(b"data")


def test_what_a_put_cut_short_by_sigkill_left_is_removed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"data")
    killed_in_the_middle_of_a_put(root, tmp_path / "source")
    assert len(files(root)) == 1
    assert DirectoryStore(root).abort_stale("runs/", -60) == 1
    assert list(root.iterdir()) == []


def test_a_store_that_is_not_there_yet_holds_no_leftovers(tmp_path: Path) -> None:
    assert DirectoryStore(tmp_path / "nowhere").abort_stale("runs/", 0) == 0


def test_an_object_replaced_by_a_link_is_not_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"secret")
    (root / "data").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Unreadable):
        DirectoryStore(root).get_file("data", tmp_path / "target", nothing)

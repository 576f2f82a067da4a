"""What every `ports.checkpoints.ObjectStore` promises. A store proves itself by a subclass with three fixtures.

class TestMyStore(ObjectStoreContract):
    @pytest.fixture
    def store(self, ...) -> ObjectStore:
        ...  # empty, and there
    @pytest.fixture
    def away(self, ...) -> ObjectStore:
        ...  # one that does not answer
    @pytest.fixture
    def leave(self, ...) -> Callable[[str], object]:
        ...  # leaves what is left of a put of this key that was cut short
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from lifecycle.model.errors import Conflict, Unreadable
from lifecycle.ports.checkpoints import Digest, ObjectStore

BIG = 3 * 1024 * 1024 + 17
"""More than one chunk, and not a whole number of them."""


class Abandoned(Exception):
    """Raised by `moved` to give a transfer up."""


def nothing(_: int) -> None:
    """A `moved` that nobody listens to."""


def give_up(_: int) -> None:
    raise Abandoned


def digest_of(data: bytes) -> Digest:
    return Digest(len(data), hashlib.sha256(data).hexdigest())


class ObjectStoreContract:
    """The promises, one by one."""

    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        path = tmp_path / "source"
        path.write_bytes(b"weights " * (BIG // 8) + b"!")
        return path

    # ---- storing and reading ---------------------------------------------------------------------

    def test_a_stored_file_is_told_by_size_and_sha256(self, store: ObjectStore, source: Path) -> None:
        assert store.put_file("runs/a/data", source, nothing) == digest_of(source.read_bytes())

    def test_an_empty_file_is_an_object_too(self, store: ObjectStore, tmp_path: Path) -> None:
        (tmp_path / "empty").touch()
        assert store.put_file("runs/a/data", tmp_path / "empty", nothing) == digest_of(b"")
        assert store.get("runs/a/data") == b""

    def test_what_is_fetched_is_what_was_stored(self, store: ObjectStore, source: Path, tmp_path: Path) -> None:
        stored = store.put_file("runs/a/data", source, nothing)
        assert store.get_file("runs/a/data", tmp_path / "target", nothing) == stored
        assert (tmp_path / "target").read_bytes() == source.read_bytes()

    def test_fetching_replaces_what_lay_there(self, store: ObjectStore, source: Path, tmp_path: Path) -> None:
        store.put_file("runs/a/data", source, nothing)
        (tmp_path / "target").write_bytes(b"older and " * BIG)
        store.get_file("runs/a/data", tmp_path / "target", nothing)
        assert (tmp_path / "target").read_bytes() == source.read_bytes()

    def test_storing_again_replaces_the_object(self, store: ObjectStore, source: Path) -> None:
        store.put_file("runs/a/data", source, nothing)
        source.write_bytes(b"newer")
        store.put_file("runs/a/data", source, nothing)
        assert store.get("runs/a/data") == b"newer"

    @pytest.mark.parametrize("direction", ["put", "get"])
    def test_every_byte_moved_is_counted(
        self, store: ObjectStore, source: Path, tmp_path: Path, direction: str
    ) -> None:
        counts: list[int] = []
        store.put_file("runs/a/data", source, counts.append if direction == "put" else nothing)
        if direction == "get":
            store.get_file("runs/a/data", tmp_path / "target", counts.append)
        assert sum(counts) == source.stat().st_size

    # ---- new objects -----------------------------------------------------------------------------

    def test_a_new_object_is_there_at_once(self, store: ObjectStore) -> None:
        store.put_new("runs/a/manifest.json", b"{}")
        assert store.get("runs/a/manifest.json") == b"{}"

    def test_a_new_object_never_replaces_one(self, store: ObjectStore) -> None:
        store.put_new("runs/a/manifest.json", b"first")
        with pytest.raises(Conflict, match="exists already"):
            store.put_new("runs/a/manifest.json", b"second")
        assert store.get("runs/a/manifest.json") == b"first"

    def test_a_new_object_that_was_removed_may_be_put_again(self, store: ObjectStore) -> None:
        store.put_new("runs/a/manifest.json", b"first")
        store.remove(["runs/a/manifest.json"])
        store.put_new("runs/a/manifest.json", b"second")
        assert store.get("runs/a/manifest.json") == b"second"

    # ---- what is not there -----------------------------------------------------------------------

    def test_a_missing_object_is_none(self, store: ObjectStore) -> None:
        assert store.get("runs/nobody/manifest.json") is None

    def test_a_missing_file_is_none_and_leaves_no_target(self, store: ObjectStore, tmp_path: Path) -> None:
        assert store.get_file("runs/nobody/data", tmp_path / "target", nothing) is None
        assert not (tmp_path / "target").exists()

    # ---- keys ------------------------------------------------------------------------------------

    def test_keys_are_those_below_the_prefix_sorted(self, store: ObjectStore) -> None:
        for key in ("runs/b/1", "runs/a/2", "runs/a/1/deep/er", "runs/ab/1"):
            store.put_new(key, b"")
        assert list(store.keys("runs/a/")) == ["runs/a/1/deep/er", "runs/a/2"]

    def test_a_prefix_may_end_within_a_name(self, store: ObjectStore) -> None:
        for key in ("runs/a/1", "runs/ab/1", "runs/b/1"):
            store.put_new(key, b"")
        assert list(store.keys("runs/a")) == ["runs/a/1", "runs/ab/1"]

    def test_a_prefix_that_nothing_has_gives_nothing(self, store: ObjectStore) -> None:
        store.put_new("runs/a/1", b"")
        assert list(store.keys("runs/c/")) == []

    # ---- removing --------------------------------------------------------------------------------

    def test_removed_objects_are_gone_and_others_stay(self, store: ObjectStore) -> None:
        for key in ("runs/a/1", "runs/a/2", "runs/b/1"):
            store.put_new(key, b"")
        store.remove(["runs/a/1", "runs/a/2"])
        assert list(store.keys("runs/")) == ["runs/b/1"]

    def test_removing_what_is_missing_is_fine(self, store: ObjectStore) -> None:
        store.put_new("runs/a/1", b"")
        store.remove(["runs/a/1", "runs/a/1", "runs/nobody/1"])
        assert list(store.keys("runs/")) == []

    def test_a_hidden_file_is_an_object_as_any_other(
        self, store: ObjectStore, source: Path, tmp_path: Path
    ) -> None:
        stored = store.put_file("runs/a/.git/.config.7", source, nothing)
        assert list(store.keys("runs/a/.g")) == ["runs/a/.git/.config.7"]
        assert store.abort_stale("runs/", -60) == 0
        assert store.get_file("runs/a/.git/.config.7", tmp_path / "target", nothing) == stored
        store.remove(["runs/a/.git/.config.7"])
        assert list(store.keys("runs/")) == []

    # ---- leftovers -------------------------------------------------------------------------------

    def test_leftovers_end_below_the_prefix_once_they_are_old_enough(
        self, store: ObjectStore, leave: Callable[[str], object]
    ) -> None:
        for key in ("runs/a/1", "runs/a/deep/2", "runs/ab/3"):
            leave(key)
        store.put_new("runs/a/whole", b"")
        assert store.abort_stale("runs/a/", 1e10) == 0
        assert [store.abort_stale("runs/a/", -60) for _ in range(2)] == [2, 0]
        assert store.abort_stale("runs/", -60) == 1
        assert list(store.keys("runs/")) == ["runs/a/whole"]

    # ---- whole or absent -------------------------------------------------------------------------

    def test_an_abandoned_put_leaves_nothing_behind(self, store: ObjectStore, source: Path) -> None:
        store.put_new("runs/a/neighbour", b"")
        with pytest.raises(Abandoned):
            store.put_file("runs/a/data", source, give_up)
        assert list(store.keys("runs/")) == ["runs/a/neighbour"]
        assert store.get("runs/a/data") is None

    def test_an_abandoned_put_leaves_the_object_that_was_there(self, store: ObjectStore, source: Path) -> None:
        store.put_new("runs/a/data", b"whole")
        with pytest.raises(Abandoned):
            store.put_file("runs/a/data", source, give_up)
        assert store.get("runs/a/data") == b"whole"

    def test_nothing_is_visible_while_a_put_is_under_way(self, store: ObjectStore, source: Path) -> None:
        seen: list[object] = []
        store.put_new("runs/a/neighbour", b"")
        store.put_file(
            "runs/a/data", source, lambda _: seen.append((store.get("runs/a/data"), store.keys("runs/")))
        )
        assert seen[0] == (None, ["runs/a/neighbour"])

    def test_an_abandoned_get_is_told(self, store: ObjectStore, source: Path, tmp_path: Path) -> None:
        store.put_file("runs/a/data", source, nothing)
        with pytest.raises(Abandoned):
            store.get_file("runs/a/data", tmp_path / "target", give_up)

    def test_a_link_is_never_stored(self, store: ObjectStore, source: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(source)
        store.put_new("runs/a/neighbour", b"")
        with pytest.raises(OSError, match="symbolic links"):
            store.put_file("runs/a/data", tmp_path / "link", nothing)
        assert list(store.keys("runs/")) == ["runs/a/neighbour"]

    # ---- a store that does not answer ------------------------------------------------------------

    def test_a_store_that_is_away_has_not_said_that_an_object_is_missing(self, away: ObjectStore) -> None:
        with pytest.raises(Unreadable, match="does not answer"):
            away.get("runs/a/manifest.json")

    def test_a_store_that_is_away_has_not_said_that_a_file_is_missing(
        self, away: ObjectStore, tmp_path: Path
    ) -> None:
        with pytest.raises(Unreadable):
            away.get_file("runs/a/data", tmp_path / "target", nothing)
        assert not (tmp_path / "target").exists()

    def test_a_store_that_is_away_has_not_said_that_it_is_empty(self, away: ObjectStore) -> None:
        with pytest.raises(Unreadable):
            away.keys("runs/")

    def test_a_store_that_is_away_has_not_said_that_there_are_no_leftovers(self, away: ObjectStore) -> None:
        with pytest.raises(Unreadable):
            away.abort_stale("runs/", 0)

    def test_a_store_that_is_away_takes_no_file(self, away: ObjectStore, source: Path) -> None:
        with pytest.raises(Unreadable):
            away.put_file("runs/a/data", source, nothing)

    def test_a_store_that_is_away_takes_no_new_object(self, away: ObjectStore) -> None:
        with pytest.raises(Unreadable):
            away.put_new("runs/a/manifest.json", b"{}")

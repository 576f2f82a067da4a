"""Checkpoints to the store and back: the real courier thread over a directory as the store."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lifecycle.adapters.local.objects import DirectoryStore
from lifecycle.agent.courier import Courier, Done, Failed, Job, Restore, Restored, Ship, Shipped
from lifecycle.agent.manifest import Manifest, StoredFile, Unsound, files_of, manifest_bytes, read_manifest
from lifecycle.agent.rundir import complete_checkpoints
from lifecycle.model.codec import encode
from lifecycle.model.errors import Unreadable
from lifecycle.model.records import Receipt
from lifecycle.ports.checkpoints import Digest, Moved
from tests.builders import NODE, NOW, RUN, a_receipt, but

PATIENCE = 20.0


class Watched(DirectoryStore):
    """A real store; a test may meddle with each transfer, and count what was read back."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.before_put: Callable[[Path], object] = lambda source: None
        self.after_put: Callable[[Path], object] = lambda source: None
        self.fetched: list[str] = []

    def put_file(self, key: str, source: Path, moved: Moved) -> Digest:
        self.before_put(source)
        digest = super().put_file(key, source, moved)
        self.after_put(source)
        return digest

    def get_file(self, key: str, target: Path, moved: Moved) -> Digest | None:
        self.fetched.append(key)
        return super().get_file(key, target, moved)


class Depot:
    """A courier between the disk of one machine (`here`), a store, and the disk of the next (`there`)."""

    def __init__(self, root: Path) -> None:
        self.root, self.here, self.there = root / "store", root / "here", root / "there"
        for folder in (self.root, self.here, self.there):
            folder.mkdir()
        self.store = Watched(self.root)
        self.finished = threading.Event()
        self.courier = Courier(self.store, lambda: NOW, self.finished.set)

    def do(self, job: Job) -> Done:
        self.courier.submit(job)
        return self.done()

    def done(self) -> Done:
        deadline = time.monotonic() + PATIENCE
        while (done := self.courier.result()) is None:
            assert self.finished.wait(deadline - time.monotonic()), "the courier does not end its job"
            self.finished.clear()
        return done

    def job(self, **changes: Any) -> Ship:
        """Ship the newest checkpoint that lies here."""
        newest = complete_checkpoints(self.here)[-1]
        fields = {"fleet": "f", "run": RUN, "attempt": 1, "node": NODE, "directory": self.here}
        return Ship(**{**fields, "checkpoint": newest, **changes})

    def shipped(self, **changes: Any) -> Receipt:
        done = self.do(self.job(**changes))
        assert isinstance(done, Shipped), done
        return done.receipt

    def failed(self) -> Failed:
        done = self.do(self.job())
        assert isinstance(done, Failed), done
        return done

    def restored(self, *candidates: Receipt) -> Restored:
        done = self.do(Restore(candidates=candidates, directory=self.there))
        assert isinstance(done, Restored), done
        return done

    def saves(self, step: int, content: str = "weights") -> Path:
        path = self.here / f"step-{step:06d}"
        path.write_text(f"{content} {step}")
        return path

    def saves_tree(self, step: int) -> Path:
        path = self.here / f"step-{step:06d}"
        (path / "shards/deep").mkdir(parents=True)
        (path / "meta.json").write_text("{}")
        (path / "shards/deep/größe 1.bin").write_bytes(b"\x00\x01" * 700_000)
        (path / "shards/empty").touch()
        return path

    def objects(self, receipt: Receipt) -> list[Path]:
        return [self.root / key for key in self.store.keys(receipt.prefix + "/files/")]

    def close(self) -> None:
        self.courier.cancel()
        self.courier._jobs.put(None)
        self.courier._thread.join(PATIENCE)
        assert not self.courier._thread.is_alive()


@pytest.fixture
def depot(tmp_path: Path) -> Iterator[Depot]:
    depot = Depot(tmp_path)
    yield depot
    depot.close()


def content(checkpoint: Path) -> dict[str, bytes]:
    return {path: file.read_bytes() for path, file in files_of(checkpoint)}


# ---- there and back ----------------------------------------------------------------------------------


def test_a_file_comes_back_as_it_was(depot: Depot) -> None:
    saved = depot.saves(100)
    receipt = depot.shipped()
    assert depot.restored(receipt).receipt == receipt
    assert content(depot.there / "step-000100") == content(saved)


def test_a_tree_comes_back_as_it_was(depot: Depot) -> None:
    saved = depot.saves_tree(100)
    depot.restored(depot.shipped())
    assert content(depot.there / "step-000100") == content(saved)


def test_nothing_else_lies_beside_what_was_restored(depot: Depot) -> None:
    depot.saves_tree(100)
    depot.restored(depot.shipped())
    assert [path.name for path in depot.there.iterdir()] == ["step-000100"]


def test_a_receipt_names_the_run_the_attempt_the_step_and_the_ask(depot: Depot) -> None:
    depot.saves(100)
    receipt = depot.shipped(attempt=3, request="d1")
    assert (receipt.run, receipt.epoch, receipt.step, receipt.request, receipt.at) == (RUN, 3, 100, "d1", NOW)


def test_the_digest_of_a_receipt_is_that_of_the_manifest(depot: Depot) -> None:
    depot.saves(100)
    receipt = depot.shipped()
    manifest = depot.store.get(f"{receipt.prefix}/manifest.json")
    assert manifest is not None
    assert hashlib.sha256(manifest).hexdigest() == receipt.digest


def test_the_size_of_a_receipt_is_that_of_the_files(depot: Depot) -> None:
    depot.saves_tree(100)
    assert depot.shipped().size == 1_400_002


def test_the_bytes_moved_are_counted(depot: Depot) -> None:
    depot.saves_tree(100)
    depot.shipped()
    assert depot.courier.moved == 1_400_002


def test_the_same_step_saved_anew_overwrites_nothing(depot: Depot) -> None:
    depot.saves(100, "first")
    first = depot.shipped()
    depot.saves(100, "second and longer")
    second = depot.shipped()
    assert first.prefix != second.prefix
    assert depot.restored(first).receipt == first


def test_the_manifest_comes_last(depot: Depot) -> None:
    depot.saves_tree(100)
    seen: list[list[str]] = []
    depot.store.after_put = lambda _: seen.append([key for key in depot.store.keys("runs/") if "manifest" in key])
    depot.shipped()
    assert seen == [[], [], []]


def test_the_manifest_of_an_interrupted_predecessor_is_accepted(depot: Depot) -> None:
    depot.saves(100)
    assert depot.shipped() == depot.shipped()


def test_another_manifest_in_its_place_is_a_failure(depot: Depot) -> None:
    depot.saves(100)
    receipt = depot.shipped()
    (depot.root / receipt.prefix / "manifest.json").write_text("{}")
    assert "exists already" in depot.failed().why


# ---- what is not sound here --------------------------------------------------------------------------


def test_a_checkpoint_that_grows_while_it_is_read_is_unsound(depot: Depot) -> None:
    saved = depot.saves(100)
    depot.store.after_put = lambda _: saved.write_text("something longer than it was")
    failed = depot.failed()
    assert (failed.unsound, failed.why) == (True, "step-000100 changed while it was read")


def test_a_file_that_appears_while_a_tree_is_read_makes_it_unsound(depot: Depot) -> None:
    saved = depot.saves_tree(100)
    depot.store.after_put = lambda _: (saved / "late").touch()
    assert depot.failed().unsound


def test_a_checkpoint_that_changed_leaves_no_manifest(depot: Depot) -> None:
    test_a_checkpoint_that_grows_while_it_is_read_is_unsound(depot)
    assert [key for key in depot.store.keys("runs/") if "manifest" in key] == []


def test_a_checkpoint_that_went_away_is_a_failure_to_be_tried_again(depot: Depot) -> None:
    job = (depot.saves(100), depot.job())[1]
    (depot.here / "step-000100").unlink()
    done = depot.do(job)
    assert isinstance(done, Failed)
    assert not done.unsound


def test_a_link_in_a_tree_is_refused(depot: Depot) -> None:
    (depot.saves_tree(100) / "link").symlink_to("/etc/passwd")
    assert depot.failed().why == "link is neither a file nor a folder"


def test_a_link_to_a_folder_is_refused(depot: Depot) -> None:
    (depot.saves_tree(100) / "link").symlink_to("/etc", target_is_directory=True)
    assert depot.failed().unsound


def test_a_pipe_in_a_tree_is_refused(depot: Depot) -> None:
    os.mkfifo(depot.saves_tree(100) / "pipe")
    assert depot.failed().unsound


def test_a_socket_in_a_tree_is_refused(depot: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(depot.saves_tree(100))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("sock")
        assert depot.failed().why == "sock is neither a file nor a folder"


def test_a_name_that_is_not_utf8_is_refused(depot: Depot) -> None:
    folder = depot.saves_tree(100)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.bin")).touch()
    assert depot.failed().why == "the file name b'\\xff.bin' is not UTF-8"


# ---- what is not sound there -------------------------------------------------------------------------


def two_shipped(depot: Depot) -> tuple[Receipt, Receipt]:
    """Receipts of step 100 and 50, newest first."""
    depot.saves(50)
    older = depot.shipped()
    depot.saves(100)
    return depot.shipped(), older


def torn(depot: Depot, receipt: Receipt) -> None:
    (found,) = depot.objects(receipt)
    found.write_bytes(found.read_bytes()[:-1])


def altered(depot: Depot, receipt: Receipt) -> None:
    (found,) = depot.objects(receipt)
    found.write_bytes(b"X" + found.read_bytes()[1:])


def missing(depot: Depot, receipt: Receipt) -> None:
    depot.objects(receipt)[0].unlink()


def without_manifest(depot: Depot, receipt: Receipt) -> None:
    (depot.root / receipt.prefix / "manifest.json").unlink()


def with_another_manifest(depot: Depot, receipt: Receipt) -> None:
    manifest = depot.root / receipt.prefix / "manifest.json"
    manifest.write_bytes(manifest.read_bytes() + b" ")


@pytest.mark.parametrize("harm", [torn, altered, missing, without_manifest, with_another_manifest])
def test_the_next_older_receipt_is_taken_when_the_newest_is_unsound(
    depot: Depot, harm: Callable[[Depot, Receipt], None]
) -> None:
    newest, older = two_shipped(depot)
    harm(depot, newest)
    done = depot.restored(newest, older)
    assert (done.receipt, done.rejected) == (older, (newest,))


@pytest.mark.parametrize("harm", [torn, altered, missing])
def test_what_is_unsound_never_gets_a_checkpoints_name(
    depot: Depot, harm: Callable[[Depot, Receipt], None]
) -> None:
    newest, older = two_shipped(depot)
    harm(depot, newest)
    depot.restored(newest, older)
    assert [found.name for found in complete_checkpoints(depot.there)] == ["step-000050"]


def test_when_none_is_sound_all_are_rejected(depot: Depot) -> None:
    newest, older = two_shipped(depot)
    torn(depot, newest)
    torn(depot, older)
    done = depot.restored(newest, older)
    assert (done.receipt, done.rejected) == (None, (newest, older))


def test_without_candidates_nothing_is_restored(depot: Depot) -> None:
    done = depot.restored()
    assert (done.receipt, done.rejected) == (None, ())


def test_a_store_that_is_not_there_is_no_proof_against_a_receipt(depot: Depot) -> None:
    newest, older = two_shipped(depot)
    depot.root.rename(depot.root.with_name("elsewhere"))
    done = depot.do(Restore(candidates=(newest, older), directory=depot.there))
    assert isinstance(done, Failed)
    assert "does not answer" in done.why
    depot.root.with_name("elsewhere").rename(depot.root)


def test_an_identical_checkpoint_is_not_fetched_again(depot: Depot) -> None:
    depot.saves_tree(100)
    receipt = depot.shipped()
    depot.restored(receipt)
    depot.store.fetched.clear()
    assert depot.restored(receipt).receipt == receipt
    assert depot.store.fetched == []


def test_a_checkpoint_that_differs_is_replaced(depot: Depot) -> None:
    saved = depot.saves_tree(100)
    receipt = depot.shipped()
    (depot.there / "step-000100").mkdir()
    (depot.there / "step-000100/meta.json").write_text("[]")
    depot.restored(receipt)
    assert content(depot.there / "step-000100") == content(saved)


def test_a_file_where_a_tree_belongs_is_replaced(depot: Depot) -> None:
    saved = depot.saves_tree(100)
    (depot.there / "step-000100").write_text("a file")
    depot.restored(depot.shipped())
    assert content(depot.there / "step-000100") == content(saved)


def test_an_additional_file_makes_it_another_checkpoint(depot: Depot) -> None:
    depot.saves_tree(100)
    receipt = depot.shipped()
    depot.restored(receipt)
    (depot.there / "step-000100/stranger").touch()
    depot.restored(receipt)
    assert not (depot.there / "step-000100/stranger").exists()


def test_what_an_interrupted_restore_left_is_cleared(depot: Depot) -> None:
    depot.saves_tree(100)
    (depot.there / ".restoring-step-000100").mkdir()
    (depot.there / ".restoring-step-000100/leftover").touch()
    depot.restored(depot.shipped())
    assert not (depot.there / "step-000100/leftover").exists()


# ---- the thread --------------------------------------------------------------------------------------


def test_a_cancelled_job_is_abandoned(depot: Depot) -> None:
    depot.saves(100)
    depot.store.before_put = lambda _: depot.courier.cancel()
    failed = depot.failed()
    assert (failed.abandoned, failed.unsound) == (True, False)


def test_an_abandoned_job_leaves_no_object(depot: Depot) -> None:
    depot.saves(100)
    depot.store.before_put = lambda _: depot.courier.cancel()
    depot.failed()
    assert [path for path in depot.root.rglob("*") if path.is_file()] == []


def test_the_job_after_a_cancelled_one_is_done(depot: Depot) -> None:
    depot.saves(100)
    depot.store.before_put = lambda _: depot.courier.cancel()
    depot.failed()
    depot.store.before_put = lambda _: None
    assert depot.shipped().step == 100


def test_a_cancel_with_nothing_under_way_harms_nothing(depot: Depot) -> None:
    depot.courier.cancel()
    depot.saves(100)
    assert depot.shipped().step == 100


def test_a_restore_can_be_cancelled(depot: Depot) -> None:
    depot.saves_tree(100)
    receipt = depot.shipped()
    cancelled = threading.Event()

    class Cancelling(list[str]):
        def append(self, key: str) -> None:
            depot.courier.cancel()
            cancelled.set()

    depot.store.fetched = Cancelling()
    done = depot.do(Restore(candidates=(receipt,), directory=depot.there))
    assert isinstance(done, Failed)
    assert (done.abandoned, cancelled.is_set()) == (True, True)


def test_a_bug_in_a_job_does_not_end_the_thread(depot: Depot) -> None:
    def stumble(source: Path) -> None:
        raise RuntimeError("stumbled")

    depot.saves(100)
    depot.store.before_put = stumble
    assert depot.failed().why == "a bug: RuntimeError: stumbled"
    depot.store.before_put = lambda _: None
    assert depot.shipped().step == 100


def test_a_store_that_does_not_answer_fails_the_job_in_its_words(depot: Depot) -> None:
    def away(source: Path) -> None:
        raise Unreadable("the store is away", fix="wait")

    depot.saves(100)
    depot.store.before_put = away
    failed = depot.failed()
    assert (failed.why, failed.unsound, failed.abandoned) == ("the store is away", False, False)


def test_a_disk_that_fails_fails_the_job_in_its_words(depot: Depot) -> None:
    def full(source: Path) -> None:
        raise OSError(28, "No space left on device", "/store")

    depot.saves(100)
    depot.store.before_put = full
    assert depot.failed().why == "/store: No space left on device"


def test_a_result_is_given_once(depot: Depot) -> None:
    depot.saves(100)
    depot.shipped()
    assert (depot.courier.result(), depot.courier.current) == (None, None)


def test_the_job_under_way_can_be_seen(depot: Depot) -> None:
    depot.saves(100)
    go_on = threading.Event()
    depot.store.before_put = lambda _: go_on.wait(PATIENCE)
    depot.courier.submit(job := depot.job())
    assert (depot.courier.current, depot.courier.result()) == (job, None)
    go_on.set()
    assert isinstance(depot.done(), Shipped)


# ---- manifests ---------------------------------------------------------------------------------------


def a_manifest(*paths: str, name: str = "step-000100") -> Manifest:
    files = tuple(StoredFile(path=path, size=1, sha256="0" * 64) for path in paths)
    return Manifest(run=RUN, attempt=1, epoch=1, step=100, name=name, files=files)


def test_a_manifest_is_read_as_it_was_written() -> None:
    manifest = a_manifest("a", "b/c")
    assert read_manifest(*manifest_bytes(manifest)) == manifest


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../../up", "", "a\0b", ".."])
def test_a_manifest_with_an_unsafe_path_is_refused(path: str) -> None:
    with pytest.raises(Unsound):
        read_manifest(*manifest_bytes(a_manifest(path)))


@pytest.mark.parametrize("name", ["/etc", "..", "../up", ""])
def test_a_manifest_with_an_unsafe_name_is_refused(name: str) -> None:
    with pytest.raises(Unsound):
        read_manifest(*manifest_bytes(a_manifest("a", name=name)))


@pytest.mark.parametrize("data", [b"", b"{}", b"not json", encode([1, 2])])
def test_a_manifest_that_is_none_is_refused_even_with_its_digest(data: bytes) -> None:
    with pytest.raises(Unsound):
        read_manifest(data, hashlib.sha256(data).hexdigest())


def test_an_unsafe_manifest_writes_nothing_outside(depot: Depot) -> None:
    data, digest = manifest_bytes(a_manifest("../../escaped"))
    receipt = but(a_receipt(100), digest=digest)
    depot.store.put_new(f"{receipt.prefix}/manifest.json", data)
    assert depot.restored(receipt).rejected == (receipt,)
    assert depot.store.fetched == []


def test_a_manifest_without_a_file_is_refused() -> None:
    with pytest.raises(Unsound):
        read_manifest(*manifest_bytes(a_manifest()))


def test_a_folder_that_holds_no_file_is_no_checkpoint(depot: Depot) -> None:
    (depot.here / "step-000100/shards").mkdir(parents=True)
    failed = depot.failed()
    assert (failed.unsound, failed.why) == (True, "step-000100 holds no file")


@pytest.mark.parametrize("name", [".", "a/b"])
def test_a_manifest_whose_name_is_no_single_entry_is_refused(name: str) -> None:
    with pytest.raises(Unsound):
        read_manifest(*manifest_bytes(a_manifest("a", name=name)))

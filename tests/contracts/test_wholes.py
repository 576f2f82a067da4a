"""A gang's checkpoint on every store: parts in any order, cut short anywhere, make one whole with one digest."""

from __future__ import annotations

import shutil
import threading
import time
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from lifecycle.adapters.aws.objects import S3Store
from lifecycle.adapters.local.objects import DirectoryStore
from lifecycle.agent import wholes
from lifecycle.agent.courier import Courier, Done, Failed, Job, Parted, Restore, Restored, Ship, Shipped
from lifecycle.agent.rundir import complete_checkpoints
from lifecycle.model.ids import checkpoint_prefix
from lifecycle.model.records import Receipt
from lifecycle.ports.checkpoints import ObjectStore
from tests.builders import NOW
from tests.contracts.s3 import BUCKET, beside_a_bucket
from tests.gang_builders import GANG, NODES

PATIENCE = 30.0
PLACE = checkpoint_prefix("f", GANG, 1, 60, "whole")


@pytest.fixture(params=["directory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "directory":
        return DirectoryStore(tmp_path / "objects")
    return S3Store(beside_a_bucket(request.getfixturevalue("aws")), BUCKET)


class Rank:
    """One rank: its disk, and a courier between that and the store."""

    def __init__(self, number: int, disk: Path, store: ObjectStore) -> None:
        self.number, self.disk, self.finished = number, disk, threading.Event()
        disk.mkdir()
        self.courier = Courier(store, lambda: NOW + number, self.finished.set)

    def do(self, job: Job) -> Done:
        self.courier.submit(job)
        deadline = time.monotonic() + PATIENCE
        while (done := self.courier.result()) is None:
            assert self.finished.wait(deadline - time.monotonic()), "the courier does not end its job"
            self.finished.clear()
        return done

    def saves(self, words: str = "") -> None:
        shutil.rmtree(self.disk / "step-000060", ignore_errors=True)
        (self.disk / "step-000060").mkdir()
        (self.disk / "step-000060/weights").write_text(words or f"of rank {self.number}")

    def ships(self, **changes: Any) -> Done:
        newest = complete_checkpoints(self.disk)[-1]
        fields = {"fleet": "f", "run": GANG, "attempt": 1, "node": NODES[self.number], "directory": self.disk}
        return self.do(Ship(**{**fields, "checkpoint": newest, "rank": self.number, "count": 3, **changes}))

    def restores(self, receipt: Receipt, **changes: Any) -> Done:
        wanted = {"candidates": (receipt,), "directory": self.disk, "rank": self.number, **changes}
        return self.do(Restore(**wanted))


@pytest.fixture
def ranks(tmp_path: Path, store: ObjectStore) -> tuple[Rank, ...]:
    built = tuple(Rank(number, tmp_path / f"disk{number}", store) for number in range(3))
    for rank in built:
        rank.saves()
    return built


def whole(done: Done) -> Receipt:
    assert isinstance(done, Shipped), done
    return done.receipt


def test_a_part_alone_is_no_checkpoint(ranks: tuple[Rank, ...], store: ObjectStore) -> None:
    assert isinstance(ranks[0].ships(), Parted)
    assert isinstance(ranks[2].ships(), Parted)
    assert store.get(f"{PLACE}/manifest.json") is None


def test_the_last_part_makes_the_whole_and_every_rank_tells_of_the_same(
    ranks: tuple[Rank, ...], store: ObjectStore
) -> None:
    for rank in ranks[:2]:
        rank.ships()
    last = whole(ranks[2].ships())
    told = [whole(rank.ships(parted=True)) for rank in ranks[:2]]
    assert {(r.digest, r.size, r.prefix, r.epoch, r.step) for r in (last, *told)} == {
        (last.digest, 27, PLACE, 1, 60)
    }


def test_a_whole_has_the_same_bytes_whoever_makes_it(ranks: tuple[Rank, ...], store: ObjectStore) -> None:
    for rank in ranks:
        rank.ships()
    keys, digests = wholes.parts_of(store, PLACE), set()
    for order in permutations(keys.items()):
        store.remove([f"{PLACE}/manifest.json"])
        digests.add(wholes.made_whole(store, PLACE, GANG, 1, 60, [key for _, key in sorted(order)])[1])
    assert len(digests) == 1


def test_of_two_makers_the_slower_one_takes_the_whole_as_it_stands(
    ranks: tuple[Rank, ...], store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = [rank.ships() for rank in ranks][-1]
    keys, get, asked = wholes.parts_of(store, PLACE), store.get, []

    def late(key: str) -> bytes | None:
        asked.append(key)
        return None if len(asked) == 1 else get(key)

    monkeypatch.setattr(store, "get", late)
    made = wholes.made_whole(store, PLACE, GANG, 1, 60, [key for _, key in sorted(keys.items())])
    assert made[1] == whole(done).digest


def test_an_agent_killed_between_part_and_whole_is_made_good_by_its_successor(
    ranks: tuple[Rank, ...], store: ObjectStore
) -> None:
    for rank in ranks:
        rank.ships()
    store.remove([f"{PLACE}/manifest.json"])
    assert whole(ranks[2].ships()).digest == whole(ranks[0].ships(parted=True)).digest


def test_a_rank_that_is_lost_between_part_and_whole_is_not_needed_for_it(
    ranks: tuple[Rank, ...], store: ObjectStore
) -> None:
    for rank in ranks:
        rank.ships()
    store.remove([f"{PLACE}/manifest.json"])
    assert whole(ranks[0].ships(parted=True)).size == 27


def test_a_step_saved_twice_leaves_the_whole_that_was_first(ranks: tuple[Rank, ...], store: ObjectStore) -> None:
    first = [rank.ships() for rank in ranks][-1]
    ranks[1].saves("something else of rank 1")
    assert whole(ranks[1].ships()).digest == whole(first).digest


def test_every_rank_gets_its_own_part_back(ranks: tuple[Rank, ...], tmp_path: Path, store: ObjectStore) -> None:
    receipt = whole([rank.ships() for rank in ranks][-1])
    fresh = [Rank(number, tmp_path / f"new{number}", store) for number in range(3)]
    for rank in fresh:
        done = rank.restores(receipt)
        assert isinstance(done, Restored)
        assert done.receipt is not None
        assert (rank.disk / done.receipt.name / "weights").read_text() == f"of rank {rank.number}"


def test_ranks_may_name_their_parts_as_they_like(
    ranks: tuple[Rank, ...], tmp_path: Path, store: ObjectStore
) -> None:
    for rank in ranks:
        (rank.disk / "step-000060").rename(rank.disk / f"rank{rank.number}-60")
        done = rank.ships()
    fresh = Rank(1, tmp_path / "new", store)
    restored = fresh.restores(whole(done))
    assert isinstance(restored, Restored)
    assert restored.receipt is not None
    assert restored.receipt.name == "rank1-60"


def test_a_torn_part_makes_the_whole_unsound_for_its_rank(ranks: tuple[Rank, ...], store: ObjectStore) -> None:
    receipt = [rank.ships() for rank in ranks][-1]
    store.remove(store.keys(f"{PLACE}/rank-00001-"))
    (ranks[1].disk / "step-000060/weights").unlink()
    done = ranks[1].restores(whole(receipt))
    assert isinstance(done, Restored)
    assert (done.receipt, done.rejected) == (None, (whole(receipt),))


def test_a_rank_beyond_those_that_saved_has_no_part(ranks: tuple[Rank, ...]) -> None:
    receipt = [rank.ships() for rank in ranks][-1]
    done = ranks[0].restores(whole(receipt), rank=3)
    assert isinstance(done, Restored)
    assert done.receipt is None


def test_a_part_that_is_not_readable_is_said_so(ranks: tuple[Rank, ...], store: ObjectStore) -> None:
    store.put_new(f"{PLACE}/parts/rank-00001-ab12cd34.json", b"half")
    ranks[0].ships()
    done = ranks[2].ships()
    assert isinstance(done, Failed)
    assert "not readable" in done.why

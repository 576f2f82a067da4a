"""Checkpoints that are written in place: whole by their own format, and at rest or left by a trainer that ended."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lifecycle.agent.formats import INCOMPLETE, REST, Looks, wrecks
from lifecycle.model.fleet import Profile

TORCHRUN, TRANSFORMERS, LIGHTNING = Profile.TORCHRUN, Profile.TRANSFORMERS, Profile.LIGHTNING


class Watcher:
    """Looks at one directory, on a clock of its own, while the trainer lives or after it."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.now = directory, 100.0
        self.looks = Looks(lambda: self.now)

    def sees(self, profile: Profile, *, lives: bool = True) -> dict[str, int]:
        found = self.looks.complete(profile, self.directory, lambda: lives)
        return {checkpoint.name: checkpoint.step for checkpoint in found}

    def left(self, profile: Profile) -> dict[str, int]:
        """What is complete once the trainer has ended."""
        return self.sees(profile, lives=False)


@pytest.fixture
def watcher(tmp_path: Path) -> Watcher:
    return Watcher(tmp_path)


def torch_file(path: Path, content: Any = None) -> Path:
    """As torch.save writes it, as far as anybody looks."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(content or {}, protocol=2))
        archive.writestr("archive/data/0", b"\0" * 1000)
    return path


def safetensors_file(path: Path) -> Path:
    header = json.dumps({"__metadata__": {}, "w": {"dtype": "F32", "data_offsets": [0, 400]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 400)
    return path


def tear(path: Path) -> None:
    """As a writer leaves it that was killed."""
    os.truncate(path, path.stat().st_size - 50)


def of_transformers(directory: Path, step: int) -> Path:
    place = directory / f"checkpoint-{step}"
    place.mkdir()
    safetensors_file(place / "model.safetensors")
    torch_file(place / "optimizer.pt")
    (place / "trainer_state.json").write_text(json.dumps({"global_step": step}))
    return place


def sharded(directory: Path, step: int) -> Path:
    place = directory / f"step-{step}"
    place.mkdir()
    for name in ("__0_0.distcp", "__1_0.distcp", ".metadata"):
        (place / name).write_bytes(b"x")
    return place


def of_lightning(directory: Path, name: str, step: Any) -> Path:
    return torch_file(directory / name, {"epoch": 3, "global_step": step, "state_dict": {"w": 1.0}})


# ---- at rest -----------------------------------------------------------------------------------------


def test_what_was_written_just_now_is_not_complete_yet(watcher: Watcher) -> None:
    of_transformers(watcher.directory, 20)
    assert watcher.sees(TRANSFORMERS) == {}


def test_what_has_not_changed_for_a_while_is_complete(watcher: Watcher) -> None:
    of_transformers(watcher.directory, 20)
    watcher.sees(TRANSFORMERS)
    watcher.now += REST
    assert watcher.sees(TRANSFORMERS) == {"checkpoint-20": 20}


def test_a_change_begins_the_wait_anew(watcher: Watcher) -> None:
    place = of_transformers(watcher.directory, 20)
    watcher.sees(TRANSFORMERS)
    watcher.now += REST
    torch_file(place / "rng_state_1.pth")
    assert watcher.sees(TRANSFORMERS) == {}
    watcher.now += REST
    assert watcher.sees(TRANSFORMERS) == {"checkpoint-20": 20}


def test_what_a_trainer_left_that_has_ended_is_complete_at_once(watcher: Watcher) -> None:
    of_transformers(watcher.directory, 20)
    assert watcher.left(TRANSFORMERS) == {"checkpoint-20": 20}


def test_a_complete_one_that_is_written_over_is_another_one(watcher: Watcher) -> None:
    place = of_transformers(watcher.directory, 20)
    (before,) = watcher.looks.complete(TRANSFORMERS, watcher.directory, lambda: False)
    (place / "trainer_state.json").write_text('{"global_step": 20, "log_history": []}')
    (after,) = watcher.looks.complete(TRANSFORMERS, watcher.directory, lambda: False)
    assert after.signature != before.signature


def test_it_is_told_when_the_last_of_it_was_written(watcher: Watcher) -> None:
    place = of_transformers(watcher.directory, 20)
    for name, at in (("model.safetensors", 5.0), ("optimizer.pt", 7.0), ("trainer_state.json", 6.0)):
        os.utime(place / name, (at, at))
    (found,) = watcher.looks.complete(TRANSFORMERS, watcher.directory, lambda: False)
    assert found.written_at == 7.0


def test_they_are_sorted_by_step(watcher: Watcher) -> None:
    for step in (100, 20):
        of_transformers(watcher.directory, step)
    assert list(watcher.left(TRANSFORMERS).values()) == [20, 100]


def test_no_directory_has_none(tmp_path: Path) -> None:
    assert Watcher(tmp_path / "nowhere").left(TRANSFORMERS) == {}


# ---- transformers ------------------------------------------------------------------------------------


def test_one_with_the_marker_of_an_unfinished_save_is_not_complete(watcher: Watcher) -> None:
    (of_transformers(watcher.directory, 20) / INCOMPLETE).touch()
    assert watcher.left(TRANSFORMERS) == {}


@pytest.mark.parametrize("state", ['{"global_step": 19}', '{"global_step": "20"}', "{", "[]", ""])
def test_one_whose_state_says_another_step_is_not_complete(watcher: Watcher, state: str) -> None:
    (of_transformers(watcher.directory, 20) / "trainer_state.json").write_text(state)
    assert watcher.left(TRANSFORMERS) == {}


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "trainer_state.json"])
def test_one_without_or_with_half_of_a_file_is_not_complete(watcher: Watcher, name: str) -> None:
    file = of_transformers(watcher.directory, 20) / name
    os.truncate(file, file.stat().st_size // 2)
    assert watcher.left(TRANSFORMERS) == {}


def test_one_without_its_state_is_not_complete(watcher: Watcher) -> None:
    (of_transformers(watcher.directory, 20) / "trainer_state.json").unlink()
    assert watcher.left(TRANSFORMERS) == {}


def test_a_safetensors_file_with_less_than_its_header_is_torn(watcher: Watcher) -> None:
    (of_transformers(watcher.directory, 20) / "model.safetensors").write_bytes(b"\x10\0\0")
    assert watcher.left(TRANSFORMERS) == {}


def test_other_names_are_not_looked_at(watcher: Watcher) -> None:
    of_transformers(watcher.directory, 20).rename(watcher.directory / "best-20")
    (watcher.directory / "runs").mkdir()
    assert watcher.left(TRANSFORMERS) == {}


def test_a_link_in_it_makes_it_none(watcher: Watcher) -> None:
    (of_transformers(watcher.directory, 20) / "link").symlink_to("/etc/hostname")
    assert watcher.left(TRANSFORMERS) == {}


# ---- torchrun ----------------------------------------------------------------------------------------


def test_a_sharded_one_is_complete_with_its_metadata(watcher: Watcher) -> None:
    sharded(watcher.directory, 20)
    assert watcher.left(TORCHRUN) == {"step-20": 20}


def test_a_sharded_one_without_its_metadata_is_not(watcher: Watcher) -> None:
    (sharded(watcher.directory, 20) / ".metadata").rename(watcher.directory / "step-20" / ".metadata.tmp")
    assert watcher.left(TORCHRUN) == {}


def test_a_file_written_in_place_is_complete_to_its_end(watcher: Watcher) -> None:
    torch_file(watcher.directory / "ckpt_20.pt")
    tear(torch_file(watcher.directory / "ckpt_40.pt"))
    assert watcher.left(TORCHRUN) == {"ckpt_20.pt": 20}


@pytest.mark.parametrize(("content", "complete"), [(b"", False), (b"\x80\x02 a pickle of old", True)])
def test_what_is_no_archive_cannot_be_told_but_when_it_is_empty(
    watcher: Watcher, content: bytes, complete: bool
) -> None:
    (watcher.directory / "ckpt_20.pt").write_bytes(content)
    assert bool(watcher.left(TORCHRUN)) is complete


def test_a_directory_without_a_file_is_none(watcher: Watcher) -> None:
    (watcher.directory / "step-20").mkdir()
    assert watcher.left(TORCHRUN) == {}


def test_a_directory_of_plain_files_is_as_with_script(watcher: Watcher) -> None:
    (watcher.directory / "step-20").mkdir()
    torch_file(watcher.directory / "step-20" / "rank0.pt")
    assert watcher.left(TORCHRUN) == {"step-20": 20}


# ---- lightning ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["epoch=3-step=20.ckpt", "last.ckpt", "epoch=3.ckpt", "epoch=3-step=20-v1.ckpt"])
def test_the_file_says_its_step_whatever_its_name(watcher: Watcher, name: str) -> None:
    of_lightning(watcher.directory, name, 20)
    assert watcher.left(LIGHTNING) == {name: 20}


def test_a_torn_file_is_not_complete(watcher: Watcher) -> None:
    tear(of_lightning(watcher.directory, "last.ckpt", 20))
    assert watcher.left(LIGHTNING) == {}


@pytest.mark.parametrize("step", [-1, True, "20", 2.5, None])
def test_what_is_no_step_is_none(watcher: Watcher, step: Any) -> None:
    of_lightning(watcher.directory, "last.ckpt", step)
    assert watcher.left(LIGHTNING) == {}


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02."])
def test_what_is_no_archive_is_none(watcher: Watcher, content: bytes) -> None:
    (watcher.directory / "last.ckpt").write_bytes(content)
    assert watcher.left(LIGHTNING) == {}


def test_an_archive_without_a_sound_pickle_is_none(watcher: Watcher) -> None:
    for name, inside in (("a.ckpt", "other"), ("b.ckpt", "archive/data.pkl")):
        with zipfile.ZipFile(watcher.directory / name, "w") as archive:
            archive.writestr(inside, b"\xff\xff")
    assert watcher.left(LIGHTNING) == {}


def test_a_pickle_is_read_and_never_run(watcher: Watcher, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    of_lightning(watcher.directory, "last.ckpt", Bomb())
    watcher.left(LIGHTNING)
    assert not (tmp_path / "ran").exists()


def test_a_folder_or_another_file_is_none(watcher: Watcher) -> None:
    (watcher.directory / "epoch=3-step=20.ckpt").mkdir()
    of_lightning(watcher.directory, "weights-20.pt", 20)
    assert watcher.left(LIGHTNING) == {}


# ---- wrecks ------------------------------------------------------------------------------------------


def test_wrecks_are_what_bears_the_name_and_was_cut_short(tmp_path: Path) -> None:
    of_transformers(tmp_path, 20)
    (of_transformers(tmp_path, 40) / INCOMPLETE).touch()
    tear(of_transformers(tmp_path, 60) / "optimizer.pt")
    (tmp_path / "runs").mkdir()
    assert sorted(wrecks(TRANSFORMERS, tmp_path)) == ["checkpoint-40", "checkpoint-60"]


def test_what_another_tool_made_under_that_name_is_no_wreck(tmp_path: Path) -> None:
    (of_transformers(tmp_path, 20) / "trainer_state.json").unlink()
    sharded(tmp_path, 20).rename(tmp_path / "epoch=3-step=20.ckpt")
    (tmp_path / "old-20.ckpt").write_bytes(b"a pickle of old")
    assert [wrecks(profile, tmp_path) for profile in (TRANSFORMERS, LIGHTNING)] == [(), ()]


def test_a_link_is_no_wreck(tmp_path: Path) -> None:
    (of_transformers(tmp_path, 20) / "link").symlink_to("/etc/hostname")
    assert wrecks(TRANSFORMERS, tmp_path) == ()

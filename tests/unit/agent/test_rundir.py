"""The trainer's contract in files: a run's directory, and what a complete checkpoint is."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from pathlib import Path

import pytest

from lifecycle.agent.rundir import RunDirectory, complete_checkpoints, discard, step_in_name
from lifecycle.ports.trainer import StopRequest

STOP = StopRequest(request="r1", mode="save", reason="lunch", deadline=12.5)


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    directory = RunDirectory(tmp_path / "run")
    directory.reset({})
    return directory


def names(directory: Path) -> list[str]:
    return [found.name for found in complete_checkpoints(directory)]


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("step-000120", 120),
        ("ckpt_120.pt", 120),
        ("120", 120),
        ("0", 0),
        ("checkpoint-120.tar.gz", 120),
        ("epoch3-step7", 7),
        ("model-1.5B-step-10.pt", 10),
        ("global step 10", 10),
        ("größe-10", 10),
        ("step-999999999999", 999_999_999_999),
        ("step-000120.tmp", None),
        ("step-000120.pt.TMP", None),
        ("step-000120.part", None),
        ("step-000120.incomplete", None),
        ("last", None),
        ("step-120-final", None),
        ("step-120.", None),
        ("step-120.1x", None),
        ("step-120~", None),
        ("step-١٢٠", None),
        ("step-10\n", None),
        ("step-\x1b[0m10", None),
        ("", None),
    ],
)
def test_the_step_in_a_name(name: str, step: int | None) -> None:
    assert step_in_name(name) == step


def test_complete_checkpoints_are_sorted_by_step_not_by_name(tmp_path: Path) -> None:
    for name in ("step-9", "step-10", "ckpt_2.pt"):
        (tmp_path / name).write_text("x")
    assert names(tmp_path) == ["ckpt_2.pt", "step-9", "step-10"]


def test_a_directory_is_a_checkpoint_too(tmp_path: Path) -> None:
    (tmp_path / "step-10").mkdir()
    assert names(tmp_path) == ["step-10"]


def test_hidden_and_unfinished_entries_are_never_looked_at(tmp_path: Path) -> None:
    for name in (".step-10", ".restoring-step-000120", "step-20.tmp", "notes.txt"):
        (tmp_path / name).write_text("x")
    assert names(tmp_path) == []


def test_links_and_pipes_are_no_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("x")
    (tmp_path / "step-10").symlink_to(tmp_path / "real")
    (tmp_path / "step-20").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "step-30")
    assert names(tmp_path) == []


def test_no_directory_has_no_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert names(tmp_path / "nothing") == names(tmp_path / "file") == []


def test_a_checkpoint_put_there_anew_has_another_signature(tmp_path: Path) -> None:
    (tmp_path / "step-10").write_text("first")
    before = complete_checkpoints(tmp_path)
    (tmp_path / "beside").write_text("later")
    (tmp_path / "beside").rename(tmp_path / "step-10")
    assert complete_checkpoints(tmp_path)[0].signature != before[0].signature


def test_an_untouched_checkpoint_keeps_its_signature(tmp_path: Path) -> None:
    (tmp_path / "step-10").write_text("x")
    assert complete_checkpoints(tmp_path) == complete_checkpoints(tmp_path)


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ('{"step": 12}', 12),
        ('{"step": 0, "loss": 0.5}', 0),
        ('{"step": -1}', None),
        ('{"step": true}', None),
        ('{"step": "12"}', None),
        ('{"step": 12.0}', None),
        ('{"step": 1e99}', None),
        ('{"step": 999999999999}', 999_999_999_999),
        ('{"step": 1000000000000}', None),
        ('{"step": %s}' % ("9" * 4000), None),
        ('{"loss": 0.5}', None),
        ("[1, 2]", None),
        ("null", None),
        ('{"step": 1', None),
        ("", None),
        ("[" * 4000, None),
        ("\ud800", None),
    ],
)
def test_progress_is_what_is_sensible_in_the_file(run: RunDirectory, text: str, step: int | None) -> None:
    (run.path / "progress.json").write_bytes(text.encode(errors="surrogatepass"))
    assert run.progress() == step


@pytest.mark.parametrize(
    ("text", "total"), [('{"step": 1, "total": 20}', 20), ('{"step": 1}', None), ('{"total": "20"}', None)]
)
def test_where_it_ends_is_what_is_sensible_in_the_file(run: RunDirectory, text: str, total: int | None) -> None:
    (run.path / "progress.json").write_text(text)
    assert run.total() == total


def test_without_a_progress_file_there_is_no_progress(run: RunDirectory) -> None:
    assert run.progress() is None


def test_a_progress_file_that_is_a_directory_says_nothing(run: RunDirectory) -> None:
    (run.path / "progress.json").mkdir()
    assert run.progress() is None


def test_without_a_result_file_there_is_no_result(run: RunDirectory) -> None:
    assert run.result() == (False, None)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ('{"loss": 0.5}', {"loss": 0.5}),
        ("null", None),
        ("", None),
        ("NaN", None),
        ("not json", None),
        (f'"{"x" * 5000}"', None),
    ],
)
def test_a_result_file_counts_whatever_it_says(run: RunDirectory, text: str, result: object) -> None:
    (run.path / "result.json").write_text(text)
    assert run.result() == (True, result)


def test_a_result_that_is_a_pipe_is_none(run: RunDirectory) -> None:
    os.mkfifo(run.path / "result.json")
    assert run.result() == (False, None)


def test_an_ask_is_a_file_in_the_words_of_the_contract(run: RunDirectory) -> None:
    run.ask(STOP)
    said = json.loads((run.path / "stop.json").read_text())
    assert said == {"request": "r1", "mode": "save", "reason": "lunch", "deadline": 12.5}


def test_a_withdrawn_ask_is_gone(run: RunDirectory) -> None:
    run.ask(STOP)
    run.withdraw()
    run.withdraw()
    assert not (run.path / "stop.json").exists()


def test_the_helper_is_there_when_it_has_registered(run: RunDirectory) -> None:
    assert not run.helper_present()
    (run.path / "helper.json").write_text("{}")
    assert run.helper_present()


def test_a_reset_leaves_nothing_of_an_earlier_attempt(run: RunDirectory) -> None:
    for name in ("stop.json", "progress.json", "result.json", "helper.json"):
        (run.path / name).write_text("{}")
    run.reset({"lr": 0.1})
    assert [path.name for path in run.path.iterdir()] == ["hyperparameters.json"]


def test_a_reset_leaves_the_checkpoints(run: RunDirectory) -> None:
    (run.path / "checkpoints").mkdir()
    (run.path / "checkpoints/step-10").write_text("x")
    run.reset({})
    assert names(run.path / "checkpoints") == ["step-10"]


def test_a_reset_writes_the_hyperparameters(run: RunDirectory) -> None:
    run.reset({"lr": 0.1, "name": "größe"})
    assert json.loads((run.path / "hyperparameters.json").read_text()) == {"lr": 0.1, "name": "größe"}


def test_a_discarded_file_is_gone(tmp_path: Path) -> None:
    (tmp_path / "step-10").write_text("x")
    discard(tmp_path, "step-10")
    assert list(tmp_path.iterdir()) == []


def test_a_discarded_directory_is_gone(tmp_path: Path) -> None:
    (tmp_path / "step-10/deep").mkdir(parents=True)
    (tmp_path / "step-10/deep/weights").write_text("x")
    discard(tmp_path, "step-10")
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_discarded_already(tmp_path: Path) -> None:
    discard(tmp_path, "step-10")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["step-1234567890123", "ckpt-1732491325123.pt", "1234567890123456"])
def test_a_number_that_is_too_long_is_no_step(name: str) -> None:
    assert step_in_name(name) is None


def test_a_checkpoint_that_goes_away_under_the_look_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("step-10", "step-20"):
        (tmp_path / name).write_text("x")
    with os.scandir(tmp_path) as entries:
        listed = list(entries)
    (tmp_path / "step-10").unlink()
    monkeypatch.setattr(os, "scandir", lambda _: nullcontext(listed))
    assert names(tmp_path) == ["step-20"]


def test_a_progress_file_that_is_a_pipe_says_nothing_and_holds_nobody_up(run: RunDirectory) -> None:
    os.mkfifo(run.path / "progress.json")
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(run.progress)
        try:
            assert asked.result(timeout=5) is None
        finally:  # a reader that waits for a writer is let go
            with suppress(OSError):
                os.close(os.open(run.path / "progress.json", os.O_WRONLY | os.O_NONBLOCK))


def test_a_discard_that_was_cut_short_stands_in_nobodys_way(tmp_path: Path) -> None:
    for name in (".discarded-step-10", "step-10"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights").write_text("x")
    discard(tmp_path, "step-10")
    assert list(tmp_path.iterdir()) == []

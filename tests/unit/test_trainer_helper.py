"""The helper for training scripts: files in the run's directory; outside of the agent, nothing at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from lifecycle import trainer


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has not used the helper yet, outside of the agent."""
    for name, value in {"_answered": None, "_progress_at": 0.0, "_registered": None, "_total": None}.items():
        monkeypatch.setattr(trainer, name, value)
    for name in ("STEADY_RUN_DIR", "STEADY_RESUME_FROM"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Within the agent: a run's directory."""
    monkeypatch.setenv("STEADY_RUN_DIR", str(tmp_path))
    monkeypatch.setattr(trainer, "_PROGRESS_EVERY", 0.0)
    return tmp_path


def ask(run: Path, mode: str, request: str = "r1") -> None:
    words = {"request": request, "mode": mode, "reason": "lunch", "deadline": None}
    (run / "stop.json").write_text(json.dumps(words))


def said(run: Path, name: str) -> Any:
    return json.loads((run / name).read_text())


def test_outside_of_the_agent_nothing_is_asked() -> None:
    assert (trainer.resume_from(), trainer.should_stop(1), trainer.should_save(1)) == (None, False, False)


def test_outside_of_the_agent_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trainer.should_stop(1)
    trainer.saved(1)
    trainer.done({"loss": 0.5})
    assert list(tmp_path.iterdir()) == []


def test_an_empty_variable_is_outside_of_the_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STEADY_RUN_DIR", "")
    trainer.saved(1)
    assert (trainer.should_stop(1), list(tmp_path.iterdir())) == (False, [])


def test_it_resumes_from_where_the_agent_says(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEADY_RESUME_FROM", "/disk/step-10")
    assert trainer.resume_from() == "/disk/step-10"


def test_without_an_ask_it_trains_on(run: Path) -> None:
    assert (trainer.should_stop(1), trainer.should_save(1)) == (False, False)


def test_asked_to_stop_it_saves_and_stops(run: Path) -> None:
    ask(run, "save-and-exit")
    assert (trainer.should_stop(1), trainer.should_save(1)) == (True, True)


def test_asked_to_save_it_saves_and_trains_on(run: Path) -> None:
    ask(run, "save")
    assert (trainer.should_stop(1), trainer.should_save(1)) == (False, True)


def test_a_save_is_made_once_for_one_ask(run: Path) -> None:
    ask(run, "save")
    trainer.saved(1)
    assert not trainer.should_save(2)


def test_another_ask_is_another_save(run: Path) -> None:
    ask(run, "save")
    trainer.saved(1)
    ask(run, "save", request="r2")
    assert trainer.should_save(2)


def test_a_save_of_its_own_accord_answers_no_later_ask(run: Path) -> None:
    trainer.saved(1)
    ask(run, "save")
    assert trainer.should_save(2)


def test_one_that_has_saved_still_stops(run: Path) -> None:
    ask(run, "save-and-exit")
    trainer.saved(1)
    assert trainer.should_stop(1)


def test_an_ask_taken_back_is_forgotten(run: Path) -> None:
    ask(run, "save-and-exit")
    trainer.should_stop(1)
    (run / "stop.json").unlink()
    assert not trainer.should_stop(2)


@pytest.mark.parametrize("garbage", [b"", b"{", b"[]", b"3", b"null", b"\xff\xfe", b"{}", b'{"mode": 3}'])
def test_garbage_asks_nothing(run: Path, garbage: bytes) -> None:
    (run / "stop.json").write_bytes(garbage)
    assert (trainer.should_stop(1), trainer.should_save(1)) == (False, False)


def test_an_ask_that_is_a_directory_asks_nothing(run: Path) -> None:
    (run / "stop.json").mkdir()
    assert not trainer.should_stop(1)


@pytest.mark.parametrize(
    "use", [trainer.resume_from, lambda: trainer.should_stop(1), lambda: trainer.should_save(1)]
)
def test_the_first_use_registers_the_helper(run: Path, use: Any) -> None:
    use()
    assert said(run, "helper.json") == {"pid": os.getpid()}


def test_it_registers_once(run: Path) -> None:
    trainer.should_stop(1)
    (run / "helper.json").unlink()
    trainer.should_stop(2)
    assert not (run / "helper.json").exists()


def test_every_question_says_how_far_it_is(run: Path) -> None:
    trainer.should_stop(7)
    assert said(run, "progress.json") == {"step": 7}
    trainer.should_save(8)
    assert said(run, "progress.json") == {"step": 8}


def test_where_training_ends_is_said_once_and_kept(run: Path) -> None:
    trainer.progress(0, total=20)
    assert said(run, "progress.json") == {"step": 0, "total": 20}
    trainer.saved(7)
    assert said(run, "progress.json") == {"step": 7, "total": 20}


def test_progress_is_not_written_more_often_than_it_is_worth(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "_PROGRESS_EVERY", 1e9)
    monkeypatch.setattr(trainer, "_progress_at", -2e9)
    trainer.should_stop(1)
    trainer.should_stop(2)
    assert said(run, "progress.json") == {"step": 1}


def test_a_save_always_says_how_far_it_is(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "_PROGRESS_EVERY", 1e9)
    trainer.saved(5)
    trainer.saved(6)
    assert said(run, "progress.json") == {"step": 6}


@pytest.mark.parametrize("result", [None, {"loss": 0.5}, [1, 2], "fine"])
def test_what_comes_out_is_the_result_file(run: Path, result: Any) -> None:
    trainer.done(result)
    assert said(run, "result.json") == result


def test_no_file_is_left_half_written(run: Path) -> None:
    trainer.should_stop(1)
    trainer.saved(1)
    trainer.done({})
    assert sorted(path.name for path in run.iterdir()) == ["helper.json", "progress.json", "result.json"]


def test_a_directory_that_cannot_be_written_never_ends_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STEADY_RUN_DIR", str(tmp_path / "nowhere"))
    assert trainer.should_stop(1) is False
    trainer.saved(1)
    trainer.done({"loss": 0.5})

"""The helper over several ranks, and its callbacks, on stand-ins for torch, transformers and Lightning."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from lifecycle import trainer
from tests.unit.test_trainer_helper import ask, fresh, run, said

__all__ = ["fresh", "run"]


class Ranks:
    """torch.distributed as seen by one rank: `others` is what the other ranks say."""

    def __init__(self, others: int, initialized: bool = True) -> None:
        self.others, self.initialized, self.rounds = others, initialized, 0

    @property
    def torch(self) -> Any:
        distributed = SimpleNamespace(
            is_available=lambda: True,
            is_initialized=lambda: self.initialized,
            get_backend=lambda: "gloo",
            all_reduce=self.all_reduce,
            ReduceOp=SimpleNamespace(MAX="max"),
        )
        return SimpleNamespace(distributed=distributed, tensor=lambda values, device: Flag(values))

    def all_reduce(self, flag: Flag, op: str) -> None:
        assert op == "max"
        self.rounds += 1
        flag.values = [max(*flag.values, self.others)]


class Flag:
    def __init__(self, values: list[int]) -> None:
        self.values = values

    def item(self) -> int:
        return self.values[0]


def ranks(monkeypatch: pytest.MonkeyPatch, others: int = 0, *, initialized: bool = True) -> Ranks:
    built = Ranks(others, initialized)
    monkeypatch.setitem(sys.modules, "torch", built.torch)
    return built


# ---- agreed by all ranks -----------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "agreed"), [("save", (True, False)), ("save-and-exit", (True, True))])
def test_a_rank_alone_is_asked_as_ever(run: Path, mode: str, agreed: tuple[bool, bool]) -> None:
    assert trainer.together(1) == (False, False)
    ask(run, mode)
    assert trainer.together(2) == agreed


@pytest.mark.parametrize(("others", "agreed"), [(0, (False, False)), (1, (True, False)), (2, (True, True))])
def test_a_rank_does_what_another_one_was_asked_for(
    run: Path, monkeypatch: pytest.MonkeyPatch, others: int, agreed: tuple[bool, bool]
) -> None:
    ranks(monkeypatch, others)
    assert trainer.together(1) == agreed


def test_ranks_talk_every_few_steps_only(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = ranks(monkeypatch, others=2)
    assert [trainer.together(step, every=5) for step in (1, 4, 5)] == [(False, False), (False, False), (True, True)]
    assert talk.rounds == 1


def test_steps_between_are_told_all_the_same(run: Path) -> None:
    trainer.together(3, every=5)
    assert said(run, "progress.json") == {"step": 3}


def test_a_torch_without_ranks_is_not_talked_over(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = ranks(monkeypatch, others=2, initialized=False)
    assert (trainer.together(1), talk.rounds) == ((False, False), 0)


# ---- callbacks ---------------------------------------------------------------------------------------


@pytest.fixture
def frameworks(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the callbacks import."""
    modules = ("transformers", "lightning", "lightning.pytorch", "lightning.pytorch.utilities")
    for name in (*modules, "lightning.pytorch.utilities.exceptions"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    vars(sys.modules["transformers"])["TrainerCallback"] = object
    vars(sys.modules["lightning.pytorch"])["Callback"] = object
    vars(sys.modules["lightning.pytorch.utilities.exceptions"])["SIGTERMException"] = Terminated


class Terminated(Exception):
    """Lightning's own way out of the loop."""


def test_the_file_needs_neither_framework_and_has_no_other_name() -> None:
    with pytest.raises(AttributeError, match="no attribute 'ComposerCallback'"):
        trainer.__getattr__("ComposerCallback")


def control() -> Any:
    return SimpleNamespace(should_save=False, should_training_stop=False)


def after_step(callback: Any, step: int) -> tuple[bool, bool]:
    wishes = control()
    callback.on_step_end(None, SimpleNamespace(global_step=step), wishes)
    return wishes.should_save, wishes.should_training_stop


@pytest.mark.parametrize(("mode", "wishes"), [("save", (True, False)), ("save-and-exit", (True, True))])
def test_transformers_saves_and_stops_by_its_own_means(
    run: Path, frameworks: None, mode: str, wishes: tuple[bool, bool]
) -> None:
    callback = trainer.TransformersCallback()
    assert after_step(callback, 1) == (False, False)
    ask(run, mode)
    assert after_step(callback, 2) == wishes


def test_transformers_saves_once_for_one_ask(run: Path, frameworks: None) -> None:
    callback = trainer.TransformersCallback()
    ask(run, "save")
    callback.on_save(None, SimpleNamespace(global_step=2), control())
    assert after_step(callback, 3) == (False, False)


def test_transformers_registers_when_it_trains_and_says_how_far_it_goes(run: Path, frameworks: None) -> None:
    callback = trainer.TransformersCallback()
    assert not (run / "helper.json").exists()
    callback.on_train_begin(None, SimpleNamespace(global_step=20, max_steps=500), control())
    assert (run / "helper.json").exists()
    assert said(run, "progress.json") == {"step": 20, "total": 500}


@pytest.mark.parametrize("asked", [True, False])
def test_transformers_is_done_unless_it_was_asked_to_stop(run: Path, frameworks: None, asked: bool) -> None:
    callback = trainer.TransformersCallback()
    if asked:
        ask(run, "save-and-exit")
    after_step(callback, 5)
    callback.on_train_end(None, SimpleNamespace(global_step=5), control())
    assert (run / "result.json").exists() is not asked


class Fit:
    """Lightning's Trainer, as far as the callback sees it."""

    def __init__(self, directory: Path) -> None:
        self.global_step, self.current_epoch, self.saves = 0, 3, list[str]()
        self._directory = directory

    def save_checkpoint(self, path: str) -> None:
        assert Path(path).parent == self._directory
        self.saves.append(Path(path).name)


@pytest.fixture
def fit(run: Path, frameworks: None, monkeypatch: pytest.MonkeyPatch) -> Fit:
    monkeypatch.setenv("STEADY_CHECKPOINT_DIR", str(run))
    return Fit(run)


def batch(callback: Any, fit: Fit, step: int) -> None:
    fit.global_step = step
    callback.on_train_batch_end(fit, None, None, None, 0)


def test_lightning_saves_under_its_own_name_and_trains_on(run: Path, fit: Fit) -> None:
    callback = trainer.LightningCallback()
    callback.on_train_start(fit, None)
    ask(run, "save")
    batch(callback, fit, 20)
    batch(callback, fit, 21)
    assert fit.saves == ["epoch=3-step=20.ckpt"]


def test_lightning_saves_and_leaves(run: Path, fit: Fit) -> None:
    callback = trainer.LightningCallback()
    ask(run, "save-and-exit")
    with pytest.raises(Terminated):
        batch(callback, fit, 20)
    assert fit.saves == ["epoch=3-step=20.ckpt"]


def test_lightning_is_asked_once_a_step_however_many_batches_that_takes(run: Path, fit: Fit) -> None:
    callback = trainer.LightningCallback()
    batch(callback, fit, 20)
    ask(run, "save")
    batch(callback, fit, 20)
    assert fit.saves == []


def test_lightning_is_done_at_its_end(run: Path, fit: Fit) -> None:
    fit.global_step = 20
    trainer.LightningCallback().on_train_end(fit, None)
    assert json.loads((run / "result.json").read_text()) == {"step": 20}

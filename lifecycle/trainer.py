"""For training scripts: be asked to save, say how far you are. One file without dependencies; copy it.

    from lifecycle import trainer

    start = load(trainer.resume_from())
    trainer.progress(start, total=steps)    # optional
    for step in range(start + 1, steps + 1):
        train_one_step()
        stop = trainer.should_stop(step)
        if stop or trainer.should_save(step) or step % 100 == 0:
            save(step)                      # write aside, then rename: step-000100
            trainer.saved(step)
        if stop:
            break
    else:
        trainer.done({"loss": loss})

`step` is the number of steps finished. Several ranks have to do the same at the same step; ask for all of them:

        save, stop = trainer.together(step)

One line for others: `callbacks=[trainer.TransformersCallback()]`, `callbacks=[trainer.LightningCallback()]`.
Outside Steadyfleet's agent every function is a no-op; torch is used where it is imported already. The
contract is files in `$STEADY_RUN_DIR`: `stop.json` (read), `progress.json`, `helper.json` and
`result.json` (written whole, by rename).
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

_PROGRESS_EVERY = 0.01
_answered: str | None = None
_progress_at = 0.0
_registered: str | None = None
_total: int | None = None


def resume_from() -> str | None:
    """The path of the checkpoint to resume from; None: begin at the beginning."""
    _register()
    return os.environ.get("STEADY_RESUME_FROM")


def should_save(step: int) -> bool:
    """Whether a checkpoint of this step is asked for now, to train on or to stop."""
    _progress(step)
    request = _request()
    return request is not None and request.get("request") != _answered


def should_stop(step: int) -> bool:
    """Whether to save and leave the training loop now. Ask once a step, and act on that answer."""
    _progress(step)
    request = _request()
    return request is not None and request.get("mode") == "save-and-exit"


def together(step: int, *, every: int = 1) -> tuple[bool, bool]:
    """(save, stop) for all ranks of torch.distributed, whichever of them is asked.

    Call it on every rank after every step. Each `every` steps they agree, by one MAX all-reduce of an int;
    at other steps nobody saves or stops. Without torch.distributed it is `should_save` and `should_stop`.
    """
    if step % every:
        _progress(step)
        return False, False
    asked = _greatest(2 if should_stop(step) else int(should_save(step)))
    return asked > 0, asked == 2


def saved(step: int) -> None:
    """A complete checkpoint of `step` is in the checkpoint directory."""
    global _answered
    request = _request()
    if request is not None:
        _answered = request.get("request")
    _progress(step, always=True)


def progress(step: int, total: int | None = None) -> None:
    """Says how far training is and, when it is known, the step it ends at: then people see how long it takes."""
    global _total
    _total = _total if total is None else total
    _progress(step, always=total is not None)


def done(result: Any = None) -> None:
    """Training has finished; `result` (a little JSON) is recorded with the run."""
    _write("result.json", result)


def __getattr__(name: str) -> Any:
    """The callbacks are made when they are asked for: this file imports nothing that may be missing."""
    if name == "TransformersCallback":
        return _transformers_callback()
    if name == "LightningCallback":
        return _lightning_callback()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _transformers_callback() -> Any:
    from transformers import TrainerCallback  # type: ignore[import-not-found, unused-ignore]

    class TransformersCallback(TrainerCallback):  # type: ignore[misc, unused-ignore]
        """For `transformers.Trainer`: saves and stops when asked to, all ranks at the same step.

        The checkpoint is the Trainer's own; `every` as in `together`.
        """

        def __init__(self, every: int = 1) -> None:
            self._every, self._stopped = every, False

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            progress(state.global_step, total=state.max_steps)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            save, stop = together(state.global_step, every=self._every)
            control.should_save = control.should_save or save
            control.should_training_stop = control.should_training_stop or stop
            self._stopped = self._stopped or stop

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            saved(state.global_step)

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if not self._stopped:
                done({"step": state.global_step})

    return TransformersCallback


def _lightning_callback() -> Any:
    from lightning.pytorch import Callback  # type: ignore[import-not-found, unused-ignore]
    from lightning.pytorch.utilities.exceptions import (  # type: ignore[import-not-found, unused-ignore]
        SIGTERMException,
    )

    class LightningCallback(Callback):  # type: ignore[misc, unused-ignore]
        """For Lightning's Trainer: saves and stops when asked to, all ranks at the same step.

        The checkpoint goes into STEADY_CHECKPOINT_DIR under Lightning's own name; `every` as in `together`.
        """

        def __init__(self, every: int = 1) -> None:
            self._every, self._seen = every, -1

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            self._seen = trainer.global_step
            _register()

        def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
            step = trainer.global_step
            if step == self._seen:  # gradients are still being accumulated
                return
            self._seen = step
            save, stop = together(step, every=self._every)
            if save:
                name = f"epoch={trainer.current_epoch}-step={step}.ckpt"
                trainer.save_checkpoint(os.path.join(os.environ["STEADY_CHECKPOINT_DIR"], name))  # noqa: PTH118
                saved(step)
            if stop:
                raise SIGTERMException

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            done({"step": trainer.global_step})

    return LightningCallback


def _greatest(asked: int) -> int:
    """Over all ranks, on the device that they talk over."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.distributed.is_available() or not torch.distributed.is_initialized():
        return asked
    by_gpu = "nccl" in str(torch.distributed.get_backend())
    flag = torch.tensor([asked], device=f"cuda:{torch.cuda.current_device()}" if by_gpu else "cpu")
    torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
    return int(flag.item())


def _register() -> None:
    """Tells the agent, once per process, that files are watched here and no signal is needed."""
    global _registered
    directory = os.environ.get("STEADY_RUN_DIR")
    if directory and _registered != directory:
        _registered = directory
        _write("helper.json", {"pid": os.getpid()})


def _progress(step: int, *, always: bool = False) -> None:
    global _progress_at
    _register()
    now = time.monotonic()
    if always or now - _progress_at >= _PROGRESS_EVERY:
        _progress_at = now
        _write("progress.json", {"step": step} if _total is None else {"step": step, "total": _total})


def _request() -> dict[str, Any] | None:
    directory = os.environ.get("STEADY_RUN_DIR")
    if not directory:
        return None
    try:
        with open(os.path.join(directory, "stop.json")) as file:  # noqa: PTH118, PTH123 - for any Python 3
            request = json.load(file)
    except (OSError, ValueError):
        return None
    return request if isinstance(request, dict) else None


def _write(name: str, value: Any) -> None:
    directory = os.environ.get("STEADY_RUN_DIR")
    if not directory:
        return
    path = os.path.join(directory, name)  # noqa: PTH118
    beside = f"{path}.{os.getpid()}.tmp"
    try:
        with open(beside, "w") as file:  # noqa: PTH123
            json.dump(value, file)
        os.replace(beside, path)  # noqa: PTH105
    except OSError:
        return  # a full disk is no reason to stop training

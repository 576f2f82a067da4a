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

`step` is the number of steps finished. Outside Steadyfleet's agent every function is a no-op. The
contract is files in `$STEADY_RUN_DIR`: `stop.json` (read), `progress.json`, `helper.json` and
`result.json` (written whole, by rename).
"""

from __future__ import annotations

import json
import os
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

"""The trainer's contract in files: what a run's directory holds and what a complete checkpoint is."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from lifecycle.ports.trainer import LocalCheckpoint, StopRequest
from lifecycle.system.files import write_whole

STOP, PROGRESS, RESULT, HELPER = "stop.json", "progress.json", "result.json", "helper.json"
HYPERPARAMETERS = "hyperparameters.json"
MAX_RESULT = 4096
MAX_DIGITS = 12
"""Of a step: more is no step."""

_COMPLETE = re.compile(r".*?(?<![0-9])(?P<step>[0-9]{1,12})(?P<suffixes>(\.[A-Za-z][A-Za-z0-9_]*)*)")


class RunDirectory:
    """One run's directory on the node's disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def reset(self, hyperparameters: dict[str, Any]) -> None:
        """Ready for an attempt: nothing of an earlier one is left but the checkpoints."""
        self.path.mkdir(parents=True, exist_ok=True)
        for name in (STOP, PROGRESS, RESULT, HELPER):
            (self.path / name).unlink(missing_ok=True)
        write_whole(self.path / HYPERPARAMETERS, json.dumps(hyperparameters).encode())

    def ask(self, request: StopRequest) -> None:
        words = {
            "request": request.request,
            "mode": request.mode,
            "reason": request.reason,
            "deadline": request.deadline,
        }
        write_whole(self.path / STOP, json.dumps(words).encode())

    def withdraw(self) -> None:
        (self.path / STOP).unlink(missing_ok=True)

    def helper_present(self) -> bool:
        return (self.path / HELPER).exists()

    def progress(self) -> int | None:
        """The step the trainer says it has finished; None when it says nothing sensible."""
        return self._progress("step")

    def total(self) -> int | None:
        """The step the trainer says it ends at; None when it does not say."""
        return self._progress("total")

    def _progress(self, what: str) -> int | None:
        said = self._read(PROGRESS)
        number = said.get(what) if isinstance(said, dict) else None
        sensible = isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 10**MAX_DIGITS
        return number if sensible else None

    def result(self) -> tuple[bool, Any]:
        """Whether there is a result file, and what it says (None when large or not JSON)."""
        there = (self.path / RESULT).is_file()
        return there, self._read(RESULT) if there else None

    def _read(self, name: str) -> Any:
        """What the file says, as far as our records can hold it."""
        path = self.path / name
        try:
            if not path.is_file():  # a pipe would hold the agent up
                return None
            with path.open("rb") as file:
                said = msgspec.json.decode(file.read(MAX_RESULT))
            msgspec.json.encode(said)
        except (OSError, ValueError, OverflowError, RecursionError):
            return None
        return said


def step_in_name(name: str) -> int | None:
    """The step of a checkpoint's name, by the rule of profile `script`; None for what is never looked at."""
    match = _COMPLETE.fullmatch(name) if name.isprintable() else None
    if match is None or match["suffixes"].lower().endswith((".tmp", ".part", ".incomplete")):
        return None
    return int(match["step"])


def plain_entries(directory: Path) -> Iterator[os.DirEntry[str]]:
    """The files and directories in `directory`, but for hidden ones and links. No directory: none."""
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                plain = entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)
                if plain and not entry.name.startswith("."):
                    yield entry
    except OSError:
        return


def complete_checkpoints(directory: Path) -> tuple[LocalCheckpoint, ...]:
    """The complete checkpoints of profile `script`, oldest step first. No directory: none."""
    found = []
    for entry in plain_entries(directory):
        step = step_in_name(entry.name)
        if step is not None:
            with suppress(FileNotFoundError):  # pruned by its trainer just now
                found.append(LocalCheckpoint(step, entry.name, _signature(entry.stat(follow_symlinks=False))))
    return tuple(sorted(found))


def _signature(stat: os.stat_result) -> str:
    return f"{stat.st_ino}-{stat.st_mtime_ns}-{stat.st_size}"


def discard(directory: Path, name: str) -> None:
    """Removes one checkpoint: first out of sight, then for good, so that none is ever half there."""
    target = directory / name
    hidden = directory / f".discarded-{name}"
    _remove(hidden)  # of a predecessor that was killed just here
    try:
        target.rename(hidden)
    except OSError:
        return
    _remove(hidden)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)

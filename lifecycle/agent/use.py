"""How a trainer uses its machine: its own processes' CPU, the accelerators' share, and since when it has been idle.

Looked at every ten seconds, by nobody who waits: `nvidia-smi` is started at one look and read at the next. What
cannot be measured is unknown, and unknown is never idle.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from lifecycle.model.money import Use
from lifecycle.ports.clock import Clock
from lifecycle.system.processes import cpu_seconds

EVERY = 10.0

LOW_CPU, LOW_GPU = 0.1, 0.05
"""Below this many cores, and this share of every accelerator, a machine is hardly used."""

ACCELERATORS = ("nvidia[0-9]*", "kfd", "accel*", "neuron[0-9]*")
QUERY = ("nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits")


class Look(NamedTuple):
    """One look at the trainer: when (monotonic), at which step, and the CPU seconds of its processes by then."""

    at: float
    step: int | None
    cpu: float | None


class UseMeter:
    """Measures one trainer after the other. `gpu` answers None while it does not know."""

    def __init__(self, clock: Clock, gpu: Callable[[], float | None]) -> None:
        self._clock, self._gpu = clock, gpu
        self._pid: int | None = None
        self._last: Look | None = None
        self._use: Use | None = None

    def look(self, pid: int | None, step: int | None) -> Use | None:
        """What is known now of the trainer with this process; None: nothing trains, or it was only just met."""
        if pid is None or pid != self._pid:
            self._pid, self._last, self._use = pid, None, None
        if pid is None:
            return None
        now = self._clock.monotonic()
        if self._last is None or now - self._last.at >= EVERY:
            before, self._last = self._last, Look(now, step, cpu_seconds(pid))
            self._use = self._compared(before, self._last) if before else None
        return self._use

    def _compared(self, before: Look, after: Look) -> Use:
        cpu = _cores(before, after)
        gpu = self._gpu()
        rests = before.step == after.step and cpu is not None and gpu is not None
        if not rests or (cpu or 0.0) >= LOW_CPU or (gpu or 0.0) >= LOW_GPU:
            return Use(cpu=cpu, gpu=gpu)
        known = self._use.idle_since if self._use else None
        began = self._clock.now() - (after.at - before.at)
        return Use(cpu=cpu, gpu=gpu, idle_since=began if known is None else known)


def _cores(before: Look, after: Look) -> float | None:
    """Unknown where a process took its past with it when it ended."""
    if before.cpu is None or after.cpu is None or after.cpu < before.cpu:
        return None
    return round((after.cpu - before.cpu) / (after.at - before.at), 3)


class Accelerators:
    """The busiest accelerator's share since the last look, 0 to 1; 0 on a machine that has none."""

    def __init__(self, devices: Path = Path("/dev"), query: Sequence[str] = QUERY) -> None:
        self._devices, self._query = devices, query
        self._asked: subprocess.Popen[str] | None = None

    def __call__(self) -> float | None:
        if not any(any(self._devices.glob(name)) for name in ACCELERATORS):
            return 0.0
        share = self._answer()
        if self._asked is None and shutil.which(self._query[0]):
            self._asked = subprocess.Popen(
                self._query, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        return share

    def _answer(self) -> float | None:
        """Of the last query, when it has ended; one that hangs is left to itself, and asked no other."""
        if self._asked is None or self._asked.poll() is None:
            return None
        told, _ = self._asked.communicate()
        self._asked = None
        try:
            return max(float(line) for line in told.split()) / 100
        except ValueError:  # nothing, or words
            return None

"""Processes of this machine: who is who across restarts, whose child, which signals it catches.

A pid alone names nobody: pids are used again. A process is known by boot id, pid and start time.
Linux: reads /proc (start ticks, SigCgt) beside psutil.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import msgspec
import psutil

_PROC = Path("/proc")

_LAUNCHERS = frozenset(
    (
        *("accelerate", "accelerate.commands.launch", "deepspeed"),
        *("torchrun", "torch.distributed.launch", "torch.distributed.run"),
    )
)
_SHELLS = frozenset({"bash", "dash", "sh", "zsh"})


class Identity(msgspec.Struct, frozen=True):
    """One process, for ever. `started` is in clock ticks since boot."""

    boot: str
    pid: int
    started: int


@cache
def boot_id() -> str:
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the state on, or None when there is no such process."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def identify(pid: int) -> Identity | None:
    """The identity of a running process; None for one that is gone or a zombie."""
    fields = _stat(pid)
    if fields is None or fields[0] in "ZX":
        return None
    return Identity(boot_id(), pid, int(fields[19]))


def myself() -> Identity:
    found = identify(os.getpid())
    assert found is not None
    return found


def alive(identity: Identity) -> bool:
    """Whether that very process still runs (a zombie does not)."""
    return identity.boot == boot_id() and identify(identity.pid) == identity


def carriers(variable: str, value: str, *, unless: str = "") -> list[int]:
    """Every process that was started with `variable=value` in its environment, except this one.

    `unless` names a variable that the process must not have.
    """
    wanted, unwanted = f"{variable}={value}".encode(), f"{unless}=".encode()
    found = []
    for pid in psutil.pids():
        carried = environment(pid) if pid != os.getpid() else []
        if wanted in carried and not (unless and any(item.startswith(unwanted) for item in carried)):
            found.append(pid)
    return found


def environment(pid: int) -> list[bytes]:
    """What the process was started with, `NAME=value` each; empty where that cannot be read."""
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def descendants(pid: int) -> list[int]:
    """Children, their children and so on; none when the process is gone."""
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(root: int) -> float | None:
    """CPU time of a process and its descendants, those included that ended and were waited for.

    None when the root is gone.
    """
    try:
        tree = [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
    except psutil.NoSuchProcess:
        return None
    return sum(_spent(process) for process in tree)


def _spent(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def send(pid: int, number: signal.Signals) -> bool:
    """Sends one signal to one process. False when it is gone already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def end_all(find: Callable[[], Iterable[int]], *, within: float = 10.0) -> bool:
    """Kills what `find` names until it names nobody. False when somebody is left after `within` seconds."""
    deadline = time.monotonic() + within
    while targets := [pid for pid in find() if identify(pid) is not None]:
        for pid in targets:
            send(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def catches(pid: int) -> frozenset[signal.Signals]:
    """The signals for which the process has a handler of its own (SigCgt)."""
    try:
        status = (_PROC / str(pid) / "status").read_text()
    except OSError:
        return frozenset()
    mask = next((int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt:")), 0)
    return frozenset(number for number in signal.Signals if mask >> (number - 1) & 1)


def ranks(root: int) -> list[int]:
    """The rank processes under `root`: the topmost that carry RANK or LOCAL_RANK while their parent does not.

    Loader workers inherit those variables, so the environment alone does not tell. Without ranks under it a
    process is its own rank, but for a launcher or a shell: then what runs under that is. Who starts the other
    ranks by itself, as Lightning does, has no LOCAL_RANK, is rank 0 and hands signals on: it is named alone, for
    a rank that hears one twice hangs. Sources: torchrun kills process groups, so a launcher must never be
    signalled; Lightning's `_SignalConnector` (both measured on the real ones, `make test-trainers`).
    """
    found = [pid for pid in (root, *descendants(root)) if _ranked(pid) and not _ranked(_parent(pid))]
    return _starter(found) or found or _alone(root)


def _starter(found: list[int]) -> list[int]:
    """Rank 0, where it started the others by itself."""
    local = [item for pid in found for item in environment(pid) if item.startswith(b"LOCAL_RANK=")]
    if len(local) < len(found) or b"LOCAL_RANK=0" in local:
        return []
    return [pid for pid in {_parent(each) for each in found} if identify(pid) and not _launches(pid)]


def _alone(root: int) -> list[int]:
    if identify(root) is None:
        return []
    return [pid for child in _children(root) for pid in _alone(child)] if _launches(root) else [root]


def _children(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.NoSuchProcess:
        return []


def _launches(pid: int) -> bool:
    """Whether it only starts trainers. A shell that traps SIGTERM knows what to do with it."""
    program = _program(pid)
    return program in _LAUNCHERS or (program in _SHELLS and signal.SIGTERM not in catches(pid))


def _program(pid: int) -> str:
    """The program's name; of Python, what that runs: a module or a script."""
    try:
        words = (_PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    name = Path(words[0]).name
    if not name.startswith("python"):
        return name
    runs = next((at for at, word in enumerate(words) if at and (word == "-m" or not word.startswith("-"))), 0)
    return words[runs + 1] if words[runs] == "-m" else Path(words[runs]).name


def _ranked(pid: int) -> bool:
    return any(item.startswith((b"RANK=", b"LOCAL_RANK=")) for item in environment(pid))


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0

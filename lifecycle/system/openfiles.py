"""Which processes of this machine have which files open. Linux: reads /proc; what it may not read is not seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from lifecycle.system.processes import environment

_PROC = Path("/proc")


def holders(wanted: Callable[[str], bool]) -> Iterator[tuple[int, str]]:
    """Every process with a wanted file open, and the first such file."""
    for pid in psutil.pids():
        found = next(filter(wanted, _open(pid)), None)
        if found is not None:
            yield pid, found


def _open(pid: int) -> Iterator[str]:
    try:
        links = list((_PROC / str(pid) / "fd").iterdir())
    except OSError:
        return
    for link in links:
        with suppress(OSError):  # closed meanwhile
            yield str(link.readlink())


def name(pid: int) -> str:
    """The program's name, at most 15 characters; empty when the process is gone."""
    try:
        return (_PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def carries(pid: int, *variables: str) -> bool:
    """Whether the process was started with one of these variables in its environment."""
    return any(item.partition(b"=")[0].decode(errors="replace") in variables for item in environment(pid))

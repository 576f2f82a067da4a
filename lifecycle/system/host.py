"""What this computer has to have for machines of its own. Looks only; nothing is written."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

_SELF = Path("/proc/self")


def signals_are_told() -> bool:
    """Whether /proc says which signals a process catches: without it no trainer is signalled."""
    return "\nSigCgt:" in (_SELF / "status").read_text() and bool((_SELF / "environ").read_bytes())


def loopback() -> int:
    """A port of 127.0.0.1 that was just opened, reached and closed. Raises OSError."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            return port


def nearest(path: Path) -> Path:
    """The path itself where it exists, else the nearest directory above it that does."""
    return next(place for place in (path, *path.parents) if place.exists())


def writable(path: Path) -> bool:
    """Whether files can be made in `path`, once the directories that it lacks are made."""
    place = nearest(path)
    return place.is_dir() and os.access(place, os.W_OK | os.X_OK)


def free(path: Path) -> int:
    """Bytes that are left on the disk of `path`."""
    return shutil.disk_usage(nearest(path)).free


def lacking(command: Sequence[str], workdir: Path, env: Mapping[str, str]) -> str | None:
    """What of a command is not there: its program, or the script that a Python is given. None: all is there."""
    program, *arguments = command
    found = shutil.which(workdir / program if "/" in program else program, path=env.get("PATH"))
    if found is None:
        return program
    script = arguments[0] if arguments and Path(program).name.startswith("python") else ""
    return script if script.endswith(".py") and not (workdir / script).is_file() else None

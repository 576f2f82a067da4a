"""Runs a command that can write below one folder and nowhere else, as in a container with a read-only root.

`python -m tests.doubles.confined FOLDER COMMAND...`. By the kernel's Landlock, for which nobody has to be root: it
refuses with EACCES, where a read-only mount would say EROFS. Source of the numbers: landlock(7).
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

CREATE, ADD, RESTRICT = 444, 445, 446
VERSION, BENEATH, NO_NEW_PRIVS = 1, 1, 38
WRITE_FILE, TRUNCATE = 1 << 1, 1 << 14
CHANGES = WRITE_FILE | sum(1 << bit for bit in range(4, 14)) | TRUNCATE
"""Writing a file; removing and making any kind of one; moving it to another folder; cutting it short."""

_libc = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = [("handled", ctypes.c_uint64)]


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32)]


def available() -> bool:
    """Whether this kernel can, in the version that knows of truncation (6.2)."""
    return int(_libc.syscall(CREATE, None, 0, VERSION)) >= 3


def confine(*folders: Path) -> None:
    """From now on this process, and all that it starts, change files below these folders only."""
    ruleset = _called(CREATE, ctypes.byref(_Ruleset(CHANGES)), ctypes.sizeof(_Ruleset), 0)
    for folder in folders:
        rule = _Beneath(CHANGES, os.open(folder, os.O_PATH))
        _called(ADD, ruleset, BENEATH, ctypes.byref(rule), 0)
    _libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
    _called(RESTRICT, ruleset, 0)


def _called(number: int, *arguments: object) -> int:
    answer: int = _libc.syscall(number, *arguments)
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer


if __name__ == "__main__":
    confine(Path(sys.argv[1]), Path("/dev"))
    os.execvp(sys.argv[2], sys.argv[2:])

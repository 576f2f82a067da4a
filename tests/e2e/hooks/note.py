"""A hook that notes its begin and its end in a file: `note.py FILE [SECONDS [EXIT_CODE]]`.

A line is `begin|end HOOK OP_ID CAUSE CHECKPOINT DEADLINE`, with `-` for what it was not told.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

TOLD = ("STEADY_HOOK", "STEADY_OP_ID", "STEADY_CAUSE", "STEADY_CHECKPOINT", "STEADY_DEADLINE")


def note(what: str) -> None:
    with Path(sys.argv[1]).open("a") as file:
        file.write(" ".join([what, *(os.environ.get(name, "-") for name in TOLD)]) + "\n")


note("begin")
print("hook output", flush=True)
time.sleep(float(sys.argv[2]) if sys.argv[2:] else 0)
note("end")
sys.exit(int(sys.argv[3]) if sys.argv[3:] else 0)

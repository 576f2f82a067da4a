"""Finds actionlint, or builds it once: `python -m tests.tools.actionlint` (some seconds, needs Go).

The build is cached outside the tree, by the version that `go.mod` names; Go's module proxy serves all of it.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PACKAGE = "github.com/rhysd/actionlint"


def version() -> str:
    """`1.7.12`, as go.mod has it."""
    found = re.search(rf"^\s*{re.escape(PACKAGE)} v(\S+)", (HERE / "go.mod").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def cached() -> Path:
    """Where the built program lies, whether or not it is there yet."""
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return home / "steadyfleet" / f"actionlint-{version()}" / "actionlint"


@functools.cache
def find() -> Path | None:
    """The program, built when it is not there yet; None without Go."""
    if cached().exists():
        return cached()
    return build() if shutil.which("go") else None


def build() -> Path:
    """Builds it into the cache, whole or not at all. Raises CalledProcessError."""
    target = cached()
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f"actionlint.{os.getpid()}")
    command = ["go", "build", "-trimpath", "-mod=readonly", "-o", str(beside), f"{PACKAGE}/cmd/actionlint"]
    subprocess.run(command, cwd=HERE, check=True, env={**os.environ, "CGO_ENABLED": "0"})
    beside.replace(target)
    return target


def main() -> int:
    program = find()
    print(program or "no actionlint and no Go", file=sys.stdout if program else sys.stderr)
    return 0 if program else 1


if __name__ == "__main__":
    sys.exit(main())

"""Finds actionlint, or builds it once: `python -m tests.tools.actionlint` (some seconds, needs Go).

The build is cached outside the tree, by the version that `go.mod` names; Go's module proxy serves all of it.
"""

from __future__ import annotations

import functools
import re
import shutil
import sys
from pathlib import Path

from tests.tools import built

HERE = Path(__file__).parent
PACKAGE = "github.com/rhysd/actionlint"


def version() -> str:
    """`1.7.12`, as go.mod has it."""
    found = re.search(rf"^\s*{re.escape(PACKAGE)} v(\S+)", (HERE / "go.mod").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def cached() -> Path:
    """Where the built program lies, whether or not it is there yet."""
    return built.cached("actionlint", version())


@functools.cache
def find() -> Path | None:
    """The program, built when it is not there yet; None without Go."""
    if cached().exists():
        return cached()
    return build() if shutil.which("go") else None


def build() -> Path:
    """Builds it into the cache. Raises CalledProcessError."""
    return built.build(cached(), "-mod=readonly", f"{PACKAGE}/cmd/actionlint", module=HERE)


def main() -> int:
    program = find()
    print(program or "no actionlint and no Go", file=sys.stdout if program else sys.stderr)
    return 0 if program else 1


if __name__ == "__main__":
    sys.exit(main())

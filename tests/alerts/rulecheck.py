"""Finds the evaluator of alert rules, or builds it: `python -m tests.alerts.rulecheck` (two minutes).

It is `main.go` beside this file, Prometheus's own engine around it; built without the discovery of clouds. Cached
outside the tree, by what it is made of.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.tools import built

HERE = Path(__file__).parent


def cached() -> Path:
    """Where the built one lies, whether or not it is there yet."""
    made_of = b"".join((HERE / name).read_bytes() for name in ("main.go", "go.sum"))
    return built.cached("rulecheck", hashlib.sha256(made_of).hexdigest()[:12])


def build() -> Path:
    """Builds it into the cache. Raises CalledProcessError."""
    return built.build(cached(), "-tags", "remove_all_sd", "-ldflags", "-w -s", ".", module=HERE)


def firing(rules: Path, series: Iterable[str], minutes: int) -> list[dict[str, Any]]:
    """The alerts that fire after so many minutes of these series. Fails for rules that are none."""
    story = {"rules": str(rules), "series": list(series), "minutes": minutes}
    done = subprocess.run([cached()], input=json.dumps(story), capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise AssertionError(done.stderr)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def main() -> int:
    if not cached().exists() and shutil.which("go") is None:
        print("no Go: install it (https://go.dev/doc/install)", file=sys.stderr)
        return 1
    print(cached() if cached().exists() else build())
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Finds the Pulumi CLI, or builds it: `python -m tests.engine.cli` (about three minutes the first time).

The build is cached outside the tree, by version. Source of the recipe: upstream's own Makefile, reduced to the
one binary; Go's module proxy serves everything it needs.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.tools import built

VERSION = "3.259.0"
MODULE = "github.com/pulumi/pulumi"
HERE = Path(__file__).parent


def cached() -> Path:
    """Where the built CLI lies, whether or not it is there yet."""
    return built.cached("pulumi", VERSION)


def version_of(cli: Path) -> tuple[int, ...]:
    """(3, 259, 0); nothing when it cannot be run."""
    try:
        with tempfile.TemporaryDirectory(prefix="pulumi-") as home:
            env = {**os.environ, "PULUMI_HOME": home, "PULUMI_SKIP_UPDATE_CHECK": "true"}
            command = [str(cli), "version"]
            said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=env).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    found = re.search(r"v?(\d+)\.(\d+)\.(\d+)", said)
    return tuple(int(part) for part in found.groups()) if found else ()


@functools.cache
def find() -> Path | None:
    """A CLI that is new enough: the one on PATH, else the one built here before."""
    wanted = tuple(int(part) for part in VERSION.split("."))
    on_path = shutil.which("pulumi")
    known = [Path(on_path)] if on_path else []
    return next((cli for cli in (*known, cached()) if cli.exists() and version_of(cli) >= wanted), None)


def build() -> Path:
    """Builds the CLI into the cache. Raises CalledProcessError."""
    stamp = f"-w -s -X {MODULE}/sdk/v3/go/common/version.Version=v{VERSION}"
    how, what = ("-tags", "osusergo grpcnotrace", "-ldflags", stamp), f"{MODULE}/pkg/v3/cmd/pulumi"
    return built.build(cached(), *how, what, module=HERE, GOFLAGS="-mod=mod")


def main() -> int:
    cli = find()
    if cli is None and shutil.which("go") is None:
        print("no Pulumi CLI and no Go: install either (https://www.pulumi.com/docs/install/)", file=sys.stderr)
        return 1
    print(cli or build())
    return 0


if __name__ == "__main__":
    sys.exit(main())

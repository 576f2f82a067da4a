"""Programs that tests need besides Python: built by Go into a cache outside the tree, or missed aloud."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")


def cached(program: str, of: str) -> Path:
    """Where the program built of this (a version, a digest) lies, whether or not it is there yet."""
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return home / "steadyfleet" / f"{program}-{of}" / program


def build(target: Path, *arguments: str, module: Path, **env: str) -> Path:
    """Builds in the folder of a Go module, whole or not at all. Raises CalledProcessError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f"{target.name}.{os.getpid()}")
    command = ["go", "build", "-trimpath", "-o", str(beside), *arguments]
    subprocess.run(command, cwd=module, check=True, env={**os.environ, "CGO_ENABLED": "0", **env})
    beside.replace(target)
    return target


def needed(found: T | None, how: str) -> T:
    """What is there; without it the test is skipped aloud, or fails where STEADY_REQUIRE_ENGINE is set."""
    if found is None and os.environ.get("STEADY_REQUIRE_ENGINE"):
        pytest.fail(how)
    if found is None:
        pytest.skip(how)
    return found

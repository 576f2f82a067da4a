"""The Pulumi CLI: the one on PATH, new enough, and explained in one line when it is not."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from functools import cache

from lifecycle.adapters.pulumi.said import explained
from lifecycle.model.errors import SteadyError, Unreadable

OLDEST = (3, 259, 0)
"""The version that all this was tried with: delete hooks on `destroy`, targets by pattern with `--refresh`."""

_FIX = f"install Pulumi {'.'.join(map(str, OLDEST))} or newer: https://www.pulumi.com/docs/install/"


def pulumi() -> str:
    """The path of the CLI. Raises SteadyError when there is none, or only one that is too old."""
    found = shutil.which("pulumi")
    if found is None:
        raise SteadyError("no `pulumi` on PATH: machines on AWS are made and ended by it", fix=_FIX, about="pulumi")
    version = _version(found)
    if version < OLDEST:
        said = ".".join(map(str, version)) or "of no version it would tell"
        raise SteadyError(f"the `pulumi` on PATH ({found}) is {said}: too old", fix=_FIX, about="pulumi")
    return found


def version() -> str:
    """Of the CLI on PATH. Raises SteadyError as `pulumi` does."""
    return ".".join(map(str, _version(pulumi())))


def backend(*, within: float) -> str:
    """Where the CLI is logged in to. Raises SteadyError when it is nowhere, or says nothing in `within` seconds."""
    command = [pulumi(), "whoami", "--json", "--non-interactive"]
    env = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=within, env=env, check=False)
    except (OSError, subprocess.SubprocessError):
        raise Unreadable(f"no answer in {within:.0f}s to `pulumi whoami`", fix="see to the network") from None
    if done.returncode:
        raise explained("of the foundation", done.stderr or done.stdout)
    found: str = json.loads(done.stdout)["url"]
    return found


@cache
def _version(path: str) -> tuple[int, ...]:
    """(3, 259, 0); nothing when it cannot be run. Asked once per process."""
    env = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        said = subprocess.run([path, "version"], capture_output=True, text=True, timeout=60, env=env, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", said.stdout)
    return tuple(map(int, found.groups())) if found else ()

"""One stack of the project, reached through the CLI from a folder of its own: no checkout is needed.

The backend, the credentials and the passphrase are those of the environment, as for anybody who types `pulumi`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from lifecycle.adapters.pulumi.cli import pulumi
from lifecycle.adapters.pulumi.events import Ran, read
from lifecycle.adapters.pulumi.said import explained, missing
from lifecycle.model.errors import SteadyError

Program = Callable[[], Awaitable[dict[str, Any]]]

PROJECT = "steadyfleet"

BEAT_EVERY = 10.0
_LIMIT = 30 * 60.0
"""Seconds one update may take; the slowest wait of AWS's provider is 20 minutes."""

_UNHEARD = 45.0
"""Seconds without a beat that was written down, after which it is ended: before others take it for dead."""

ANSWER = 300.0
"""Seconds that a command which only looks may take."""

_LAST_WORDS = 60.0
"""Seconds between asking the CLI to end and killing it."""

_ENVIRONMENT = {
    "AWS_MAX_ATTEMPTS": "4",
    "NO_COLOR": "1",
    "PULUMI_DEBUG_COMMANDS": "true",
    "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
    "PULUMI_SKIP_UPDATE_CHECK": "true",
}
"""Few attempts, so that a wait for capacity does not hold the lock; as a setting of the stack it would differ from
what a human's update says of the provider. `--client` is one of the CLI's commands for debugging. How secrets are
kept is said by the state: a folder without it would have the CLI choose anew, at every update."""

_HELD = ["/bin/sh", "-c", 'read -r go && exec "$@"', "sh"]
"""Starts nothing before it is told to: by then its pid is written down."""


class Workspace:
    """Use it as a context manager. Every method raises SteadyError with what the CLI said, in one line."""

    def __init__(self, stack: str, region: str, *, answer: float = ANSWER) -> None:
        self.stack, self.region, self._cli, self._answer = stack, region, pulumi(), answer
        self.folder = Path(tempfile.mkdtemp(prefix="steady-pulumi-"))
        (self.folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n")
        (self.folder / f"Pulumi.{stack}.yaml").write_text(f"config:\n  aws:region: {region}\n")

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _log(self) -> Path:
        return self.folder / "events.jsonl"

    @property
    def _said(self) -> Path:
        return self.folder / "said"

    def export(self) -> Mapping[str, Any] | None:
        """The stack's state as the backend keeps it; None when there is no such stack."""
        done = self._run("stack", "export", "--stack", self.stack)
        if missing(done.stderr):
            return None
        found: dict[str, Any] = json.loads(self._checked(done))["deployment"]
        return found

    def outputs(self) -> Mapping[str, Any] | None:
        """The stack's outputs; None when there is no such stack."""
        done = self._run("stack", "output", "--json", "--stack", self.stack)
        if missing(done.stderr):
            return None
        found: dict[str, Any] = json.loads(self._checked(done))
        return found

    def tell(self, *words: str) -> None:
        """One command about this stack, for its effect."""
        self._checked(self._run(*words, "--stack", self.stack))

    def run(self, words: list[str], beat: Callable[[int], None], program: Program | None = None) -> Ran:
        """A long command, which may change something, and what the engine said of it.

        `beat` gets its pid before it does anything, and then every BEAT_EVERY seconds while it runs.
        """
        if program is None:
            return self._ran(words, beat)
        from lifecycle.adapters.pulumi.serving import served

        with served(program) as address:
            return self._ran([*words, f"--client={address}", f"--event-log={self._log}"], beat)

    def _ran(self, words: list[str], beat: Callable[[int], None]) -> Ran:
        command = [*_HELD, self._cli, *words, "--stack", self.stack, "--non-interactive"]
        self._log.unlink(missing_ok=True)
        with self._said.open("wb") as out, self._started(command, out) as process:
            try:
                beat(process.pid)
                _release(process)
                _await(process, beat)
            except BaseException:
                _end(process)
                raise
        return Ran(process.returncode, self._said.read_text(errors="replace"), read(self._log))

    def _started(self, command: list[str], out: Any) -> subprocess.Popen[bytes]:
        """In a session of its own: Ctrl-C is ours to answer, and an update is not cut by it."""
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self._env(),
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [self._cli, *words, "--non-interactive"]
        how: dict[str, Any] = {"cwd": self.folder, "env": self._env(), "capture_output": True, "text": True}
        try:
            return subprocess.run(command, **how, timeout=self._answer, check=False)
        except subprocess.TimeoutExpired:
            said = f"no answer in {self._answer:.0f}s to `pulumi {' '.join(words[:2])}`"
            raise explained(self.stack, said) from None

    def _checked(self, done: subprocess.CompletedProcess[str]) -> str:
        if done.returncode:
            raise explained(self.stack, done.stderr or done.stdout)
        return done.stdout

    def _env(self) -> dict[str, str]:
        return {**os.environ, **_ENVIRONMENT}


def _release(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"go\n")
    process.stdin.flush()


def _await(process: subprocess.Popen[bytes], beat: Callable[[int], None]) -> None:
    """It goes on while a beat is not heard, but not so long that its lock may be broken while it works."""
    began = heard = time.monotonic()
    while time.monotonic() - began < _LIMIT and time.monotonic() - heard < _UNHEARD:
        try:
            process.wait(BEAT_EVERY)
            return
        except subprocess.TimeoutExpired:
            with suppress(SteadyError):
                beat(process.pid)
                heard = time.monotonic()
    _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Asks the CLI to finish what is under way and to unlock; kills it when it does not."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(_LAST_WORDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

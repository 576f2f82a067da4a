"""The real Pulumi engine, shut in: its own home and state below one folder, doubles instead of plugins and AWS.

The program is served from this process, as the Automation API does it, so no language host is needed and a test
may hand in any callable.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import yaml
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2_grpc

from lifecycle.adapters.pulumi.serving import closed
from tests.doubles.aws import AwsDouble
from tests.doubles.provider import ProviderDouble

Program = Callable[[], Any | Awaitable[Any]]
Flag = str | bool | list[str]

PROJECT, STACK = "steadyfleet", "test"
DEADLINE = 300.0
"""Seconds one command may take."""

_MESSAGES = 400 * 1024 * 1024
"""Pulumi's own limit for one gRPC message."""


@dataclass(frozen=True)
class Ran:
    """How a command ended. `events` is the engine's log."""

    code: int
    output: str
    events: list[dict[str, Any]]

    @property
    def changes(self) -> dict[str, int]:
        """How many resources were met with each operation: `create`, `update`, `replace`, `same`, ..."""
        summary: dict[str, Any] = next(
            (event["summaryEvent"] for event in self.events if "summaryEvent" in event), {}
        )
        return dict(summary.get("resourceChanges", {}))

    def steps(self, op: str) -> list[str]:
        """Names of the resources that went through this operation, in the order they ended."""
        ended = (event["resOutputsEvent"]["metadata"] for event in self.events if "resOutputsEvent" in event)
        return [step["urn"].split("::", 3)[3] for step in ended if step["op"] == op]

    @property
    def ops(self) -> Counter[str]:
        """Operations that ended well, the stack's and the provider's own included."""
        ended = (event["resOutputsEvent"]["metadata"]["op"] for event in self.events if "resOutputsEvent" in event)
        return Counter(ended)


class Engine:
    """One project with one stack selected, below `folder`. Commands run in `project`."""

    def __init__(
        self,
        folder: Path,
        cli: Path,
        provider: ProviderDouble,
        aws: AwsDouble,
        project: Path | None = None,
        *,
        diary: bool = False,
    ) -> None:
        """With `diary` the CLI writes its own log of all that it does, as for everybody: most of its time."""
        self.folder, self.cli, self.stack, self.provider = folder, cli, STACK, provider
        self.project = project or _empty_project(folder / "project")
        for name in ("home/.pulumi", "state", "tmp"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        if not diary:
            self.no_diary()
        self.env = {
            **aws.env,
            **provider.env,
            "HOME": str(folder / "home"),
            "NO_COLOR": "1",
            "PATH": os.environ.get("PATH", os.defpath),
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "testing",
            "PULUMI_DEBUG_COMMANDS": "true",
            "PULUMI_HOME": str(folder / "home" / ".pulumi"),
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "TMPDIR": str(folder / "tmp"),
        }
        self._commands = 0
        self._language = _Served()
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="language-server")
        limits = [("grpc.max_receive_message_length", _MESSAGES), ("grpc.max_send_message_length", _MESSAGES)]
        self._server = grpc.server(self._pool, options=limits)
        language_pb2_grpc.add_LanguageRuntimeServicer_to_server(self._language, self._server)
        self._port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def close(self) -> None:
        self._server.stop(grace=1).wait()
        self._pool.shutdown()

    def no_diary(self) -> None:
        """From now on the CLI keeps no log of its own: where its folder should be is a file."""
        logs = self.folder / "home/.pulumi/logs"
        shutil.rmtree(logs, ignore_errors=True)
        logs.touch()

    @property
    def client(self) -> str:
        """The flag by which a command that runs the program finds it."""
        return f"--client=127.0.0.1:{self._port}"

    def serve(self, program: Program) -> None:
        """What the next commands run as the project's program."""
        self._language.served = program

    def select(self, stack: str, config: Mapping[str, str] | None = None) -> None:
        """Makes the stack if need be; later commands are about it. Its configuration is written, not typed."""
        file = self.project / f"Pulumi.{stack}.yaml"
        known = yaml.safe_load(file.read_text()) if file.exists() else {}
        values = {"aws:region": self.env["AWS_DEFAULT_REGION"], **(config or {})}
        file.write_text(yaml.safe_dump({**known, "config": {**known.get("config", {}), **values}}))
        self.checked("stack", "select", "--create", "--stack", stack)
        self.stack = stack

    def up(self, **flags: Flag) -> Ran:
        return self._ran("up", {"yes": True, "skip_preview": True, **flags})

    def preview(self, **flags: Flag) -> Ran:
        return self._ran("preview", flags)

    def refresh(self, **flags: Flag) -> Ran:
        return self._ran("refresh", {"yes": True, "skip_preview": True, **flags})

    def destroy(self, **flags: Flag) -> Ran:
        return self._ran("destroy", {"yes": True, "skip_preview": True, **flags})

    def export(self) -> dict[str, Any]:
        """The stack's state as the backend keeps it."""
        state: dict[str, Any] = json.loads(self.checked("stack", "export", "--stack", self.stack))
        return state

    def resources(self) -> dict[str, dict[str, Any]]:
        """The state's resources by logical name, without the stack and the provider."""
        found = self.export()["deployment"].get("resources", [])
        mine = (resource for resource in found if not resource["type"].startswith("pulumi:"))
        return {resource["urn"].split("::", 3)[3]: resource for resource in mine}

    def resources_of(self, token: str) -> dict[str, dict[str, Any]]:
        """The state's resources of one type by logical name."""
        found = self.export()["deployment"].get("resources", [])
        return {one["urn"].split("::", 3)[3]: one for one in found if one["type"] == token}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Any command of the CLI, in the project's folder, in nobody's environment."""
        command = [str(self.cli), *words, "--non-interactive", "--color=never"]
        return subprocess.run(
            command, cwd=self.project, env=self.env, capture_output=True, text=True, timeout=DEADLINE, check=False
        )

    def checked(self, *words: str) -> str:
        """What the command says. Raises RuntimeError when it fails."""
        done = self.run(*words)
        if done.returncode:
            raise RuntimeError(f"pulumi {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def _ran(self, verb: str, flags: Mapping[str, Flag]) -> Ran:
        self._commands += 1
        log = self.folder / "tmp" / f"events-{self._commands}.jsonl"
        own = [f"--stack={self.stack}", self.client, f"--event-log={log}"]
        done = self.run(verb, *own, *_words(flags))
        lines = log.read_text().splitlines() if log.exists() else []
        return Ran(done.returncode, done.stdout + done.stderr, [json.loads(line) for line in lines])


class _Served(LanguageServer):
    """The SDK's server; the event loop it leaves behind when the engine gives up on a program is closed here."""

    def __init__(self) -> None:
        super().__init__(self._started)
        self.served: Program = _nothing
        self._mine = threading.local()

    def _started(self) -> Any:
        self._mine.loop = asyncio.get_running_loop()
        return self.served()

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        self._mine.loop = None
        try:
            return super().Run(request, context)  # type: ignore[no-untyped-call]
        finally:
            if self._mine.loop is not None:
                closed(self._mine.loop)


def _nothing() -> None:
    """A program without resources."""


def _empty_project(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Pulumi.yaml").write_text(f"name: {PROJECT}\nruntime: python\n")
    return folder


def _words(flags: Mapping[str, Flag]) -> list[str]:
    """`run_program=True, target=[a, b]` as the CLI wants it."""
    words = []
    for name, value in flags.items():
        flag = f"--{name.replace('_', '-')}"
        if isinstance(value, list):
            words += [f"{flag}={one}" for one in value]
        else:
            words.append(f"{flag}={str(value).lower() if isinstance(value, bool) else value}")
    return words

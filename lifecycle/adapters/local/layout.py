"""What lies where in the state directory, and the small files by which a machine is directed.

tracker.db            the tracker (SQLite)
owner                 the id in every owner tag; made once
objects/              checkpoints: the "S3" of this computer
logs/RUN/ATTEMPT.log  what trainers print; OP.log, what hooks do
machines/ID/          the provider's own records of a machine: outlive it for an hour
    machine.json      who it is: written before it is started; only its tags may change
    want.json         what is wanted of it: on, off, terminated, killed
    process.json      its process and the port of its metadata service
    notices.json      the notices that stand
    ended.json        stopped or terminated, once no process of it is left
instances/ID/         the machine's disk: gone when the machine is terminated
    attempts/RUN/N/   (of a hook: OP/TRY) launch.json (asked by the agent), process.json, exit.json (by the machine)
    runs/RUN/         the run's directory, checkpoints below
    agent.json        the agent's memory
local/fired/          notices of the spec that have fired, once per node, ever
foundations/, fleets/ what was last used on AWS and elsewhere from here (`bootstrap.known`)
providers/NAME/       the state directory of the fleets of a provider that another package registers
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import msgspec

from lifecycle.model.errors import StateUnusable, Unreadable
from lifecycle.model.fleet import Market
from lifecycle.model.states import Cause, InstanceState
from lifecycle.system.files import write_whole
from lifecycle.system.processes import Identity


class Power(StrEnum):
    ON = "on"
    OFF = "off"
    TERMINATED = "terminated"
    KILLED = "killed"


class Want(msgspec.Struct, frozen=True, kw_only=True):
    power: Power
    cause: Cause | None = None
    said: str = ""
    """Who asked, where that was a person at the local console."""


class ScheduledNotice(msgspec.Struct, frozen=True, kw_only=True):
    """A notice of the spec's `local:` section. `key` is unique per node and notice."""

    key: str
    after: float
    lead: float
    cause: Cause


class MachineRecord(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    fleet: str
    node: str
    incarnation: int
    market: Market
    created_at: float
    tags: dict[str, str]
    instance_type: str = "local"
    zone: str = "local"
    schedule: tuple[ScheduledNotice, ...] = ()


class MachineProcess(msgspec.Struct, frozen=True, kw_only=True):
    process: Identity
    port: int
    started_at: float


class StandingNotice(msgspec.Struct, frozen=True, kw_only=True):
    """A notice as the metadata service will show it. Without a deadline it is advice."""

    id: str
    cause: Cause
    at: float
    deadline: float | None = None


class EndedRecord(msgspec.Struct, frozen=True, kw_only=True):
    state: InstanceState
    at: float
    cause: Cause | None = None


class LaunchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt, asked of one machine process: another one, after a restart, does not start it."""

    machine: Identity
    run: str
    attempt: int
    command: tuple[str, ...]
    workdir: str
    env: dict[str, str]
    log: str
    hook: bool = False


class StartedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`process` None: it could not be started, and `exit.json` says so."""

    machine: Identity
    process: Identity | None
    started_at: float


class ExitRecord(msgspec.Struct, frozen=True, kw_only=True):
    code: int
    at: float


class MachinePaths:
    """The places of one machine."""

    def __init__(self, state: Path, machine: str) -> None:
        self.records = state / "machines" / machine
        self.disk = state / "instances" / machine
        self.record = self.records / "machine.json"
        self.want = self.records / "want.json"
        self.process = self.records / "process.json"
        self.notices = self.records / "notices.json"
        self.ended = self.records / "ended.json"
        self.lock = self.records / "lock"
        self.log = self.records / "machine.log"
        self.attempts = self.disk / "attempts"

    def attempt(self, run: str, number: int) -> Path:
        return self.attempts / run / str(number)


class StateDirectory:
    """The state directory. Made on first use; `.gitignore` keeps it out of repositories."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tracker = path / "tracker.db"
        self.objects = path / "objects"
        self.logs = path / "logs"
        self.machines = path / "machines"
        self.fired = path / "local" / "fired"
        self.wake = path / "wake"

    @property
    def unused(self) -> bool:
        """Nobody has ever prepared it: then there is nothing to look at. Raises StateUnusable."""
        if self.path.exists() and not self.path.is_dir():
            raise self._unusable("Not a directory")
        return not any(path.exists() for path in (self.path / "owner", self.tracker, self.machines))

    def prepare(self) -> None:
        """Makes what is missing, for this user only. Raises StateUnusable."""
        fresh = self.unused
        with self.writing():
            if fresh:
                self._make_owner()
            for folder in (self.logs, self.machines, self.fired):
                folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """The directory is there while the block writes to it. Raises StateUnusable."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not (self.path / ".gitignore").exists():
                write_whole(self.path / ".gitignore", b"*\n")
            yield
        except OSError as error:
            raise self._unusable(error.strerror) from None

    def _unusable(self, why: str | None) -> StateUnusable:
        return StateUnusable(
            f"{self.path}: the state directory cannot be used: {why}",
            fix="make it a writable directory, or choose another with --state",
        )

    @property
    def owner(self) -> str:
        """The id in every owner tag. Raises Unreadable: without it no machine can be told to be ours."""
        try:
            return (self.path / "owner").read_text().strip()
        except OSError as error:
            raise Unreadable(
                f"{self.path / 'owner'}: {error.strerror}",
                fix="put the file back: it says whose machines these are",
            ) from None

    def machine(self, machine: str) -> MachinePaths:
        return MachinePaths(self.path, machine)

    def _make_owner(self) -> None:
        """The first process to come names the owner, before anything that shows use; all others read it."""
        path = self.path / "owner"
        beside = self.path / f".owner.{os.getpid()}"
        write_whole(beside, f"local-{secrets.token_hex(8)}\n".encode())
        try:
            os.link(beside, path)
        except FileExistsError:
            pass
        finally:
            beside.unlink(missing_ok=True)

"""`steady-agent`: puts an agent together for the machine it runs on, and keeps it stepping.

Who the machine is comes from its metadata service and is checked against the creation claim. Tracker and store
are on AWS where STEADY_TABLE names a table (with STEADY_REGION and STEADY_BUCKET), else in the state directory.
With a state directory the machine is one of this computer; without, systemd starts the attempts.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from lifecycle.adapters.local.launcher import MachineLauncher
from lifecycle.adapters.local.layout import MachinePaths, MachineProcess, StateDirectory
from lifecycle.adapters.local.objects import DirectoryStore
from lifecycle.adapters.local.table import SqliteTable
from lifecycle.adapters.local.wake import FileWake
from lifecycle.adapters.metadata import InstanceMetadata
from lifecycle.adapters.systemd import SystemdLauncher, SystemdPower
from lifecycle.agent.courier import Courier
from lifecycle.agent.memory import Memory
from lifecycle.agent.programs import Programs
from lifecycle.agent.reporting import Reporter
from lifecycle.agent.service import Agent, Identity
from lifecycle.agent.supervisor import Supervisor
from lifecycle.agent.watch import NoticeWatch
from lifecycle.model.errors import SteadyError, Unreadable
from lifecycle.model.tags import INCARNATION, NODE
from lifecycle.ports.checkpoints import ObjectStore
from lifecycle.ports.events import Wake
from lifecycle.ports.notices import MachineIdentity
from lifecycle.ports.power import Power
from lifecycle.ports.tracker import Table
from lifecycle.ports.trainer import Launcher
from lifecycle.system import processes
from lifecycle.system.clock import SystemClock
from lifecycle.system.files import read_record
from lifecycle.tracker.node import NodeTracker

HEARTBEAT = 2.0
TRACKER_BUSY = 2.0
"""An agent never waits long for the tracker: notices come first."""

SHUTDOWN_DEFAULT = 85.0
TABLE, DISK = "STEADY_TABLE", "/var/lib/steadyfleet"
PARENT = "STEADY_MACHINE_PID"
"""The process of a machine of this computer: it may be gone before its agent has begun to look."""

OPENER = (sys.executable, "-I", "-m", "lifecycle.adapters.aws.secrets")
"""Becomes the trainer once it has fetched its secrets. Isolated: no module of the trainer's stands in its way."""

READ_EVERY = 1.0
"""Seconds between two readings of orders that are paid for."""


class Bell:
    """Lets threads, signals and the trainer's end wake the agent."""

    def __init__(self) -> None:
        self._pull, self._push = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._push)

    def ring(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._push, b"!")

    def wait(self, seconds: float, pid: int | None) -> None:
        """Returns after a ring, at the end of process `pid`, or after `seconds`."""
        ended = _end_of(pid)
        try:
            select.select([self._pull, *([] if ended is None else [ended])], [], [], seconds)
        finally:
            if ended is not None:
                os.close(ended)
        with contextlib.suppress(BlockingIOError):
            os.read(self._pull, 4096)


def _end_of(pid: int | None) -> int | None:
    """A handle that becomes readable when the process ends; None where that cannot be had."""
    if not pid:
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


class Reach(NamedTuple):
    """What the agent shares with the controller."""

    table: Table
    store: ObjectStore
    wake: Wake
    read_every: float


class Machine(NamedTuple):
    """What starts attempts here, and where they leave things."""

    launcher: Launcher
    disk: Path
    logs: Path
    boot: str
    power: Power | None = None


def main(argv: list[str] | None = None) -> int:
    """Runs the agent of this machine until the machine goes."""
    parser = argparse.ArgumentParser(
        prog="steady-agent", description="The agent of one node. Started by its machine."
    )
    parser.add_argument("--state", type=Path, default=os.environ.get("STEADY_STATE"), help="the state directory")
    state = parser.parse_args(argv).state
    if state is None and TABLE not in os.environ:
        parser.error(f"--state is needed (or STEADY_STATE), or on AWS {TABLE}")
    try:
        _run(StateDirectory(Path(state).absolute()) if state else None)
    except SteadyError as error:
        print(f"error: {error.what}\nfix: {error.fix}", file=sys.stderr)
        return error.exit_code
    return 0


def _run(state: StateDirectory | None) -> None:
    bell, clock = Bell(), SystemClock()
    parent = int(os.environ.get(PARENT, os.getppid()))

    def orphaned() -> bool:
        return state is not None and os.getppid() != parent

    metadata = InstanceMetadata(clock)
    me = _who_am_i(metadata, orphaned)
    machine = _with_systemd() if state is None else _of_this_computer(state, me)
    reach = _on_aws(metadata, me, machine) if state is None or TABLE in os.environ else _here(state, clock)
    tracker = NodeTracker(reach.table, me.node)
    _check_claim(tracker, me)
    trainer = Supervisor(
        node=me.node,
        disk=machine.disk,
        logs=machine.logs,
        launcher=machine.launcher,
        opener=OPENER if TABLE in os.environ else (),
    )
    agent = Agent(
        msgspec.structs.replace(me, boot=machine.boot),
        tracker=tracker,
        trainer=trainer,
        programs=Programs(trainer, machine.launcher, machine.logs),
        courier=Courier(reach.store, clock.now, bell.ring),
        watch=NoticeWatch(metadata, clock, bell.ring),
        memory=Memory(machine.disk / "agent.json"),
        reporter=Reporter(tracker, clock, reach.wake, HEARTBEAT),
        clock=clock,
        orphaned=orphaned,
        read_every=reach.read_every,
        power=machine.power,
    )
    patience = float(os.environ.get("STEADY_SHUTDOWN_S", SHUTDOWN_DEFAULT))
    signal.signal(signal.SIGTERM, lambda *_: agent.shut_down(time.time() + patience))
    while not agent.leaving:
        bell.wait(agent.step(), agent.watched_pid)
    if agent.orphaned:
        processes.end_all(lambda: processes.carriers("STEADY_INSTANCE_ID", me.instance))


def _here(state: StateDirectory, clock: SystemClock) -> Reach:
    table = SqliteTable(state.tracker, busy=TRACKER_BUSY)
    return Reach(table, DirectoryStore(state.objects), FileWake(state.wake, clock), 0.0)


def _on_aws(metadata: InstanceMetadata, me: Identity, machine: Machine) -> Reach:
    """boto3 is imported only here: an agent of this computer does without."""
    from lifecycle.adapters.aws.node import NodeSite
    from lifecycle.adapters.aws.wake import NodeWake

    site = NodeSite(_setting("STEADY_REGION"), metadata.account(), me.instance)
    store = site.store(_setting("STEADY_BUCKET"), machine.disk / "uploads")
    return Reach(site.table(_setting(TABLE)), store, NodeWake(), READ_EVERY)


def _setting(name: str) -> str:
    found = os.environ.get(name)
    if not found:
        raise SteadyError(
            f"{name} is not set", fix=f"set {TABLE}, STEADY_REGION and STEADY_BUCKET, as user data does"
        )
    return found


def _of_this_computer(state: StateDirectory, me: Identity) -> Machine:
    paths = state.machine(me.instance)
    return Machine(MachineLauncher(paths), paths.disk, state.logs, _boot_of(paths))


def _boot_of(paths: MachinePaths) -> str:
    """A machine of this computer boots with its process."""
    machine = read_record(paths.process, MachineProcess)
    return f"{machine.process.pid}.{machine.process.started}" if machine else ""


def _with_systemd() -> Machine:
    disk = Path(os.environ.get("STEADY_DISK", DISK))
    disk.mkdir(parents=True, exist_ok=True)
    return Machine(SystemdLauncher(disk / "attempts"), disk, disk / "logs", processes.boot_id(), SystemdPower())


def _check_claim(tracker: NodeTracker, me: Identity) -> None:
    """A machine without a creation claim is nobody's, nor is a copy. A tracker that is away proves nothing."""
    try:
        claim = tracker.incarnation(me.incarnation)
    except SteadyError:
        return
    if claim is None:
        what = f"no creation claim for {me.node}, incarnation {me.incarnation}"
        raise SteadyError(what, fix="steady sweep")
    if claim.instance not in (None, me.instance):
        what = f"{me.instance} wears the tags of {claim.instance}, which fills {me.node}: nothing is trained twice"
        raise SteadyError(what, fix="terminate it; machines are made by `pulumi up` and `steady reconcile` only")


def _who_am_i(metadata: InstanceMetadata, orphaned: Callable[[], bool]) -> Identity:
    """Asks the metadata service until it answers, or its machine is gone: without a name nothing can be done."""
    while True:
        try:
            found = metadata.identity()
        except Unreadable as error:
            if orphaned():
                raise
            print(f"waiting: {error.what}", file=sys.stderr, flush=True)
            time.sleep(1.0)
        else:
            return _identity(found)


def _identity(found: MachineIdentity) -> Identity:
    return Identity(node=found.tags[NODE], instance=found.instance, incarnation=int(found.tags[INCARNATION]))


if __name__ == "__main__":
    sys.exit(main())

"""`steady-agent`: puts an agent together for the machine it runs on, and keeps it stepping.

Who the machine is comes from its metadata service and is checked against the creation claim.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import signal
import sys
import time
from pathlib import Path

from lifecycle.adapters.local.launcher import MachineLauncher
from lifecycle.adapters.local.layout import StateDirectory
from lifecycle.adapters.local.objects import DirectoryStore
from lifecycle.adapters.local.table import SqliteTable
from lifecycle.adapters.local.wake import FileWake
from lifecycle.adapters.metadata import InstanceMetadata
from lifecycle.agent.courier import Courier
from lifecycle.agent.memory import Memory
from lifecycle.agent.reporting import Reporter
from lifecycle.agent.service import Agent, Identity
from lifecycle.agent.supervisor import Supervisor
from lifecycle.agent.watch import NoticeWatch
from lifecycle.model.errors import SteadyError, Unreadable
from lifecycle.model.tags import INCARNATION, NODE
from lifecycle.ports.notices import MachineIdentity
from lifecycle.system import processes
from lifecycle.system.clock import SystemClock
from lifecycle.tracker.node import NodeTracker

HEARTBEAT = 2.0
TRACKER_BUSY = 2.0
"""An agent never waits long for the tracker: notices come first."""

SHUTDOWN_DEFAULT = 85.0


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


def main(argv: list[str] | None = None) -> int:
    """Runs the agent of this machine until the machine goes."""
    parser = argparse.ArgumentParser(
        prog="steady-agent", description="The agent of one node. Started by its machine."
    )
    parser.add_argument("--state", type=Path, default=os.environ.get("STEADY_STATE"), help="the state directory")
    state = parser.parse_args(argv).state
    if state is None:
        parser.error("--state is needed (or STEADY_STATE)")
    try:
        _run(StateDirectory(Path(state).absolute()))
    except SteadyError as error:
        print(f"error: {error.what}\nfix: {error.fix}", file=sys.stderr)
        return error.exit_code
    return 0


def _run(state: StateDirectory) -> None:
    bell, clock, parent = Bell(), SystemClock(), os.getppid()
    metadata = InstanceMetadata(clock)
    me = _who_am_i(metadata)
    table = SqliteTable(state.tracker, busy=TRACKER_BUSY)
    tracker = NodeTracker(table, me.node)
    _check_claim(tracker, me)
    paths = state.machine(me.instance)
    agent = Agent(
        me,
        tracker=tracker,
        trainer=Supervisor(node=me.node, disk=paths.disk, logs=state.logs, launcher=MachineLauncher(paths)),
        courier=Courier(DirectoryStore(state.objects), clock.now, bell.ring),
        watch=NoticeWatch(metadata, clock, bell.ring),
        memory=Memory(paths.disk / "agent.json"),
        reporter=Reporter(tracker, clock, FileWake(state.wake, clock), HEARTBEAT),
        clock=clock,
        orphaned=lambda: os.getppid() != parent,
    )
    patience = float(os.environ.get("STEADY_SHUTDOWN_S", SHUTDOWN_DEFAULT))
    signal.signal(signal.SIGTERM, lambda *_: agent.shut_down(time.time() + patience))
    while not agent.leaving:
        bell.wait(agent.step(), agent.watched_pid)
    if agent.orphaned:
        processes.end_all(lambda: processes.carriers("STEADY_INSTANCE_ID", me.instance))


def _check_claim(tracker: NodeTracker, me: Identity) -> None:
    """A machine without a creation claim is nobody's. A tracker that is away proves nothing."""
    try:
        claim = tracker.incarnation(me.incarnation)
    except SteadyError:
        return
    if claim is None:
        what = f"no creation claim for {me.node}, incarnation {me.incarnation}"
        raise SteadyError(what, fix="steady sweep")


def _who_am_i(metadata: InstanceMetadata) -> Identity:
    """Asks the metadata service until it answers: without a name nothing can be done."""
    while True:
        try:
            found = metadata.identity()
        except Unreadable as error:
            print(f"waiting: {error.what}", file=sys.stderr, flush=True)
            time.sleep(1.0)
        else:
            return _identity(found)


def _identity(found: MachineIdentity) -> Identity:
    return Identity(node=found.tags[NODE], instance=found.instance, incarnation=int(found.tags[INCARNATION]))


if __name__ == "__main__":
    sys.exit(main())

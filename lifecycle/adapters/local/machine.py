"""The process that a local machine is. It outlives the command that made it.

It serves the metadata service, keeps the agent running, starts attempts that the agent asks for and
records how they end (it is their subreaper, so nothing escapes it). It ends everything, and the disk with
it, at a notice's deadline or when it is terminated; an on-demand machine can be stopped and keeps its disk.
It takes directions from files only (`want.json`, `notices.json`), so a repeat changes nothing.

    python -m lifecycle.adapters.local.machine STATE ID
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from lifecycle.adapters.local.imds import MetadataServer
from lifecycle.adapters.local.layout import (
    EndedRecord,
    ExitRecord,
    LaunchRequest,
    MachinePaths,
    MachineProcess,
    MachineRecord,
    Power,
    StandingNotice,
    StartedRecord,
    StateDirectory,
    Want,
)
from lifecycle.adapters.local.wake import FileWake
from lifecycle.model.fleet import Market
from lifecycle.model.states import Cause, InstanceState
from lifecycle.system import processes
from lifecycle.system.clock import SystemClock
from lifecycle.system.files import read_record, write_record

EVERY = 0.1
SHUTDOWN_SECONDS = 90.0
"""How long a machine that is stopped waits for its agent: systemd's default."""

AGENT = "lifecycle.bootstrap.node"
_AGENT_RESTARTS = (0.0, 0.5, 1.0, 2.0, 5.0)
_SUBREAPER = 36


class LocalMachine:
    """One machine, from boot to its end."""

    def __init__(self, state: StateDirectory, paths: MachinePaths, record: MachineRecord) -> None:
        self._state, self._paths, self._record = state, paths, record
        self._me = processes.myself()
        self._server = MetadataServer(self._known, self._notices)
        self._agent: int | None = None
        self._agent_due, self._agent_died = 0.0, 0
        self._running: dict[int, Path] = {}
        self._first_start: float | None = None
        self._shutdown: Want | None = None
        self._bell, self._bell_push = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> None:
        """Lives until it is ended, one way or the other."""
        self._paths.disk.mkdir(parents=True, exist_ok=True)
        self._paths.ended.unlink(missing_ok=True)
        write_record(
            self._paths.process,
            MachineProcess(process=self._me, port=self._server.port, started_at=time.time()),
        )
        self._listen()
        while not self._over():
            self._start_attempts()
            self._tend_agent()
            self._fire_schedule()
            self._pause()

    def _listen(self) -> None:
        """A child's end or a request to go down wakes the loop; children start with default signals."""
        signal.set_wakeup_fd(self._bell_push)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._go_down)

    def _go_down(self, *_: object) -> None:
        self._shutdown = Want(power=Power.OFF, cause=Cause.OPERATOR)

    def _pause(self) -> None:
        select.select([self._bell], [], [], EVERY)
        with contextlib.suppress(BlockingIOError):
            os.read(self._bell, 4096)
        self._reap()

    # ---- the end ---------------------------------------------------------------------------------

    def _over(self) -> bool:
        if not self._paths.record.exists() or not self._paths.disk.is_dir():
            self._end(InstanceState.TERMINATED, Cause.HARDWARE)
            return True
        want = read_record(self._paths.want, Want) or Want(power=Power.ON)
        if want.power in (Power.TERMINATED, Power.KILLED):
            self._end(InstanceState.TERMINATED, want.cause)
            return True
        due = self._taken()
        if due is not None:
            self._end(InstanceState.TERMINATED, due.cause)
            return True
        if want.power is Power.OFF or self._shutdown is not None:
            self._power_off(want if want.power is Power.OFF else self._shutdown or want)
            return True
        return False

    def _taken(self) -> StandingNotice | None:
        """The notice whose deadline has passed."""
        now = time.time()
        return next((n for n in self._notices() if n.deadline is not None and n.deadline <= now), None)

    def _power_off(self, want: Want) -> None:
        """As an operating system goes down: the agent first, in its time, then everything."""
        deadline = time.monotonic() + SHUTDOWN_SECONDS
        if self._agent is not None:
            processes.send(self._agent, signal.SIGTERM)
        while self._agent is not None and time.monotonic() < deadline and self._taken() is None:
            self._start_attempts()
            self._pause()
        spot = self._record.market is Market.SPOT
        self._end(InstanceState.TERMINATED if spot else InstanceState.STOPPED, want.cause)

    def _end(self, state: InstanceState, cause: Cause | None) -> None:
        """Nothing of this machine is left when it says so."""
        processes.end_all(self._everyone)
        self._reap()
        if state is InstanceState.TERMINATED:
            shutil.rmtree(self._paths.disk, ignore_errors=True)
        if self._paths.records.is_dir():
            write_record(self._paths.ended, EndedRecord(state=state, at=time.time(), cause=cause))
            FileWake(self._state.wake, SystemClock()).ring()

    def _everyone(self) -> set[int]:
        self._reap()
        marked = processes.carriers("STEADY_INSTANCE_ID", self._record.id)
        return {*processes.descendants(os.getpid()), *marked}

    # ---- children --------------------------------------------------------------------------------

    def _reap(self) -> None:
        """Records how attempts ended; notes a dead agent; buries adopted orphans."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._agent:
                self._agent = None
                self._agent_died += 1
                delay = _AGENT_RESTARTS[min(self._agent_died - 1, len(_AGENT_RESTARTS) - 1)]
                self._agent_due = time.monotonic() + delay
            elif pid in self._running:
                self._record_exit(self._running.pop(pid), os.waitstatus_to_exitcode(status))

    def _record_exit(self, place: Path, code: int) -> None:
        if place.is_dir():
            write_record(place / "exit.json", ExitRecord(code=code, at=time.time()))

    def _tend_agent(self) -> None:
        if self._agent is not None or time.monotonic() < self._agent_due:
            return
        endpoint = f"http://127.0.0.1:{self._server.port}/"
        env = {
            **os.environ,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": endpoint,
            "STEADY_STATE": str(self._state.path),
            "STEADY_MACHINE_PID": str(os.getpid()),
            "STEADY_SHUTDOWN_S": str(SHUTDOWN_SECONDS - 5),
        }
        with self._paths.log.open("ab") as log:
            self._agent = _spawn([sys.executable, "-m", AGENT], env=env, cwd="/", output=log.fileno())

    def _start_attempts(self) -> None:
        for request in self._paths.attempts.glob("*/*/launch.json"):
            place = request.parent
            if not (place / "process.json").exists():
                self._start(place, read_record(request, LaunchRequest))

    def _start(self, place: Path, request: LaunchRequest | None) -> None:
        if request is None or request.machine != self._me:
            return
        now = time.time()
        try:
            pid = _launch(request, self._record.id)
        except OSError as error:
            self._could_not_start(place, request, error)
            return
        self._running[pid] = place
        if not request.hook:
            self._first_start = self._first_start or now
        started = StartedRecord(machine=self._me, process=processes.identify(pid), started_at=now)
        write_record(place / "process.json", started)

    def _could_not_start(self, place: Path, request: LaunchRequest, error: OSError) -> None:
        what = error.filename or request.command[0]
        with Path(request.log).open("a") as log:
            log.write(f"cannot start: {what}: {error.strerror}\n")
        write_record(place / "exit.json", ExitRecord(code=127, at=time.time()))
        write_record(place / "process.json", StartedRecord(machine=self._me, process=None, started_at=time.time()))

    # ---- what the metadata service tells ---------------------------------------------------------

    def _known(self) -> MachineRecord:
        """Who the machine is, with the tags it has now."""
        return read_record(self._paths.record, MachineRecord) or self._record

    def _notices(self) -> tuple[StandingNotice, ...]:
        return read_record(self._paths.notices, tuple[StandingNotice, ...]) or ()

    def _fire_schedule(self) -> None:
        """The spec's own notices: once per node, ever, counted from its first start of training."""
        if self._first_start is None:
            return
        now = time.time()
        for planned in self._record.schedule:
            if now >= self._first_start + planned.after and self._first_time(planned.key):
                deadline = None if planned.cause is Cause.REBALANCE else now + planned.lead
                fresh = StandingNotice(id=planned.key, cause=planned.cause, at=now, deadline=deadline)
                write_record(self._paths.notices, (*self._notices(), fresh))

    def _first_time(self, key: str) -> bool:
        try:
            os.close(os.open(self._state.fired / key, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return False
        return True


def _launch(request: LaunchRequest, machine: str) -> int:
    env = {**os.environ, **request.env, "STEADY_INSTANCE_ID": machine}
    Path(request.log).parent.mkdir(parents=True, exist_ok=True)
    with Path(request.log).open("ab") as log:
        return _spawn(list(request.command), env=env, cwd=request.workdir, output=log.fileno())


def _spawn(command: list[str], *, env: dict[str, str], cwd: str, output: int) -> int:
    """Starts a child in a session of its own; it is reaped by `waitpid`, not by its Popen object."""
    child = subprocess.Popen(
        command,
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    child.returncode = 0  # nobody waits for it through this object
    return child.pid


def main(state: str, machine: str) -> int:
    """Runs the machine, unless a process of it runs already."""
    directory = StateDirectory(Path(state))
    paths = directory.machine(machine)
    record = read_record(paths.record, MachineRecord)
    if record is None:
        return 1
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    with paths.lock.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        LocalMachine(directory, paths, record).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

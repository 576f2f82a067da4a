"""Machines of this computer: making, listing, stopping and ending them.

A machine's id follows from owner, node and incarnation, so the same incarnation can never be two
machines, whoever asks and however often. A machine is reported terminated only when no process that
carries its id is left, a reboot included: then a spot machine is gone, an on-demand one stopped.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import msgspec

from lifecycle.adapters.local.layout import (
    EndedRecord,
    MachinePaths,
    MachineProcess,
    MachineRecord,
    Power,
    ScheduledNotice,
    StateDirectory,
    Want,
)
from lifecycle.model import tags
from lifecycle.model.codec import decode
from lifecycle.model.errors import GuardRefused, Unreadable
from lifecycle.model.fleet import FleetSpec, LocalNotice, Market
from lifecycle.model.ids import NodeName
from lifecycle.model.plan import Label
from lifecycle.model.records import Placement
from lifecycle.model.states import Cause, InstanceState
from lifecycle.model.world import Machine
from lifecycle.ports.provisioner import Outcome
from lifecycle.system import processes
from lifecycle.system.files import read_record, write_record

BOOT_SECONDS = 30.0
END_SECONDS = 15.0
FORGET_AFTER = 3600.0
"""Ended machines stay in the list this long, as on EC2."""

SpecOf = Callable[[str], FleetSpec | None]


class LocalProvider:
    """Implements `ports.compute.Compute` and `ports.provisioner.Provisioner`.

    `spec_of` gives the spec of record of a fleet, for the notices that its `local:` section plans.
    """

    def __init__(self, state: StateDirectory, spec_of: SpecOf) -> None:
        self._state, self._spec_of = state, spec_of
        self._children: list[subprocess.Popen[bytes]] = []

    # ---- seeing ----------------------------------------------------------------------------------

    def machines(self, fleet: str) -> Sequence[Machine]:
        if self._state.unused:
            return []  # nothing was ever made here
        try:
            names = sorted(entry.name for entry in self._state.machines.iterdir())
        except OSError as error:
            raise Unreadable(
                f"{self._state.machines}: {error.strerror}", fix="is the state directory still there?"
            ) from None
        self._children = [child for child in self._children if child.poll() is None]
        found = (self._machine(name, fleet) for name in names if not name.startswith("."))
        return [machine for machine in found if machine is not None]

    def _machine(self, name: str, fleet: str) -> Machine | None:
        paths = self._state.machine(name)
        record = self._recorded(paths)
        if record is None or not tags.owned(record.tags, self._state.owner, fleet):
            return None
        ended = read_record(paths.ended, EndedRecord)
        want = read_record(paths.want, Want) or Want(power=Power.ON)
        running = read_record(paths.process, MachineProcess)
        if running is not None:
            record = msgspec.structs.replace(record, created_at=running.started_at)
        if running is not None and processes.alive(running.process):
            return self._running(record, want, ended)
        if ended is not None:
            return _shown(record, ended.state, ended=ended, said=want.said)
        return self._fallen(paths, record, want)

    @staticmethod
    def _recorded(paths: MachinePaths) -> MachineRecord | None:
        """None: there is no such machine. Raises Unreadable when there is one and its record says nothing."""
        try:
            data = paths.record.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise Unreadable(f"{paths.record}: {error.strerror}", fix="make it readable") from None
        try:
            return decode(data, MachineRecord)
        except ValueError as error:
            raise Unreadable(
                f"{paths.record}: {error}", fix="end its processes by hand, then remove its folder"
            ) from None

    @staticmethod
    def _running(record: MachineRecord, want: Want, ended: EndedRecord | None) -> Machine:
        """The machine as its live process has it; one that has `ended` is a moment from its exit."""
        over = ended is not None and ended.state is InstanceState.TERMINATED
        if over or want.power in (Power.TERMINATED, Power.KILLED):
            return _shown(record, InstanceState.RUNNING, ending=True)
        off = ended is not None or want.power is Power.OFF
        return _shown(record, InstanceState.STOPPING if off else InstanceState.RUNNING)

    def _fallen(self, paths: MachinePaths, record: MachineRecord, want: Want) -> Machine:
        """A machine whose process is not there: booting, or broken down."""
        booted = paths.process.exists()
        if not booted and time.time() - record.created_at < BOOT_SECONDS:
            return _shown(record, InstanceState.PENDING)
        if processes.carriers("STEADY_INSTANCE_ID", record.id):
            state = InstanceState.RUNNING if booted else InstanceState.PENDING
            return _shown(record, state, impaired=booted)
        final = want.power in (Power.TERMINATED, Power.KILLED) or record.market is Market.SPOT
        state = InstanceState.TERMINATED if final else InstanceState.STOPPED
        ended = EndedRecord(state=state, at=time.time(), cause=want.cause or Cause.HARDWARE)
        self._bury(paths, ended)
        return _shown(record, state, ended=ended)

    def _bury(self, paths: MachinePaths, ended: EndedRecord) -> None:
        """Writes down what has been established, and takes a terminated machine's disk."""
        if ended.state is InstanceState.TERMINATED:
            shutil.rmtree(paths.disk, ignore_errors=True)
        with contextlib.suppress(OSError):
            write_record(paths.ended, ended)

    def label(self, labels: Sequence[Label]) -> None:
        """There is no console here to read them in."""

    # ---- making and ending -----------------------------------------------------------------------

    def converge(self, fleet: str, placements: Sequence[Placement]) -> Sequence[Outcome]:
        self._forget()
        for machine in self.machines(fleet):
            if machine.live and any(_leaves(machine, placement) for placement in placements):
                self._direct(machine, Want(power=Power.TERMINATED))
        return [self._converge(fleet, placement) for placement in placements]

    def differences(self, fleet: str) -> Sequence[str]:  # noqa: ARG002
        """Machines of this computer share nothing."""
        return ()

    def share(self, fleet: str) -> None:
        """Nothing is shared."""

    def dismantle(self, fleet: str) -> None:
        """Nothing is shared."""

    def _converge(self, fleet: str, placement: Placement) -> Outcome:
        with self._slot(placement.node):
            for machine in self._live(fleet, placement.node):
                if _leaves(machine, placement):
                    self._terminate(machine, None)
            if placement.present:
                try:
                    self._make(placement)
                except OSError as error:
                    return Outcome(node=placement.node, error=f"{error.filename}: {error.strerror}")
        return Outcome(node=placement.node)

    @contextlib.contextmanager
    def _slot(self, node: str) -> Iterator[None]:
        """One maker at a time per node, whatever leases say."""
        path = self._state.machines / f".slot-{node.replace('/', '.')}"
        with path.open("w") as slot:
            fcntl.flock(slot, fcntl.LOCK_EX)
            yield

    def _live(self, fleet: str, node: str) -> list[Machine]:
        return [machine for machine in self.machines(fleet) if machine.node == node and machine.live]

    def _make(self, placement: Placement) -> None:
        """Makes the machine of this incarnation, unless it was made before."""
        node = NodeName.parse(placement.node)
        paths = self._state.machine(machine_id(self._state.owner, placement))
        if paths.ended.exists():
            return
        if not paths.record.exists():
            self._write_new(paths, self._record(node, placement, paths.records.name))
        self._boot(paths)

    def _record(self, node: NodeName, placement: Placement, name: str) -> MachineRecord:
        return MachineRecord(
            id=name,
            fleet=node.fleet,
            node=placement.node,
            incarnation=placement.incarnation,
            market=placement.market,
            created_at=time.time(),
            tags={**tags.identity(self._state.owner, node, placement.incarnation), tags.NAME: placement.node},
            instance_type=placement.instance_type or "local",
            zone=placement.zone or "local",
            schedule=tuple(self._schedule(node)),
        )

    def _schedule(self, node: NodeName) -> Iterator[ScheduledNotice]:
        spec = self._spec_of(node.fleet)
        planned = spec.local.notices if spec else ()
        for index, notice in enumerate(planned):
            if notice.node == node.short:
                yield ScheduledNotice(
                    key=_notice_key(node, index, notice),
                    after=float(notice.after),
                    lead=float(notice.lead),
                    cause=Cause(notice.cause),
                )

    def _write_new(self, paths: MachinePaths, record: MachineRecord) -> None:
        """The whole record appears at once: there is never half a machine."""
        beside = paths.records.with_name(f".new-{record.id}-{os.getpid()}")
        beside.mkdir()
        write_record(beside / paths.record.name, record)
        beside.rename(paths.records)

    def _boot(self, paths: MachinePaths) -> None:
        """Starts the machine's process; one that runs already keeps its place by a lock."""
        running = read_record(paths.process, MachineProcess)
        if running is not None and processes.alive(running.process):
            return
        command = [
            sys.executable,
            "-m",
            "lifecycle.adapters.local.machine",
            str(self._state.path),
            paths.records.name,
        ]
        with paths.log.open("ab") as log:
            child = subprocess.Popen(
                command,
                cwd="/",
                env={**os.environ, "STEADY_INSTANCE_ID": paths.records.name},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._children.append(child)

    def power_off(self, machine: Machine, said: str = "") -> None:
        """As `StopInstances`: a one-time spot machine cannot be stopped. `said`: who asks for it at the console."""
        if machine.market is Market.SPOT:
            raise GuardRefused(
                f"{machine.node}: a spot machine cannot be stopped, only ended",
                fix="`steady stop` saves it, ends it, and starts it again later",
                about="spot",
            )
        self._direct(machine, Want(power=Power.OFF, cause=Cause.OPERATOR, said=said))

    def power_on(self, machine: Machine) -> None:
        paths = self._proven(machine)
        ended = read_record(paths.ended, EndedRecord)
        if ended is None or ended.state is not InstanceState.STOPPED:
            return
        paths.notices.unlink(missing_ok=True)
        paths.process.unlink(missing_ok=True)
        write_record(paths.want, Want(power=Power.ON))
        paths.ended.unlink(missing_ok=True)
        self._boot(paths)

    def end_stray(self, machine: Machine) -> None:
        self._terminate(machine, Cause.CONTROLLER)

    def _terminate(self, machine: Machine, cause: Cause | None) -> None:
        self._direct(machine, Want(power=Power.TERMINATED, cause=cause))
        self._see_it_end(machine)

    def _direct(self, machine: Machine, want: Want) -> None:
        write_record(self._proven(machine).want, want)

    def _proven(self, machine: Machine) -> MachinePaths:
        """Where the machine is kept. Raises GuardRefused for one that is not ours, whoever says so."""
        paths = self._state.machine(machine.id)
        record = self._recorded(paths)
        if record is None or not tags.owned(record.tags, self._state.owner, NodeName.parse(machine.node).fleet):
            raise GuardRefused(
                f"{machine.id} is not our machine of {machine.node}", fix="it was left alone", about="not ours"
            )
        return paths

    def _see_it_end(self, machine: Machine) -> None:
        """Waits for the machine's own end; ends what is left by its id when it does not come."""
        paths = self._state.machine(machine.id)
        deadline = time.monotonic() + END_SECONDS
        running = read_record(paths.process, MachineProcess)
        while running and processes.alive(running.process) and time.monotonic() < deadline:
            time.sleep(0.02)
        processes.end_all(lambda: processes.carriers("STEADY_INSTANCE_ID", machine.id))
        ended = read_record(paths.ended, EndedRecord)
        if ended is None or ended.state is not InstanceState.TERMINATED:
            want = read_record(paths.want, Want)
            cause = want.cause if want else None
            self._bury(paths, EndedRecord(state=InstanceState.TERMINATED, at=time.time(), cause=cause))
        shutil.rmtree(paths.disk, ignore_errors=True)

    def _forget(self) -> None:
        """Drops the records of machines that ended long ago."""
        for folder in self._state.machines.iterdir():
            ended = read_record(folder / "ended.json", EndedRecord) if folder.is_dir() else None
            if ended and ended.state is InstanceState.TERMINATED and time.time() - ended.at > FORGET_AFTER:
                shutil.rmtree(folder, ignore_errors=True)


def _leaves(machine: Machine, placement: Placement) -> bool:
    """Whether this machine has to go for the placement to be true."""
    if machine.node != placement.node:
        return False
    return not placement.present or machine.incarnation != placement.incarnation


def machine_id(owner: str, placement: Placement) -> str:
    """The one id that this incarnation of this node can have."""
    name = f"{owner}/{placement.node}/{placement.incarnation}"
    return "l-" + hashlib.sha256(name.encode()).hexdigest()[:12]


def _notice_key(node: NodeName, index: int, notice: LocalNotice) -> str:
    said = hashlib.sha256(f"{index} {notice}".encode()).hexdigest()[:8]
    return f"{node.fleet}.{node.pool}.{node.index}.{said}"


def _shown(
    record: MachineRecord,
    state: InstanceState,
    *,
    ended: EndedRecord | None = None,
    ending: bool = False,
    impaired: bool = False,
    said: str = "",
) -> Machine:
    return Machine(
        id=record.id,
        node=record.node,
        incarnation=record.incarnation,
        state=state,
        market=record.market,
        launched_at=record.created_at,
        instance_type=record.instance_type,
        zone=record.zone,
        tags=record.tags,
        impaired=impaired,
        cause=ended.cause if ended else None,
        ended_at=ended.at if ended else None,
        ending=ending,
        said=said,
    )

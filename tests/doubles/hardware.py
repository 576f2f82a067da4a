"""One machine of the instance host: the process that it is, its records, its disk."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

from lifecycle.adapters.local.layout import (
    EndedRecord,
    MachineProcess,
    MachineRecord,
    Power,
    StandingNotice,
    StateDirectory,
    Want,
)
from lifecycle.model import tags
from lifecycle.model.fleet import Market
from lifecycle.model.states import Cause
from lifecycle.system import processes
from lifecycle.system.files import read_record, write_record

PROGRAM = "lifecycle.adapters.local.machine"


class Machine:
    """Directed by files, like any machine of this computer; its process is a child of this one."""

    def __init__(self, state: StateDirectory, instance: str, env: Mapping[str, str]) -> None:
        self.instance, self.paths = instance, state.machine(instance)
        self._state, self._env = state, {**env, "STEADY_INSTANCE_ID": instance}
        self._process: subprocess.Popen[bytes] | None = None
        self._known: MachineRecord | None = None
        self._since, self._going_since = 0.0, 0.0

    # ---- looking ---------------------------------------------------------------------------------

    @property
    def switched_on(self) -> bool:
        return self._process is not None

    @property
    def up(self) -> bool:
        """It has booted, this time."""
        found = read_record(self.paths.process, MachineProcess)
        return self.switched_on and found is not None and processes.alive(found.process)

    @property
    def gone(self) -> bool:
        """No process of it is left, the last one included."""
        return self._process is None or self._process.poll() is not None

    @property
    def said_goodbye(self) -> bool:
        return read_record(self.paths.ended, EndedRecord) is not None

    @property
    def cause(self) -> Cause | None:
        """Why it ended by itself, where it says so."""
        ended = read_record(self.paths.ended, EndedRecord)
        return ended.cause if ended else None

    @property
    def going_for(self) -> float:
        """Seconds since it was first told to go down."""
        return time.monotonic() - self._going_since if self._going_since else 0.0

    @property
    def pids(self) -> list[int]:
        return processes.carriers("STEADY_INSTANCE_ID", self.instance)

    # ---- directing -------------------------------------------------------------------------------

    def describe(self, one: Any) -> None:
        """Writes down who the machine is, where that is new; its metadata service tells it."""
        found = {tag["key"]: tag["value"] for tag in one.get_tags()}
        created = self._known.created_at if self._known else time.time()
        record = MachineRecord(
            id=one.id,
            fleet=found.get(tags.FLEET, ""),
            node=found.get(tags.NODE, ""),
            incarnation=0,
            market=Market.SPOT if one.lifecycle == "spot" else Market.ON_DEMAND,
            created_at=created,
            tags=found,
            instance_type=one.instance_type,
            zone=one.placement.zone,
        )
        if record != self._known:
            self.paths.records.mkdir(parents=True, exist_ok=True)
            write_record(self.paths.record, record)
            self._known = record

    def switch_on(self) -> None:
        """Boots it, with the disk it has, if any."""
        for path in (self.paths.notices, self.paths.process, self.paths.ended):
            path.unlink(missing_ok=True)
        self._want(Power.ON)
        self._going_since = 0.0
        with self.paths.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", PROGRAM, str(self._state.path), self.instance],
                cwd="/",
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def shut_down(self) -> None:
        """Tells its operating system to go down; once is enough."""
        if not self._going_since:
            self._going_since = time.monotonic()
            self._want(Power.OFF)

    def switch_off(self, *, for_good: bool) -> None:
        """Ends what is left of it; `for_good` takes its disk too."""
        processes.end_all(lambda: self.pids)
        if self._process is not None:
            self._process.wait()
            self._process = None
        if for_good:
            shutil.rmtree(self.paths.disk, ignore_errors=True)

    def warn(self, notice: StandingNotice) -> None:
        """One notice more in its metadata."""
        standing = read_record(self.paths.notices, tuple[StandingNotice, ...]) or ()
        write_record(self.paths.notices, (*standing, notice))

    def _want(self, power: Power) -> None:
        write_record(self.paths.want, Want(power=power))

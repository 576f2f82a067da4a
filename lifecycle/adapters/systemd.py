"""Attempts under systemd: each one a transient service of its own, which outlives the agent.

The unit is ordered before the agent's, so that a shutdown stops the agent first; its name is the attempt's, so that
systemd itself refuses a second start. It stays loaded after its end, so that the exit status can be read.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from lifecycle.ports.trainer import Launch, ProcessState
from lifecycle.system.files import read_record, write_record
from lifecycle.system.processes import boot_id

AGENT = "steady-agent.service"
TIMEOUT = 20.0
"""Seconds that systemd may take for an answer."""

NOT_FOUND = 127
"""A shell's exit code for a command that is not there."""

_EXITED = "1"
"""ExecMainCode of a process that exited by itself (CLD_EXITED); others were ended by a signal."""

_ORDERED = {False: {"Before": AGENT}, True: {"DefaultDependencies": "no"}}
"""By whether it is a hook: one is also started while the machine shuts down, when systemd would refuse a unit that
conflicts with that, and would have one that is ordered before the agent wait for the agent's end."""

_SHOWN = "LoadState,MainPID,ExecMainPID,ExecMainCode,ExecMainStatus"


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt was started in this boot of the machine. `code`: it could not be."""

    boot: str
    at: float
    code: int | None = None


class SystemdLauncher:
    """Implements `ports.trainer.Launcher`. `records` is a folder of its own on the node's disk."""

    def __init__(self, records: Path) -> None:
        self._records = records
        self._seen: dict[str, ProcessState] = {}

    def launch(self, launch: Launch) -> None:
        """Starts the attempt, once in every boot. Raises OSError when systemd does not take it."""
        record = self._record(launch.run, launch.attempt)
        known = read_record(record, Started)
        if known is not None and known.boot == boot_id():
            return
        record.parent.mkdir(parents=True, exist_ok=True)
        code = _start(launch)
        write_record(record, Started(boot=boot_id(), at=time.time(), code=code))

    def look(self, run: str, attempt: int) -> ProcessState | None:
        """What systemd knows of it. It forgets at a reboot: then nobody saw how the attempt ended.

        While systemd does not answer the attempt counts as it was last seen: unknown is never dead.
        """
        started = read_record(self._record(run, attempt), Started)
        if started is None:
            return None
        if started.code is not None:
            return ProcessState(pid=0, alive=False, started_at=started.at, exit_code=started.code)
        unit, unknown = unit_of(run, attempt), ProcessState(pid=0, alive=True, started_at=started.at)
        try:
            self._seen[unit] = _state(_show(unit), started.at)
        except OSError:
            return self._seen.get(unit, unknown)
        return self._seen[unit]

    def _record(self, run: str, attempt: int) -> Path:
        return self._records / run / f"{attempt}.json"


class SystemdPower:
    """Implements `ports.power.Power`. What cannot be asked of systemd is left to the controller."""

    def keep(self) -> None:
        with suppress(OSError):
            _ask("shutdown", "-c")

    def off(self) -> None:
        with suppress(OSError):
            _ask("systemctl", "poweroff")


def unit_of(run: str, attempt: int) -> str:
    return f"steady-{run}-{attempt}.service"


def _start(launch: Launch) -> int | None:
    """None when it was started; the exit code when there is nothing that could be."""
    Path(launch.log).parent.mkdir(parents=True, exist_ok=True)
    workdir, name = Path(launch.workdir).absolute(), launch.command[0]
    program = shutil.which(workdir / name if "/" in name else name, path=launch.env.get("PATH"))
    if program is None or not workdir.is_dir():
        with Path(launch.log).open("a") as log:
            log.write(f"cannot start: {workdir if program else name}: No such file or directory\n")
        return NOT_FOUND
    unit = unit_of(launch.run, launch.attempt)
    done = _ask("systemd-run", *_settings(launch, unit, workdir), "--", program, *map(_literal, launch.command[1:]))
    if done.returncode and not _known(unit):
        said = done.stderr.strip().splitlines()
        raise OSError(0, said[-1] if said else f"exit {done.returncode}", "systemd-run")
    return None


def _settings(launch: Launch, unit: str, workdir: Path) -> list[str]:
    """`User` has systemd set HOME. A process that was killed leaves nothing of its tree behind (KillMode)."""
    properties = {
        "Type": "exec",
        "RemainAfterExit": "yes",
        "User": "root",
        "KillMode": "mixed",
        "TimeoutStopSec": "10",
        **_ORDERED[launch.hook],
        "WorkingDirectory": str(workdir),
        "StandardOutput": f"append:{launch.log}",
        "StandardError": f"append:{launch.log}",
    }
    return [
        f"--unit={unit}",
        "--quiet",
        *(f"--property={name}={value}" for name, value in properties.items()),
        *(f"--setenv={name}={value}" for name, value in launch.env.items()),
    ]


def _literal(word: str) -> str:
    """systemd replaces `$NAME` in commands, and `$$` by a dollar."""
    return word.replace("$", "$$")


def _known(unit: str) -> bool:
    return _show(unit).get("LoadState", "not-found") != "not-found"


def _show(unit: str) -> Mapping[str, str]:
    """Some properties of the unit, also of one that is not there. Raises OSError when systemd does not answer."""
    done = _ask("systemctl", "show", unit, f"--property={_SHOWN}")
    if done.returncode:
        raise OSError(0, done.stderr.strip() or f"exit {done.returncode}", "systemctl show")
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def _state(seen: Mapping[str, str], started_at: float) -> ProcessState:
    return ProcessState(
        pid=int(seen.get("ExecMainPID") or 0),
        alive=seen.get("MainPID", "0") != "0",
        started_at=started_at,
        exit_code=_exit_code(seen),
    )


def _exit_code(seen: Mapping[str, str]) -> int | None:
    """Minus the signal's number for a process that a signal ended; None while it runs, or when nobody knows."""
    how, status = seen.get("ExecMainCode", "0"), int(seen.get("ExecMainStatus") or 0)
    if how == "0" or seen.get("MainPID", "0") != "0":
        return None
    return status if how == _EXITED else -status


def _ask(*command: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "XDG_RUNTIME_DIR")}
    try:
        return subprocess.run(
            command,
            env={**environment, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise OSError(0, f"no answer in {TIMEOUT:.0f}s", command[0]) from None

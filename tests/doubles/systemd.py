"""`systemd-run` and `systemctl` without systemd: real processes, started from what the command line says alone.

Faked: that a unit's name can be had once until the machine reboots, that a unit outlives whoever asked for it, and
what `systemctl show` tells. Not faked: kill modes, ordering, users. The real ones (252) were tried by hand.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path

RUN, CONTROL = "systemd-run", "systemctl"


class SystemdDouble:
    """The two programs in a folder for PATH. `notes` are the other verbs of `systemctl` that were called."""

    def __init__(self, folder: Path) -> None:
        self.programs, self.units, self._notes = folder / "bin", folder / "units", folder / "notes"
        for place in (self.programs, self.units):
            place.mkdir(parents=True)
        for name in (RUN, CONTROL, "shutdown"):
            program = self.programs / name
            program.write_text(f'#!/bin/sh\nexec {sys.executable} -SE {__file__} {folder} {name} "$@"\n')
            program.chmod(0o755)

    @property
    def notes(self) -> list[str]:
        return self._notes.read_text().splitlines() if self._notes.exists() else []

    def properties(self, unit: str) -> dict[str, str]:
        """What the unit was asked to be."""
        found: dict[str, str] = json.loads((self.units / unit / "properties").read_text())
        return found

    def reboot(self) -> None:
        """Every process of a unit is gone, and systemd knows none of them."""
        for pid in self.units.glob("*/keeper"):
            with suppress(ProcessLookupError):
                os.killpg(int(pid.read_text()), signal.SIGKILL)
        shutil.rmtree(self.units)
        self.units.mkdir()

    def away(self) -> None:
        """From now on systemd does not answer."""
        (self.programs / CONTROL).write_text("#!/bin/sh\necho 'Failed to connect to bus' >&2; exit 1\n")

    def close(self) -> None:
        self.reboot()


def main(folder: Path, name: str, *words: str) -> int:
    if name == RUN:
        return _run(folder / "units", list(words))
    if words[:1] == ("show",):
        return _show(folder / "units" / words[1])
    with (folder / "notes").open("a") as notes:
        notes.write(f"{name} {' '.join(words)}\n")
    return 0


def _run(units: Path, words: list[str]) -> int:
    cut = words.index("--")
    options = [word.removeprefix("--").partition("=") for word in words[:cut]]
    properties = dict(value.split("=", 1) for name, _, value in options if name == "property")
    env = dict(value.split("=", 1) for name, _, value in options if name == "setenv")
    command = [_expanded(word, env) for word in words[cut + 1 :]]
    place = units / next(value for name, _, value in options if name == "unit")
    try:
        place.mkdir()
    except FileExistsError:
        print(f"Failed to start transient service unit: Unit {place.name} was already loaded.", file=sys.stderr)
        return 1
    (place / "properties").write_text(json.dumps(properties))
    ready, told = os.pipe()
    if os.fork() == 0:
        _keep(place, command, properties, env, told)
    os.close(told)
    os.read(ready, 1)
    return 0


def _expanded(word: str, env: dict[str, str]) -> str:
    """As systemd reads commands: `$$` is a dollar, `$NAME` what the unit's environment says."""
    return re.sub(r"\$(\$|\w+)", lambda found: "$" if found[1] == "$" else env.get(found[1], ""), word)


def _keep(place: Path, command: list[str], properties: dict[str, str], env: dict[str, str], told: int) -> None:
    """The unit's keeper: outlives the command, and notes how its process ended."""
    os.setsid()
    (place / "keeper").write_text(str(os.getpid()))
    log = os.open(properties["StandardOutput"].removeprefix("append:"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, source in enumerate((nothing, log, log)):
        os.dup2(source, number)
    child = os.fork()
    if child == 0:
        os.close(told)
        os.chdir(properties["WorkingDirectory"])
        os.execve(command[0], command, env)
    (place / "pid").write_text(str(child))
    os.close(told)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    beside = place / ".ended"
    beside.write_text(str(code))
    beside.rename(place / "ended")
    os._exit(0)


def _show(place: Path) -> int:
    if not (place / "pid").exists():
        print("LoadState=not-found\nMainPID=0\nExecMainPID=0\nExecMainCode=0\nExecMainStatus=0")
        return 0
    pid, ended = (place / "pid").read_text(), place / "ended"
    code = int(ended.read_text()) if ended.exists() else None
    how = 0 if code is None else 1 if code >= 0 else 2
    print(f"LoadState=loaded\nMainPID={pid if code is None else 0}\nExecMainPID={pid}")
    print(f"ExecMainCode={how}\nExecMainStatus={abs(code or 0)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))

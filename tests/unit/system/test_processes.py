"""Processes, real ones: who is who, whose child, which signals are caught, and ending them all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from lifecycle.system import processes
from lifecycle.system.processes import Identity, alive, carriers, catches, descendants, end_all, identify, ranks

PATIENCE = 20.0


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"did not happen: {what}"
        time.sleep(0.005)
    return found


class Zoo:
    """Starts processes of one family, known by a mark in their environment, and ends them all."""

    def __init__(self, name: str) -> None:
        self.mark = f"{name}-{os.getpid()}-{time.monotonic_ns()}"
        self._begun: list[subprocess.Popen[str]] = []

    def start(self, code: str, **env: str) -> subprocess.Popen[str]:
        """Runs Python code and returns once it has said `ready`."""
        begun = subprocess.Popen(
            [sys.executable, "-c", code],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "ZOO": self.mark, **env},
            start_new_session=True,
        )
        self._begun.append(begun)
        assert begun.stdout.readline() == "ready\n"
        return begun

    def starts(self, *arguments: str, program: str = sys.executable, **env: str) -> int:
        """Runs a program that says nothing; returns its pid."""
        begun = subprocess.Popen(
            [program, *arguments], env={**os.environ, "ZOO": self.mark, **env}, start_new_session=True, text=True
        )
        self._begun.append(begun)
        return begun.pid

    def all(self) -> list[int]:
        return [pid for pid in carriers("ZOO", self.mark) if identify(pid) is not None]

    def close(self) -> None:
        wait_until(self._killed, "the end of the zoo")
        for begun in self._begun:
            begun.communicate()

    def _killed(self) -> bool:
        """Kills whoever is there now; true once nobody was. Who was born meanwhile is met the next time."""
        found = self.all()
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not found


@pytest.fixture
def zoo(request: pytest.FixtureRequest) -> Iterator[Zoo]:
    built = Zoo(request.node.name)
    yield built
    built.close()


def start_ticks(pid: int) -> int:
    """The start time by another way than the one tested: psutil's, in ticks since boot."""
    since_boot = psutil.Process(pid).create_time() - psutil.boot_time()
    return round(since_boot * os.sysconf("SC_CLK_TCK"))


SLEEP = "import time; print('ready', flush=True); time.sleep(60)"


# ---- who is who ----------------------------------------------------------------------------------


def test_a_running_process_has_an_identity_of_this_boot(zoo: Zoo) -> None:
    pid = zoo.start(SLEEP).pid
    found = identify(pid)
    assert found is not None
    assert (found.pid, found.boot) == (pid, processes.boot_id())


def test_an_identity_does_not_change_while_the_process_lives(zoo: Zoo) -> None:
    pid = zoo.start(SLEEP).pid
    assert identify(pid) == identify(pid)


def test_a_process_whose_name_looks_like_the_fields_of_stat_is_still_read(zoo: Zoo) -> None:
    rename = "import ctypes; ctypes.CDLL(None).prctl(15, b') R 1 (', 0, 0, 0);"
    pid = zoo.start(rename + SLEEP).pid
    assert identify(pid) == Identity(processes.boot_id(), pid, start_ticks(pid))


def test_nobody_has_no_identity(zoo: Zoo) -> None:
    gone = zoo.start("print('ready')")
    gone.wait(PATIENCE)
    assert identify(gone.pid) is None


def test_a_running_process_is_alive(zoo: Zoo) -> None:
    assert alive(identify(zoo.start(SLEEP).pid))


def test_a_killed_and_buried_process_is_not_alive(zoo: Zoo) -> None:
    victim = zoo.start(SLEEP)
    known = identify(victim.pid)
    victim.kill()
    victim.wait(PATIENCE)
    assert not alive(known)


def test_a_zombie_is_not_alive_and_has_no_identity(zoo: Zoo) -> None:
    victim = zoo.start(SLEEP)
    known = identify(victim.pid)
    victim.kill()
    wait_until(lambda: processes._stat(victim.pid)[0] == "Z", "a zombie")
    assert (alive(known), identify(victim.pid)) == (False, None)


def test_a_stopped_process_is_alive(zoo: Zoo) -> None:
    victim = zoo.start(SLEEP)
    known = identify(victim.pid)
    victim.send_signal(signal.SIGSTOP)
    wait_until(lambda: processes._stat(victim.pid)[0] == "T", "the stop")
    assert alive(known)


def test_a_pid_used_again_is_another_process(zoo: Zoo) -> None:
    now = identify(zoo.start(SLEEP).pid)
    before = Identity(now.boot, now.pid, now.started - 1)
    assert not alive(before)


def test_the_same_pid_and_time_of_another_boot_is_another_process(zoo: Zoo) -> None:
    now = identify(zoo.start(SLEEP).pid)
    before = Identity("00000000-0000-0000-0000-000000000000", now.pid, now.started)
    assert not alive(before)


def test_myself_is_this_process() -> None:
    assert processes.myself().pid == os.getpid()
    assert alive(processes.myself())


# ---- whose child, and who carries what -----------------------------------------------------------

FAMILY = """
import subprocess, sys, time
sleep = "import time; time.sleep(60)"
child = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {sleep!r}]); {sleep}"
subprocess.Popen([sys.executable, "-c", child])
print("ready", flush=True)
time.sleep(60)
"""


def test_descendants_are_children_and_grandchildren(zoo: Zoo) -> None:
    root = zoo.start(FAMILY).pid
    wait_until(lambda: len(zoo.all()) == 3, "a family of three")
    assert sorted(descendants(root)) == sorted(pid for pid in zoo.all() if pid != root)


def test_a_process_that_is_gone_has_no_descendants(zoo: Zoo) -> None:
    gone = zoo.start("print('ready')")
    gone.wait(PATIENCE)
    assert descendants(gone.pid) == []


def test_carriers_are_found_by_the_whole_value(zoo: Zoo) -> None:
    short = zoo.start(SLEEP, MARK=f"{zoo.mark}-1").pid
    long = zoo.start(SLEEP, MARK=f"{zoo.mark}-12", OTHER=f"MARK={zoo.mark}-1").pid
    assert carriers("MARK", f"{zoo.mark}-1") == [short]
    assert carriers("MARK", f"{zoo.mark}-12") == [long]


def test_this_process_is_never_named_a_carrier() -> None:
    name, value = next(iter(os.environ.items()))
    assert os.getpid() not in carriers(name, value)


DOUBLE_FORK = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print("ready", flush=True)
        time.sleep(60)
    os._exit(0)
os.wait()
time.sleep(60)
"""


def test_a_process_that_forked_twice_is_still_a_carrier(zoo: Zoo) -> None:
    root = zoo.start(DOUBLE_FORK).pid
    (escaped,) = [pid for pid in zoo.all() if pid != root]
    assert escaped not in descendants(root)


# ---- ending --------------------------------------------------------------------------------------

IGNORES_SIGTERM = """
import signal, time
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("code", [SLEEP, IGNORES_SIGTERM, FAMILY, DOUBLE_FORK])
def test_everybody_is_ended(zoo: Zoo, code: str) -> None:
    zoo.start(code)
    assert end_all(zoo.all)
    assert zoo.all() == []


def test_a_zombie_counts_as_ended(zoo: Zoo) -> None:
    victim = zoo.start(SLEEP)
    assert end_all(lambda: [victim.pid])
    assert processes._stat(victim.pid)[0] == "Z"


def test_ending_nobody_is_done_at_once() -> None:
    assert end_all(list)


def test_somebody_who_cannot_be_ended_is_told(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = zoo.start(SLEEP)
    monkeypatch.setattr(processes, "send", lambda pid, number: True)
    assert not end_all(lambda: [victim.pid], within=0.05)


def test_a_signal_reaches_its_process_only(zoo: Zoo) -> None:
    root = zoo.start(FAMILY)
    wait_until(lambda: len(zoo.all()) == 3, "a family of three")
    assert processes.send(root.pid, signal.SIGKILL)
    root.wait(PATIENCE)
    assert len(zoo.all()) == 2


def test_a_signal_to_nobody_is_told(zoo: Zoo) -> None:
    gone = zoo.start("print('ready')")
    gone.wait(PATIENCE)
    assert not processes.send(gone.pid, signal.SIGTERM)


# ---- signals -------------------------------------------------------------------------------------

CATCHES = """
import signal, time
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""


def test_a_handler_is_caught_and_ignoring_is_not_catching(zoo: Zoo) -> None:
    caught = catches(zoo.start(CATCHES).pid)
    asked = {signal.SIGUSR1, signal.SIGTERM, signal.SIGUSR2}
    assert caught & asked == {signal.SIGUSR1}


def test_a_process_that_is_gone_catches_nothing(zoo: Zoo) -> None:
    gone = zoo.start("print('ready')")
    gone.wait(PATIENCE)
    assert catches(gone.pid) == frozenset()


# ---- ranks ---------------------------------------------------------------------------------------

LAUNCHER = """
import os, subprocess, sys, time
loader = "import time; time.sleep(60)"
rank = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {loader!r}]); time.sleep(60)"
for number in range(2):
    subprocess.Popen([sys.executable, "-c", rank], env={**os.environ, VARIABLE: str(number)})
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("variable", ["RANK", "LOCAL_RANK"])
def test_ranks_are_the_launchers_children_and_not_their_loaders(zoo: Zoo, variable: str) -> None:
    launcher = zoo.start(LAUNCHER.replace("VARIABLE", repr(variable))).pid
    wait_until(lambda: len(zoo.all()) == 5, "a launcher, two ranks, two loaders")
    assert sorted(ranks(launcher)) == sorted(pid for pid in zoo.all() if processes._parent(pid) == launcher)


BEHIND_A_SHELL = """
import os, subprocess, sys, time
rank = "import time; time.sleep(60)"
subprocess.Popen(["sh", "-c", f"'{sys.executable}' -c '{rank}'; true"], env={**os.environ, "RANK": "0"})
print("ready", flush=True)
time.sleep(60)
"""


def test_the_topmost_that_carries_a_rank_is_the_rank(zoo: Zoo) -> None:
    """A wrapper that carries the rank is taken for it: what is below inherits the variable."""
    launcher = zoo.start(BEHIND_A_SHELL).pid
    wait_until(lambda: len(zoo.all()) == 3, "a launcher, a shell, a rank")
    assert ranks(launcher) == [pid for pid in zoo.all() if processes._parent(pid) == launcher]


def test_a_lone_process_is_its_own_rank(zoo: Zoo) -> None:
    root = zoo.start(FAMILY).pid
    wait_until(lambda: len(zoo.all()) == 3, "a family of three")
    assert ranks(root) == [root]


def test_a_lone_process_that_carries_a_rank_is_its_own_rank(zoo: Zoo) -> None:
    root = zoo.start(FAMILY, RANK="0").pid
    wait_until(lambda: len(zoo.all()) == 3, "a family of three")
    assert ranks(root) == [root]


def test_a_process_that_is_gone_has_no_ranks(zoo: Zoo) -> None:
    gone = zoo.start("print('ready')")
    gone.wait(PATIENCE)
    assert ranks(gone.pid) == []


def test_a_rank_that_ended_is_no_longer_named(zoo: Zoo) -> None:
    launcher = zoo.start(LAUNCHER.replace("VARIABLE", "'RANK'")).pid
    wait_until(lambda: len(zoo.all()) == 5, "a launcher, two ranks, two loaders")
    first, second = ranks(launcher)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: identify(first) is None, "the end of one rank")
    assert ranks(launcher) == [second]


# ---- who starts ranks ----------------------------------------------------------------------------

STARTER = """
import os, subprocess, sys, time
second = {**os.environ, "LOCAL_RANK": "1"}
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env=second)
print("ready", flush=True)
time.sleep(60)
"""
"""As Lightning does it: rank 0 starts the others, and has no LOCAL_RANK of its own."""

LAUNCHES = """
import subprocess, sys, time
for word in sys.argv[1:]:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
time.sleep(60)
"""


def test_who_started_the_other_ranks_by_itself_is_asked_alone(zoo: Zoo) -> None:
    starter = zoo.start(STARTER).pid
    wait_until(lambda: len(zoo.all()) == 2, "rank 0 and rank 1")
    assert ranks(starter) == [starter]


@pytest.mark.parametrize("name", ["torchrun", "accelerate", "deepspeed"])
def test_a_launcher_is_never_a_rank_but_what_it_launched_is(zoo: Zoo, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(LAUNCHES)
    alone, busy = zoo.starts(str(tmp_path / name)), zoo.starts(str(tmp_path / name), "one")
    (child,) = wait_until(lambda: descendants(busy), "what it launches")
    assert (ranks(alone), ranks(busy)) == ([], [child])


def test_a_module_that_launches_is_a_launcher_too(zoo: Zoo, tmp_path: Path) -> None:
    package = tmp_path / "torch" / "distributed"
    package.mkdir(parents=True)
    (package / "run.py").write_text(LAUNCHES)
    assert ranks(zoo.starts("-u", "-m", "torch.distributed.run", PYTHONPATH=str(tmp_path))) == []


def test_a_shell_stands_for_what_it_runs(zoo: Zoo) -> None:
    shell = zoo.starts("-c", f"'{sys.executable}' -c 'import time; time.sleep(60)'; true", program="bash")
    (child,) = wait_until(lambda: descendants(shell), "what it runs")
    assert ranks(shell) == [child]


def test_a_shell_that_traps_the_signal_is_asked_itself(zoo: Zoo) -> None:
    shell = zoo.starts("-c", "trap true TERM; sleep 60; true", program="bash")
    wait_until(lambda: descendants(shell), "what it runs")
    assert ranks(shell) == [shell]

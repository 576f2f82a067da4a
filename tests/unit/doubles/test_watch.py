"""A test run that is killed leaves no process behind."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.doubles.watch import Watch
from tests.e2e.stage import wait_until

LEAVES = """
import os, subprocess, sys
from tests.doubles.watch import Watch

watch = Watch()
watch.over("LEFT_BY", sys.argv[1])
left = subprocess.Popen(["sleep", "600"], env={**os.environ, "LEFT_BY": sys.argv[1]}, start_new_session=True)
print(left.pid, flush=True)
os.kill(os.getpid(), 9)
"""


def gone(pid: int) -> bool:
    return subprocess.run(["ps", "-p", str(pid)], capture_output=True).returncode != 0


def test_what_a_killed_run_left_behind_is_ended() -> None:
    name = f"watch-{os.getpid()}"
    run = subprocess.Popen([sys.executable, "-c", LEAVES, name], stdout=subprocess.PIPE, text=True)
    pid = int(run.communicate()[0])
    wait_until(lambda: gone(pid), "its process is ended")


def test_what_was_not_marked_is_left_alone() -> None:
    with subprocess.Popen(["sleep", "600"]) as other:
        watch = Watch()
        watch.over("LEFT_BY", f"nobody-{os.getpid()}")
        watch.close()
        assert other.poll() is None
        other.kill()

"""Whose update stands in the way: a human's is waited for, only our own is broken, and only when it is dead."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lifecycle.model.errors import StackLocked
from lifecycle.system.processes import Identity, boot_id, identify
from tests.engine.yard import Yard

pytestmark = pytest.mark.engine

HERE = socket.gethostname()


def a_lock(yard: Yard, *, host: str, pid: int) -> None:
    """As the CLI writes it into the backend."""
    folder = yard.engine.folder / "state/.pulumi/locks/organization/steadyfleet/f"
    folder.mkdir(parents=True, exist_ok=True)
    held = {"pid": pid, "username": "ada", "hostname": host, "timestamp": "2026-11-26T10:00:00Z"}
    (folder / f"{host}-{pid}.json").write_text(json.dumps(held))


@contextmanager
def a_process() -> Iterator[Identity]:
    """One that lives while the block runs."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        found = identify(process.pid)
        assert found is not None
        yield found
        process.kill()


def refused(yard: Yard) -> str:
    outcome = yard.converge(0)[0]
    assert outcome.uncertain, "the update in the way may be making this very machine"
    assert yard.live() == {}
    return outcome.error


def test_a_humans_update_is_named_and_nothing_is_done(yard: Yard) -> None:
    yard.provisioner.share("f")
    a_lock(yard, host="laptop", pid=4711)
    assert refused(yard) == "the stack f is locked by ada@laptop (pid 4711) since 2026-11-26T10:00:00Z"
    with pytest.raises(StackLocked):
        yard.provisioner.share("f")
    assert yard.provisioner.differences("f") == ()


def test_a_lock_of_ours_is_broken_when_its_process_is_gone_and_not_before(yard: Yard) -> None:
    yard.provisioner.share("f")
    with a_process() as ours:
        yard.updates.beat("f", HERE, ours, time.time() - 3600)
        a_lock(yard, host=HERE, pid=ours.pid)
        assert "is locked by" in refused(yard)
    yard.made(0)
    assert yard.updates.standing("f") == []


def test_a_lock_from_elsewhere_is_broken_only_after_two_minutes_without_a_beat(yard: Yard) -> None:
    yard.provisioner.share("f")
    theirs = Identity("another-boot", 77, 1)
    a_lock(yard, host="runner", pid=theirs.pid)
    yard.updates.beat("f", "runner", theirs, time.time() - 60)
    assert "ada@runner" in refused(yard)
    yard.updates.beat("f", "runner", theirs, time.time() - 180)
    yard.made(0)


def test_a_dead_lock_of_ours_beside_a_humans_stays(yard: Yard) -> None:
    yard.provisioner.share("f")
    gone = Identity(boot_id(), 2**22 - 1, 1)
    yard.updates.beat("f", HERE, gone, time.time())
    a_lock(yard, host=HERE, pid=gone.pid)
    a_lock(yard, host=HERE, pid=os.getpid())
    assert refused(yard).count("ada@") == 2

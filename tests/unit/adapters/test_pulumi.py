"""What the engine says, and what it means: for a node, for a lock, for people."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import pytest

from lifecycle.adapters.pulumi import locks, said, state
from lifecycle.adapters.pulumi.events import INSTANCE, Ran
from lifecycle.adapters.pulumi.outcomes import outcome
from lifecycle.model.errors import NotAuthorised, Unreadable
from lifecycle.ports.provisioner import Outcome
from lifecycle.system.processes import Identity, myself
from lifecycle.tracker.updates import UpdateRun
from tests.builders import a_placement

URN = f"urn:pulumi:f::steadyfleet::{INSTANCE}::f.t.0"
END = {"cancelEvent": {}}
LOCKED = """error: the stack is currently locked by 1 lock(s). Either wait or use `pulumi cancel`.
  file:///s/.pulumi/locks/x.json: created by ada@laptop (pid 17) at 2026-11-26T10:00:00Z"""
TAKEN_AT = datetime(2026, 11, 26, 10, tzinfo=UTC).timestamp()


def begun(op: str) -> dict[str, Any]:
    return {"resourcePreEvent": {"metadata": {"op": op, "urn": URN, "type": INSTANCE}}}


def ended(op: str) -> dict[str, Any]:
    return {"resOutputsEvent": {"metadata": {"op": op, "urn": URN, "type": INSTANCE}}}


def wrong(message: str, urn: str = URN) -> dict[str, Any]:
    return {"diagnosticEvent": {"severity": "error", "urn": urn, "message": message}}


def run_instances(status: int, code: str, text: str = "no") -> dict[str, Any]:
    said = f"StatusCode: {status}, RequestID: x, api error {code}: {text}"
    return wrong(f"creating EC2 Instance: operation error EC2: RunInstances, https response error {said}")


def of(*events: dict[str, Any], code: int = 1, present: bool = True) -> Outcome:
    ran = Ran(code, "", events if code < 0 else (*events, END))
    return outcome(a_placement(node="f/t/0", present=present), ran)


@pytest.mark.parametrize(
    ("answer", "no_capacity", "uncertain"),
    [
        (run_instances(500, "InsufficientInstanceCapacity"), True, False),
        (run_instances(400, "SpotMaxPriceTooLow"), True, False),
        (run_instances(400, "VcpuLimitExceeded"), True, False),
        (
            run_instances(
                400,
                "Unsupported",
                "Your requested instance type (g9) is not supported in your requested Availability Zone",
            ),
            True,
            False,
        ),
        (run_instances(400, "Unsupported", "The hypervisor is not supported"), False, False),
        (run_instances(400, "InvalidAMIID.NotFound"), False, False),
        (run_instances(503, "RequestLimitExceeded"), False, False),
        (run_instances(500, "InternalError"), False, True),
        (wrong("creating EC2 Instance: connection reset by peer"), False, True),
        (wrong("creating EC2 Instance (i-1): waiting for it: api error RequestExpired: no"), False, True),
        (wrong("waiting for EC2 Instance (i-1) create: timeout"), False, True),
        (wrong('before hook "steady-claim" failed: f/t/0: not known yet; wait'), False, True),
    ],
)
def test_a_refusal_is_an_answer_and_silence_is_not(
    answer: dict[str, Any], no_capacity: bool, uncertain: bool
) -> None:
    found = of(begun("create"), answer)
    assert found.error
    assert (found.no_capacity, found.uncertain) == (no_capacity, uncertain)


def test_a_preview_that_would_make_nothing_under_a_name_is_no_fault() -> None:
    same = {"resourcePreEvent": {"metadata": {"op": "same", "urn": URN, "type": INSTANCE}}}
    assert Ran(0, "", (same, END)).wanted("f.t.0") is None


def test_words_of_a_hook_come_without_its_machinery() -> None:
    found = of(
        begun("delete"), wrong('before hook "steady-drain" failed: f/t/0: not saved; stop it'), present=False
    )
    assert found.error == "f/t/0: not saved; stop it"


def test_what_the_engine_did_before_another_node_failed_is_done() -> None:
    other = wrong("creating EC2 Instance: no", urn=URN.replace("f.t.0", "f.t.1"))
    assert of(begun("create"), ended("create"), other) == Outcome(node="f/t/0")
    assert of(begun("delete"), ended("delete"), other, present=False) == Outcome(node="f/t/0")


def test_a_node_that_was_not_reached_is_an_error_and_nothing_else() -> None:
    found = of(wrong("creating EC2 Instance: no", urn=URN.replace("f.t.0", "f.t.1")))
    assert found == Outcome(node="f/t/0", error="not reached: creating EC2 Instance: no", uncertain=True)


@pytest.mark.parametrize("events", [(), (begun("create"),), (ended("delete-replaced"),)])
def test_after_a_kill_nobody_knows_unless_the_end_was_told(events: tuple[dict[str, Any], ...]) -> None:
    assert of(*events, code=-9).uncertain
    assert not of(*events, ended("create"), code=-9).error


def test_a_lock_names_who_holds_it() -> None:
    refusal = locks.refusal("f", LOCKED)
    assert refusal.what == "the stack f is locked by ada@laptop (pid 17) since 2026-11-26T10:00:00Z"
    assert "`pulumi cancel --stack f`" in refusal.fix


def test_a_lock_that_names_nobody_is_never_ours() -> None:
    cloud = "error: [409] Conflict: Another update is currently in progress."
    assert locks.locked(cloud)
    assert not locks.stale(cloud, [], "laptop", time.time())
    assert "another update" in locks.refusal("f", cloud).what


@pytest.mark.parametrize(
    ("process", "beat_at", "here", "broken"),
    [
        (Identity("boot", 17, 1), 0.0, "laptop", True),
        (Identity(myself().boot, 17, 1), 0.0, "runner", True),
        (Identity("boot", 17, 1), 950.0, "runner", False),
        (Identity("boot", 18, 1), 0.0, "laptop", False),
        (Identity("boot", 17, 1), -61.0, "laptop", False),
        (Identity("boot", 17, 1), -61.0, "runner", False),
    ],
)
def test_only_our_own_dead_is_broken(process: Identity, beat_at: float, here: str, broken: bool) -> None:
    """The last two: the lock is younger than what is known of pid 17, which is somebody else's by now."""
    run = UpdateRun(host="laptop", process=process, beat_at=TAKEN_AT + beat_at)
    assert locks.stale(LOCKED, [run], here, TAKEN_AT + 1000.0) is broken


def test_a_lock_of_an_unknown_time_is_not_broken() -> None:
    run = UpdateRun(host="laptop", process=Identity("boot", 17, 1), beat_at=TAKEN_AT)
    assert not locks.stale(LOCKED.replace("2026-11-26T10:00:00Z", "noon"), [run], "laptop", TAKEN_AT + 1000.0)


def test_what_the_cli_says_is_told_with_a_fix() -> None:
    assert isinstance(said.explained("f", "error: PULUMI_ACCESS_TOKEN must be set for login"), NotAuthorised)
    assert isinstance(said.explained("f", "error: incorrect passphrase"), NotAuthorised)
    other = said.explained("f", "warning: x\nerror: unable to open bucket\n")
    assert isinstance(other, Unreadable)
    assert other.what == "Pulumi cannot read stack f: unable to open bucket"


def test_the_region_of_a_stack_is_its_providers() -> None:
    stack = {"type": "pulumi:pulumi:Stack"}
    provider = {"type": "pulumi:providers:aws", "inputs": {"region": "us-east-1", "version": "7.51.1"}}
    assert state.region({"resources": [stack, provider]}) == "us-east-1"
    assert state.region({"resources": [stack]}) is None
    assert state.region({}) is None

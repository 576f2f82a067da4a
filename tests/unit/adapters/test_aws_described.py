"""What EC2 says of an instance, as a machine: its state, why it ended, and when."""

from __future__ import annotations

import pytest

from lifecycle.model.states import Cause, InstanceState
from tests.doubles.ec2_pages import an_instance, listed

AT = 1769860800.0  # 2026-01-31 12:00:00 UTC


@pytest.mark.parametrize(
    ("state", "expected", "ending"),
    [
        ("pending", InstanceState.PENDING, False),
        ("running", InstanceState.RUNNING, False),
        ("shutting-down", InstanceState.RUNNING, True),
        ("stopping", InstanceState.STOPPING, False),
        ("stopped", InstanceState.STOPPED, False),
        ("terminated", InstanceState.TERMINATED, False),
    ],
)
def test_every_state_of_ec2_has_its_own(state: str, expected: InstanceState, ending: bool) -> None:
    (machine,) = listed(an_instance(state=state))
    assert (machine.state, machine.ending, machine.launched_at) == (expected, ending, AT)


@pytest.mark.parametrize(
    ("reason", "told", "cause"),
    [
        ("Server.SpotInstanceTermination", "", Cause.SPOT),
        ("Server.SpotInstanceShutdown", "", Cause.SPOT),
        ("Server.ScheduledStop", "", Cause.MAINTENANCE),
        ("Server.InternalError", "", Cause.HARDWARE),
        ("Client.InstanceInitiatedShutdown", "", Cause.HARDWARE),
        ("Client.UserInitiatedShutdown", "", Cause.OPERATOR),
        ("", "User initiated (2026-01-31 12:00:00 GMT)", Cause.OPERATOR),
        ("", "Server.SpotInstanceTermination: Spot instance termination", Cause.SPOT),
        ("Server.SomethingNew", "", None),
        ("", "", None),
    ],
)
def test_why_a_machine_ended_is_booked_to_its_cause(reason: str, told: str, cause: Cause | None) -> None:
    (machine,) = listed(an_instance(state="terminated", reason=reason, told=told))
    assert machine.cause is cause


@pytest.mark.parametrize(
    ("state", "told", "ended_at"),
    [
        ("terminated", "User initiated (2026-01-31 12:00:00 GMT)", AT),
        ("stopped", "User initiated (2026-01-31 12:00:00 UTC)", AT),
        ("terminated", "User initiated (2026-13-41 12:00:00 GMT)", None),
        ("terminated", "User initiated", None),
        ("running", "User initiated (2026-01-31 12:00:00 GMT)", None),
    ],
)
def test_when_it_ended_is_read_where_it_is_told(state: str, told: str, ended_at: float | None) -> None:
    (machine,) = listed(an_instance(state=state, told=told))
    assert machine.ended_at == ended_at


def test_an_old_reason_says_nothing_of_a_machine_that_runs_again() -> None:
    (machine,) = listed(an_instance(reason="Client.UserInitiatedShutdown"))
    assert machine.cause is None


def test_other_machines_reach_it_at_its_private_address() -> None:
    (machine,) = listed(an_instance())
    assert machine.address == "10.0.0.1"

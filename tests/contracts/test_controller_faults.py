"""A service of AWS that throttles, fails or is slow for a while: the controller ends nothing, and recovers.

The nodes' side of the same is told where agents run (`tests/engine`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from moto.moto_api._internal import moto_api_backend

from lifecycle.model.errors import SteadyError
from lifecycle.planning.status import fleet_status
from tests.doubles.aws import AwsDouble
from tests.doubles.troupe import RUN, Troupe

THROTTLED: dict[str, Any] = {"status": 400, "code": "ThrottlingException"}
FAILING: dict[str, Any] = {"status": 500, "code": "InternalServerError"}
SLOW: dict[str, Any] = {"refuse": False, "delay": 0.5, "times": 4}
HOW = {"throttled": THROTTLED, "failing": FAILING, "slow": SLOW}

ENDING = ("ec2.StopInstances", "ec2.TerminateInstances", "ec2.RunInstances")


@pytest.fixture(scope="module")
def training(aws_server: AwsDouble) -> Iterator[Troupe]:
    """One fleet for all: every story ends with it training as before."""
    moto_api_backend.reset()
    with pytest.MonkeyPatch.context() as patched:
        for name, value in aws_server.env.items():
            patched.setenv(name, value)
        yield Troupe().train()


@pytest.fixture
def aws(aws_server: AwsDouble) -> AwsDouble:
    aws_server.calls.clear()
    return aws_server


@pytest.fixture
def troupe(training: Troupe) -> Troupe:
    training.say()
    training.maker.asked.clear()
    return training


def untouched(troupe: Troupe, aws: AwsDouble) -> bool:
    """No machine was made, stopped or ended."""
    return not troupe.maker.asked and not any(aws.calls[call] for call in ENDING)


def test_in_peace_a_tick_changes_nothing(troupe: Troupe, aws: AwsDouble) -> None:
    aws.calls.clear()
    ticked = troupe.tick()
    assert ticked.plan.settled
    assert (ticked.record.errors, ticked.record.notes, untouched(troupe, aws)) == ((), (), True)
    assert {call for call in aws.calls if call.startswith("ec2.")} <= {
        "ec2.DescribeInstances",
        "ec2.DescribeInstanceStatus",
    }
    assert aws.calls["ec2.DescribeInstances"] == 1


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("service", ["dynamodb", "ec2", "s3", "sqs"])
def test_a_service_in_trouble_costs_no_machine_and_no_receipt(
    troupe: Troupe, aws: AwsDouble, service: str, how: str
) -> None:
    saved = {troupe.save().digest for _ in range(2)}
    with aws.fault(rf"^{service}\.", **HOW[how]):
        for _ in range(2):
            with suppress(SteadyError):
                troupe.control.controller.pause(troupe.tick().plan, 0.1)
    ticks = [troupe.tick() for _ in range(2)]
    assert untouched(troupe, aws)
    assert ticks[-1].plan.settled
    assert ticks[-1].record.errors == ()
    assert troupe.kept() == saved


def test_while_ec2_fails_every_node_is_unknown_and_left_alone(troupe: Troupe, aws: AwsDouble) -> None:
    with aws.fault(r"^ec2\.", **FAILING):
        ticked = troupe.tick()
    status = fleet_status(ticked.observed, ticked.plan, ticked.record.at)
    assert "everything is left alone" in status.sentence
    assert ticked.plan.actions == ()
    assert ("Healthy", "unknown", "ProviderUnreadable") in [
        (c.type, str(c.status).lower(), c.reason) for node in status.nodes for c in node.conditions
    ]


def test_while_dynamodb_fails_a_tick_says_so_and_plans_nothing(troupe: Troupe, aws: AwsDouble) -> None:
    with aws.fault(r"^dynamodb\.", **FAILING), pytest.raises(SteadyError, match="DynamoDB"):
        troupe.tick()
    assert untouched(troupe, aws)


def test_while_s3_fails_nothing_is_pruned_and_the_tick_says_so(troupe: Troupe, aws: AwsDouble) -> None:
    saved = [troupe.save().digest for _ in range(3)]
    before = troupe.kept()
    with aws.fault(r"^s3\.", **FAILING):
        ticked = troupe.tick()
    assert ticked.record.errors[0].startswith(f"{RUN}: pruning: ")
    assert troupe.kept() == before
    troupe.tick()
    assert troupe.kept() == set(saved[1:])


def test_while_sqs_fails_the_tick_says_that_notices_come_late(troupe: Troupe, aws: AwsDouble) -> None:
    with aws.fault(r"^sqs\.", **FAILING):
        troupe.control.controller.pause(troupe.tick().plan, 0.1)
    assert "the notice queue: " in troupe.tick().record.notes[0]

"""The double's EC2 refuses, lags behind and fails as the real one does, where moto does not."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from lifecycle.adapters.aws.compute import Ec2Compute
from lifecycle.adapters.aws.session import Session
from tests.doubles.aws import REGION, AwsDouble
from tests.doubles.console import Console
from tests.doubles.ec2_pages import FLEET, OWNER, steady_tags
from tests.doubles.kinds.kind import Clients, pairs

IMAGE = "ami-12c6146b"
SPOT = {"InstanceMarketOptions": {"MarketType": "spot"}}
OURS = {"TagSpecifications": [{"ResourceType": "instance", "Tags": pairs(steady_tags())}]}


def in_zone(letter: str) -> dict[str, dict[str, str]]:
    return {"Placement": {"AvailabilityZone": f"{REGION}{letter}"}}


def test_a_lack_of_capacity_refuses_what_it_names_and_nothing_else(aws: AwsDouble, console: Console) -> None:
    large = {"InstanceType": "g5.2xlarge"}
    with aws.ec2.no_capacity(instance_type="g5.2xlarge", zone=f"{REGION}a", market="spot") as short:
        with pytest.raises(ClientError, match=r"InsufficientInstanceCapacity.*no Spot capacity"):
            console.launch(IMAGE, **large, **SPOT)
        for other in ({**large, **in_zone("b"), **SPOT}, {"InstanceType": "g6.2xlarge", **SPOT}, large):
            console.launch(IMAGE, **other)
    console.launch(IMAGE, **large, **SPOT)
    assert short.met == 1


def test_a_lack_on_demand_names_type_and_zone(aws: AwsDouble, console: Console) -> None:
    with (
        aws.ec2.no_capacity(market="on-demand"),
        pytest.raises(ClientError, match=r"sufficient g5.xlarge capacity .* \(us-east-1b\)"),
    ):
        console.launch(IMAGE, InstanceType="g5.xlarge", **in_zone("b"))


def test_a_subnets_zone_counts_as_the_zone_asked_for(
    aws: AwsDouble, console: Console, module_clients: Clients
) -> None:
    subnets = module_clients.ec2.describe_subnets()["Subnets"]
    there = next(found["SubnetId"] for found in subnets if found["AvailabilityZone"] == f"{REGION}b")
    with aws.ec2.no_capacity(zone=f"{REGION}b"), pytest.raises(ClientError, match="InsufficientInstanceCapacity"):
        console.launch(IMAGE, SubnetId=there)


def test_a_new_machine_is_in_no_list_for_a_while_but_known_by_its_id(aws: AwsDouble, console: Console) -> None:
    old = console.launch(IMAGE, **OURS)
    compute = Ec2Compute(Session(REGION), OWNER)
    aws.ec2.unlisted = 3600.0
    assert compute.machines(FLEET) == []
    assert console.state(old) == "running"
    aws.ec2.unlisted = 0.0
    assert [machine.id for machine in compute.machines(FLEET)] == [old]


def test_an_impaired_machine_fails_its_status_check(aws: AwsDouble, console: Console) -> None:
    broken, well = console.launch(IMAGE, **OURS), console.launch(IMAGE, **OURS)
    aws.ec2.impaired.add(broken)
    found = Ec2Compute(Session(REGION), OWNER).machines(FLEET)
    assert {machine.id: machine.impaired for machine in found} == {broken: True, well: False}


def test_only_calls_that_ask_ec2_or_iam_for_a_change_are_mutations(aws: AwsDouble, console: Console) -> None:
    name = console.launch(IMAGE, **SPOT)
    console.state(name)
    with pytest.raises(ClientError):
        console.stop(name)
    assert aws.mutations == {"ec2.RunInstances": 1, "ec2.StopInstances": 1}


def test_a_terminated_machine_is_neither_stopped_nor_started(console: Console) -> None:
    name = console.launch(IMAGE)
    console.terminate(name)
    for verb in (console.stop, console.start):
        with pytest.raises(ClientError, match="IncorrectInstanceState"):
            verb(name)
    assert console.state(name) == "terminated"

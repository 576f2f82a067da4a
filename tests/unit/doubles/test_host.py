"""The instance host: every machine of ours in moto is a real process; what befalls one befalls the other."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lifecycle.adapters.local.layout import MachineProcess
from lifecycle.adapters.metadata import InstanceMetadata
from lifecycle.model import tags
from lifecycle.model.states import Cause
from lifecycle.system import processes
from lifecycle.system.clock import SystemClock
from lifecycle.system.files import read_record
from tests.doubles import ec2
from tests.doubles.aws import AwsDouble
from tests.doubles.console import Console
from tests.doubles.ec2_pages import steady_tags
from tests.doubles.host import InstanceHost
from tests.doubles.kinds.kind import Clients, pairs
from tests.e2e.stage import wait_until

IMAGE = "ami-12c6146b"
SPOT = {"InstanceMarketOptions": {"MarketType": "spot"}}
TAGS = {**steady_tags("f/t/0"), tags.POOL: "t"}
OURS = {"TagSpecifications": [{"ResourceType": "instance", "Tags": pairs(TAGS)}]}
ENDS = {"InstanceInitiatedShutdownBehavior": "terminate"}


@pytest.fixture
def host(tmp_path: Path, aws: AwsDouble, module_clients: Clients) -> Iterator[InstanceHost]:
    built = InstanceHost(aws, module_clients, tmp_path / "machines", {"STEADY_REGION": "us-east-1"})
    yield built
    built.close()


@pytest.fixture
def running(host: InstanceHost, console: Console) -> Callable[..., str]:
    """Launches a machine of ours and waits until it has booted."""

    def launch(**options: Any) -> str:
        name = console.launch(IMAGE, **OURS, **options)
        assert console.state(name) == "pending"
        reached(console, name, "running")
        return name

    return launch


def reached(console: Console, name: str, state: str) -> None:
    wait_until(lambda: console.state(name) == state, f"{name} is {state}")


@contextmanager
def metadata(host: InstanceHost, name: str) -> Iterator[InstanceMetadata]:
    """The machine's metadata service, as its agent reads it."""
    found = read_record(host.machine(name).paths.process, MachineProcess)
    assert found is not None
    asked = InstanceMetadata(SystemClock(), f"http://127.0.0.1:{found.port}/")
    try:
        yield asked
    finally:
        asked._connection.close()


def reason(console: Console, name: str) -> str:
    return str(console.described(name)["StateReason"]["Code"])


def test_a_machine_of_ours_boots_as_a_process_with_a_nodes_environment(
    host: InstanceHost, running: Callable[..., str], aws: AwsDouble
) -> None:
    name = running(**SPOT)
    with metadata(host, name) as asked:
        assert asked.identity().tags == TAGS
    environ = Path(f"/proc/{host.machine(name).pids[0]}/environ").read_text().split("\0")
    assert {f"AWS_ENDPOINT_URL={aws.endpoint}", "STEADY_REGION=us-east-1"} <= {*environ}


def test_a_machine_of_somebody_else_has_no_process(
    host: InstanceHost, running: Callable[..., str], console: Console
) -> None:
    foreign = console.launch(IMAGE)
    running()
    assert console.state(foreign) == "running"
    with pytest.raises(KeyError):
        host.machine(foreign)


def test_a_terminated_machine_shuts_down_and_then_nothing_of_it_is_left(
    host: InstanceHost, running: Callable[..., str], console: Console
) -> None:
    name = running()
    console.terminate(name)
    assert console.state(name) == "shutting-down"
    reached(console, name, "terminated")
    assert (host.machine(name).pids, host.machine(name).paths.disk.exists()) == ([], False)
    assert reason(console, name) == "Client.UserInitiatedShutdown"


def test_a_machine_that_does_not_go_down_is_cut_off(
    tmp_path: Path, aws: AwsDouble, module_clients: Clients, console: Console
) -> None:
    with closing(InstanceHost(aws, module_clients, tmp_path, {}, grace=0.0)) as host:
        name = console.launch(IMAGE, **OURS)
        reached(console, name, "running")
        for pid in host.machine(name).pids:
            os.kill(pid, signal.SIGSTOP)
        console.terminate(name)
        reached(console, name, "terminated")
        assert host.machine(name).pids == []


def test_a_stopped_machine_keeps_its_disk_and_starts_again(
    host: InstanceHost, running: Callable[..., str], console: Console
) -> None:
    name = running()
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    ec2.instance(name).launch_time = long_ago
    kept = host.machine(name).paths.disk / "kept"
    kept.touch()
    console.stop(name)
    assert console.state(name) == "stopping"
    reached(console, name, "stopped")
    assert host.machine(name).pids == []
    console.start(name)
    reached(console, name, "running")
    assert kept.exists()
    assert console.described(name)["LaunchTime"] > long_ago


@pytest.mark.parametrize(("options", "left"), [({**SPOT}, "terminated"), ({**ENDS}, "terminated"), ({}, "stopped")])
def test_a_machine_that_shuts_itself_down_ends_as_its_settings_say(
    host: InstanceHost, running: Callable[..., str], console: Console, options: dict[str, Any], left: str
) -> None:
    name = running(**options)
    found = read_record(host.machine(name).paths.process, MachineProcess)
    assert found is not None
    processes.send(found.process.pid, signal.SIGTERM)
    reached(console, name, left)
    assert reason(console, name) == "Client.InstanceInitiatedShutdown"


def test_a_spot_notice_is_in_metadata_and_on_the_bus_and_then_the_machine_is_taken(
    host: InstanceHost, running: Callable[..., str], console: Console, events: Callable[[], list[dict[str, Any]]]
) -> None:
    name = running(**SPOT)
    host.notice(name, lead=2.0)
    with metadata(host, name) as asked:
        assert [notice.cause for notice in asked.notices()] == [Cause.SPOT]
    assert console.state(name) == "running"
    reached(console, name, "terminated")
    assert reason(console, name) == "Server.SpotInstanceTermination"
    told = [(event["detail-type"], event["detail"]) for event in events()]
    warning = {"instance-id": name, "instance-action": "terminate"}
    assert ("EC2 Spot Instance Interruption Warning", warning) in told
    assert ("EC2 Instance State-change Notification", {"instance-id": name, "state": "terminated"}) in told


def test_rebalance_is_advice_and_takes_nothing(host: InstanceHost, running: Callable[..., str]) -> None:
    name = running(**SPOT)
    host.notice(name, cause=Cause.REBALANCE)
    with metadata(host, name) as asked:
        (advice,) = asked.notices()
    assert (advice.cause, advice.deadline) == (Cause.REBALANCE, None)


def test_broken_hardware_takes_processes_and_disk_at_once(
    host: InstanceHost, running: Callable[..., str], console: Console
) -> None:
    name = running()
    host.kill(name)
    assert (console.state(name), reason(console, name)) == ("terminated", "Server.InternalError")
    assert (host.machine(name).pids, host.machine(name).paths.disk.exists()) == ([], False)


def test_a_machine_whose_process_dies_without_a_word_fails_its_status_check(
    host: InstanceHost, running: Callable[..., str], console: Console, aws: AwsDouble
) -> None:
    name = running()
    processes.end_all(lambda: host.machine(name).pids)
    wait_until(lambda: name in aws.ec2.impaired, "it fails its check")
    assert console.state(name) == "running"


def test_new_tags_reach_the_machines_metadata(
    host: InstanceHost, running: Callable[..., str], console: Console
) -> None:
    name = running()
    with metadata(host, name) as asked:
        console.tag(name, tags.NODE, "f/t/9")
        wait_until(lambda: asked.identity().tags[tags.NODE] == "f/t/9", "the new tag is served")


def test_a_close_leaves_no_process(
    tmp_path: Path, aws: AwsDouble, module_clients: Clients, console: Console
) -> None:
    with closing(InstanceHost(aws, module_clients, tmp_path, {})):
        names = [console.launch(IMAGE, **OURS) for _ in range(2)]
        for name in names:
            reached(console, name, "running")
    assert [pid for name in names for pid in processes.carriers("STEADY_INSTANCE_ID", name)] == []


@pytest.fixture
def events(aws: AwsDouble, module_clients: Clients) -> Callable[[], list[dict[str, Any]]]:
    """What the event bus has told so far, through a queue of the test's own."""
    queue = module_clients.sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = module_clients.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    module_clients.events.put_rule(Name="all", EventPattern=json.dumps({"source": ["aws.ec2"]}))
    module_clients.events.put_targets(Rule="all", Targets=[{"Id": "1", "Arn": arn["QueueArn"]}])

    def told() -> list[dict[str, Any]]:
        found = module_clients.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in found.get("Messages", ())]

    return told

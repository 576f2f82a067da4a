"""An agent whose tracker and store are on AWS: on a machine of this computer, and on one that has systemd.

AWS is moto over HTTP, systemd a double (`doubles/systemd`); agent, trainer, machine and metadata service are real.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lifecycle.adapters.aws.table import DynamoTable
from lifecycle.adapters.local.imds import MetadataServer
from lifecycle.adapters.local.layout import MachineRecord, StateDirectory
from lifecycle.adapters.local.provider import LocalProvider
from lifecycle.model import tags
from lifecycle.model.fleet import Hook, Hooks, Market
from lifecycle.model.ids import NodeName
from lifecycle.model.records import Desired, Ended, Receipt, Report
from lifecycle.system import processes
from lifecycle.tracker.controller import ControllerTracker
from tests.builders import NODE, NOW, RUN, a_claim, a_placement, an_assignment, an_incarnation, an_order
from tests.contracts import dynamo, s3
from tests.doubles.aws import REGION, AwsDouble
from tests.doubles.systemd import SystemdDouble
from tests.e2e.stage import SEED, TRAINER, undisturbed, wait_until

STEPS = 60


class Grounds:
    """The foundation's table and bucket, and a controller's hands on them. Fleet `f` has one node, `f/t/0`."""

    def __init__(self, folder: Path, aws: AwsDouble, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.aws = folder, aws
        self.s3 = s3.beside_a_bucket(aws)
        self.tracker = ControllerTracker(DynamoTable(dynamo.made(aws), dynamo.NAME))
        self.tracker.claim_incarnation("f", an_incarnation(instance=None), None)
        named = {"STEADY_REGION": REGION, "STEADY_TABLE": dynamo.NAME, "STEADY_BUCKET": s3.BUCKET}
        for name, value in named.items():
            monkeypatch.setenv(name, value)

    def order(
        self, *arguments: str, number: int = 1, steps: int = STEPS, hooks: Hooks | None = None, **changes: Any
    ) -> None:
        command = ("python", str(TRAINER), "--save-every", "20", *arguments)
        settings = {"steps": steps, "seed": SEED}
        assignment = an_assignment(
            command=command, workdir=str(self.folder), hyperparameters=settings, hooks=hooks or Hooks()
        )
        self.tracker.order("f", an_order(number=number, assignment=assignment, **changes), None)

    @property
    def report(self) -> Report | None:
        return self.tracker.observe("f").reports.get(NODE)

    def once_ended(self) -> Ended:
        ended: Ended = wait_until(lambda: self.report and self.report.ended, "the attempt ends")
        return ended

    @property
    def receipts(self) -> tuple[Receipt, ...]:
        return self.tracker.receipts("f", RUN, 10)

    def objects(self) -> list[str]:
        return [entry["Key"] for entry in self.s3.list_objects_v2(Bucket=s3.BUCKET).get("Contents", ())]


@pytest.fixture
def grounds(tmp_path: Path, aws: AwsDouble, monkeypatch: pytest.MonkeyPatch) -> Grounds:
    return Grounds(tmp_path, aws, monkeypatch)


@pytest.fixture
def local(grounds: Grounds, tmp_path: Path) -> Iterator[None]:
    """A machine process of this computer, which starts the agent."""
    state = StateDirectory(tmp_path / "state")
    state.prepare()
    provider = LocalProvider(state, lambda _: None)
    assert [outcome.error for outcome in provider.converge("f", [a_placement()])] == [""]
    (machine,) = provider.machines("f")
    yield
    provider.converge("f", [a_placement(present=False)])
    processes.end_all(lambda: processes.carriers("STEADY_INSTANCE_ID", machine.id))
    for child in provider._children:
        child.wait(30)


class SystemdMachine:
    """A machine with systemd's double, a metadata service, and an agent under nobody's care."""

    def __init__(self, folder: Path) -> None:
        self.manager, self.disk = SystemdDouble(folder / "systemd"), folder / "disk"
        named = tags.identity("owner-1", NodeName.parse(NODE), 1)
        record = MachineRecord(
            id="i-1", fleet="f", node=NODE, incarnation=1, market=Market.SPOT, created_at=NOW, tags=named
        )
        self.metadata = MetadataServer(lambda: record, list)
        self.env = {
            **os.environ,
            "PATH": f"{self.manager.programs}:{os.environ['PATH']}",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{self.metadata.port}/",
            "STEADY_DISK": str(self.disk),
        }
        self.agent = self.starts_an_agent()

    def starts_an_agent(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "lifecycle.bootstrap.node"]
        with (self.manager.programs.parent / "agent.log").open("ab") as log:
            return subprocess.Popen(command, env=self.env, stdout=log, stderr=log)

    def close(self) -> None:
        self.agent.kill()
        self.agent.wait()
        self.manager.close()
        self.metadata._server.shutdown()
        self.metadata._server.server_close()


@pytest.fixture
def machine(grounds: Grounds, tmp_path: Path) -> Iterator[SystemdMachine]:
    made = SystemdMachine(tmp_path)
    yield made
    made.close()


def trains_to_the_end(grounds: Grounds) -> None:
    grounds.order()
    ended = grounds.once_ended()
    assert (ended.outcome, ended.step, ended.detail) == ("completed", STEPS, "")
    assert ended.result["weights"] == undisturbed(STEPS)
    assert ended.receipt == grounds.receipts[0]
    manifests = [key for key in grounds.objects() if key.endswith("manifest.json")]
    assert len(manifests) == len(grounds.receipts)
    assert all(key.startswith(f"runs/f/{RUN}/") for key in grounds.objects())


@pytest.mark.usefixtures("local")
def test_an_agent_of_this_computer_ships_to_s3_and_reports_to_dynamodb(grounds: Grounds) -> None:
    trains_to_the_end(grounds)


def test_an_agent_under_systemd_ships_to_s3_and_reports_to_dynamodb(
    grounds: Grounds, machine: SystemdMachine
) -> None:
    trains_to_the_end(grounds)
    assert (machine.disk / "runs" / RUN).is_dir()


def test_a_killed_agents_successor_finds_the_trainer_where_systemd_keeps_it(
    grounds: Grounds, machine: SystemdMachine
) -> None:
    grounds.order("--step-time", "0.05")
    wait_until(lambda: grounds.receipts, "the first checkpoint")
    machine.agent.kill()
    machine.agent.wait()
    machine.agent = machine.starts_an_agent()
    ended = grounds.once_ended()
    assert (ended.attempt, ended.outcome, ended.result["weights"]) == (1, "completed", undisturbed(STEPS))


def test_a_shutdown_saves_and_is_never_a_completion(grounds: Grounds, machine: SystemdMachine) -> None:
    grounds.order("--step-time", "0.05", steps=100_000)
    wait_until(lambda: grounds.receipts, "the first checkpoint")
    machine.agent.send_signal(signal.SIGTERM)
    assert machine.agent.wait(60) == 0
    ended = grounds.once_ended()
    assert ended.outcome == "interrupted"
    assert ended.receipt is not None
    assert ended.receipt.step == ended.step


def test_a_hook_under_systemd_outlives_its_agent_and_runs_once(grounds: Grounds, machine: SystemdMachine) -> None:
    noting = Hook(run=("sh", "-c", 'echo "$STEADY_CHECKPOINT $STEADY_CAUSE" >> noted; sleep 1'))
    grounds.order("--step-time", "0.05", steps=100_000, hooks=Hooks(pre_stop=(noting,)))
    wait_until(lambda: grounds.receipts, "the first checkpoint")
    grounds.tracker.claim_drain("f", a_claim(instance="i-1", expires_at=time.time() + 600), None)
    wait_until((grounds.folder / "noted").exists, "the hook begins")
    machine.agent.kill()
    machine.agent.wait()
    machine.agent = machine.starts_an_agent()
    answer = wait_until(lambda: grounds.report and grounds.report.drained, "the drain's answer")
    assert (answer.outcome, answer.drain) == ("saved", "m1.manual.1")
    assert (grounds.folder / "noted").read_text() == f"{answer.receipt.step} operator\n"


def test_the_first_report_cancels_the_power_off_once(grounds: Grounds, machine: SystemdMachine) -> None:
    wait_until(lambda: grounds.report, "the first report")
    grounds.order(desired=Desired.STOPPED)
    wait_until(lambda: grounds.report and grounds.report.order_seen == 1, "a later report")
    assert machine.manager.notes == ["shutdown -c"]


def test_a_tracker_that_is_away_cancels_nothing(grounds: Grounds, tmp_path: Path) -> None:
    with grounds.aws.fault("dynamodb.Update") as fault:
        machine = SystemdMachine(tmp_path)
        try:
            wait_until(lambda: fault.met > 3, "two tries to report")
            assert machine.manager.notes == []
        finally:
            machine.close()

"""A gang on AWS: agents, machines and trainers are real, AWS is moto, and machines are made without Pulumi."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lifecycle.bootstrap import cloud
from lifecycle.bootstrap.aws import Site
from lifecycle.model.codec import convert
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.records import Run
from lifecycle.model.states import RunState
from tests.doubles import ground
from tests.doubles.aws import REGION, AwsDouble
from tests.doubles.host import InstanceHost
from tests.doubles.kinds.kind import Clients
from tests.doubles.maker import Maker
from tests.e2e.gang_stage import STEP_TIME, STEPS, TRAINER, undisturbed
from tests.e2e.stage import PATIENCE, SEED, Stage
from tests.gang_builders import GANG, NODES

EVERY = 0.3


class GangOnAws:
    """The fleet `f` with the gang `t`, applied; a controller that ticks when it is told to."""

    def __init__(self, folder: Path, aws: AwsDouble) -> None:
        self.folder, self.clients = folder, Clients(aws.endpoint)
        found = ground.laid()
        self.site, self.image = Site(found), ground.image()
        env = {"STEADY_REGION": REGION, "STEADY_TABLE": found.table, "STEADY_BUCKET": found.bucket}
        self.host = InstanceHost(aws, self.clients, folder / "machines", env)
        self.control = cloud.control(found, Maker(self.site, self.image))
        self.control.operator.adopt(self.spec(), "text", Path("specs/f.yaml"))

    def spec(self) -> FleetSpec:
        command = ["python", str(Stage.EXAMPLES / TRAINER), "--step-time", str(STEP_TIME), "--address", "127.0.0.1"]
        pool = {
            "nodes": len(NODES),
            "mode": "gang",
            "instance_types": ["m5.large"],
            "zones": ["us-east-1a"],
            "image": self.image,
            "train": {
                "command": command,
                "workdir": str(self.folder),
                "hyperparameters": {"steps": STEPS, "seed": SEED},
                "on_completion": "keep",
            },
        }
        spec = {"version": 1, "fleet": "f", "provider": "aws", "region": REGION, "pools": {"t": pool}}
        return convert(spec, FleetSpec)

    def tick_until(self, condition: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"did not happen: {what}"
            self.control.controller.tick("f")
            time.sleep(EVERY)

    @property
    def run(self) -> Run | None:
        return self.site.tracker.observe("f").runs.get(GANG)

    def step(self) -> int:
        return max((report.step or 0 for report in self.site.tracker.observe("f").reports.values()), default=0)

    def instance(self, rank: int) -> str:
        (found,) = [m.id for m in self.site.compute.machines("f") if m.node == NODES[rank] and m.live]
        return found

    def close(self) -> None:
        self.host.close()
        self.clients.close()


@pytest.fixture
def gang(tmp_path: Path, aws: AwsDouble) -> Iterator[GangOnAws]:
    built = GangOnAws(tmp_path, aws)
    yield built
    built.close()


def test_a_notice_on_one_machine_saves_all_ranks_and_replaces_that_one(gang: GangOnAws) -> None:
    gang.tick_until(lambda: gang.step() > 20, "all ranks train")
    gang.host.notice(gang.instance(2), lead=6.0)
    gang.tick_until(lambda: gang.run and gang.run.state is RunState.COMPLETED, "the run completes")
    run = gang.run
    assert run is not None
    assert (run.result["weights"], run.lost, run.nodes) == (undisturbed(), {}, NODES)
    first, second = gang.site.tracker.past("f").attempts[GANG]
    assert (first.cause, [rank.incarnation for rank in second.members]) == ("spot", [1, 1, 2])
    assert first.receipt is not None
    assert second.from_step == first.to_step == first.receipt.step
    parts = gang.site.store.keys(f"{first.receipt.prefix}/parts/")
    assert len(parts) == len(NODES)

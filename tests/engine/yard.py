"""A fleet `f` whose machines the provisioner makes and ends, on the real engine. Nothing trains there."""

from __future__ import annotations

import itertools
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lifecycle.adapters.aws.compute import Ec2Compute
from lifecycle.adapters.aws.session import Session
from lifecycle.adapters.aws.table import DynamoTable, definition
from lifecycle.adapters.pulumi.provisioner import PulumiProvisioner
from lifecycle.adapters.pulumi.workspace import Program
from lifecycle.control.guard import LastGuard
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.records import Placement
from lifecycle.planning.placement import effective
from lifecycle.ports.provisioner import Outcome
from lifecycle.ports.tracker import Table
from lifecycle.system.clock import SystemClock
from lifecycle.system.processes import Identity
from lifecycle.tracker.controller import ControllerTracker
from lifecycle.tracker.updates import UpdateLog
from stacks import fleet, policies
from stacks.ground import Ground
from stacks.names import BOUNDARY, Names
from tests.builders import but
from tests.doubles.aws import ACCOUNT, REGION, AwsDouble
from tests.engine.engine import Engine, Ran
from tests.stacks.test_fleet import a_spec

IMAGE = "ami-12c6146b"
NAMES = Names(
    partition="aws", account=ACCOUNT, region=REGION, bucket="b-1", table="tracker", queue="notices", owner="b-1"
)


class Watched(UpdateLog):
    """Knows the process of the update that was begun last."""

    process: Identity

    def beat(self, fleet: str, host: str, process: Identity, at: float) -> None:
        self.process = process
        super().beat(fleet, host, process, at)


@dataclass
class Yard:
    """`told` is what the provisioner had to say; `engine` is a human with the CLI, at the same stack."""

    engine: Engine
    aws: AwsDouble
    tracker: ControllerTracker
    updates: Watched
    compute: Ec2Compute
    spec: FleetSpec
    told: list[tuple[str | None, str]] = field(default_factory=list)
    user_data: str = "#!"

    def __post_init__(self) -> None:
        self.engine.stack = "f"
        self.engine.serve(lambda: self.program("f", None)())
        self.provisioner = self.another()

    def another(self, **different: Any) -> PulumiProvisioner:
        """A provisioner as another controller would have it."""
        parts = {
            "program": self.program,
            "machines": self.compute.machines,
            "staked": lambda _: False,
            "updates": self.updates,
            "tell": lambda _, node, text: self.told.append((node, text)),
            "region": REGION,
            "clock": SystemClock(),
        }
        return PulumiProvisioner(**{**parts, **different})

    def program(self, name: str, nodes: frozenset[str] | None) -> Program:
        async def declared() -> dict[str, Any]:
            guard = LastGuard(
                name, self.spec, tracker=self.tracker, compute=self.compute, clock=SystemClock(), by="controller"
            )
            ground = Ground(names=NAMES, boundary=NAMES.boundary_arn)
            placed = self.placed()
            return await fleet.declare(self.spec, ground, placed, guard, user_data=self.user_data, nodes=nodes)

        return declared

    def placed(self) -> Mapping[str, Placement]:
        return self.tracker.observe("f").placements

    def place(self, *nodes: int, **how: Any) -> list[Placement]:
        """Placements and creation claims, as the executor writes them before it calls the provisioner."""
        placements = []
        for index in nodes:
            node = next(name for name in self.spec.nodes() if name.index == index)
            placements.append(but(effective(self.spec, node, self.placed().get(str(node))), **how))
            self.tracker.place("f", placements[-1], None)
        return placements

    def converge(self, *nodes: int, **how: Any) -> dict[int, Outcome]:
        found = self.provisioner.converge("f", self.place(*nodes, **how))
        return {int(outcome.node.rpartition("/")[2]): outcome for outcome in found}

    def made(self, *nodes: int, **how: Any) -> None:
        outcomes = self.converge(*nodes, **how)
        assert not any(outcome.error for outcome in outcomes.values()), outcomes

    @contextmanager
    def killed_at(self, number: int, *, done: bool) -> Iterator[None]:
        """The CLI is killed when it asks its provider for the n-th thing, which is `done` all the same or not."""
        count = itertools.count(1)

        def asked() -> None:
            if next(count) == number:
                os.kill(self.updates.process.pid, signal.SIGKILL)
                if not done:
                    raise RuntimeError("it was never asked")

        self.engine.provider.interpose(asked)
        yield
        self.engine.provider.rest()
        self.engine.provider.interpose(lambda: None)

    def live(self) -> dict[int, str]:
        """The ids of the live machines; two of one node fail."""
        machines = [machine for machine in self.compute.machines("f") if machine.live]
        found = {int(machine.node.rpartition("/")[2]): machine.id for machine in machines}
        assert len(found) == len(machines), machines
        return found

    def kept(self) -> dict[str, str]:
        """The ids of the machines that the stack keeps."""
        found = self.engine.resources_of("aws:ec2/instance:Instance")
        return {name: resource["id"] for name, resource in found.items()}

    def secrets(self) -> dict[str, Any]:
        """How the stack's secrets are kept, as its state says."""
        return dict(self.engine.export()["deployment"]["secrets_providers"])

    def by_hand(self, **flags: Any) -> Ran:
        """A human's full `pulumi up`."""
        self.engine.select("f")
        return self.engine.up(**flags)


def on_dynamo() -> Table:
    dynamo = Session(REGION).client("dynamodb")
    dynamo.create_table(**definition("tracker"))
    return DynamoTable(dynamo, "tracker")


def a_yard(
    engine: Engine,
    aws: AwsDouble,
    table: Callable[[], Table] = on_dynamo,
    compute: type[Ec2Compute] = Ec2Compute,
    **pool: Any,
) -> Yard:
    session, rows = Session(REGION), table()
    session.client("iam").create_policy(PolicyName=BOUNDARY, PolicyDocument=json.dumps(policies.boundary(NAMES)))
    return Yard(
        engine=engine,
        aws=aws,
        tracker=ControllerTracker(rows),
        updates=Watched(rows),
        compute=compute(session, "b-1", checks=False),
        spec=a_spec(image=IMAGE, unreachable_after="never", **{"nodes": 3, **pool}),
    )

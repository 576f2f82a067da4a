"""A fleet's stack on the real engine: nothing is deleted before it is saved, nothing is made twice.

The agents are played: what they report is written as an agent writes it, and a drain is answered as told.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from lifecycle.adapters.aws.compute import Ec2Compute
from lifecycle.adapters.aws.session import Session
from lifecycle.adapters.aws.table import DynamoTable, definition
from lifecycle.control.guard import LastGuard
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.holds import Allowance
from lifecycle.model.plan import Label
from lifecycle.model.records import DrainOutcome, Placement
from lifecycle.model.tags import STATE
from lifecycle.system.clock import SystemClock
from lifecycle.tracker.controller import ControllerTracker
from lifecycle.tracker.node import NodeTracker
from stacks import fleet, policies
from stacks.ground import Ground
from stacks.names import BOUNDARY, Names
from tests.builders import (
    a_machine,
    a_receipt,
    a_report,
    a_run,
    an_answer,
    an_assignment,
    an_attempt,
    an_order,
    but,
)
from tests.doubles.aws import ACCOUNT, REGION, AwsDouble
from tests.doubles.provider import ProviderDouble
from tests.engine.engine import Engine, Ran
from tests.stacks.test_fleet import a_spec

pytestmark = pytest.mark.engine

IMAGE = "ami-12c6146b"
PATIENCE = 60.0
SAVED, REFUSED = DrainOutcome.SAVED, DrainOutcome.REFUSED


@dataclass
class Site:
    """A fleet's stack `f`, its tracker and its machines; `answers` is what the played agents say to a drain."""

    engine: Engine
    provider: ProviderDouble
    tracker: ControllerTracker
    table: DynamoTable
    compute: Ec2Compute
    ground: Ground
    spec: FleetSpec
    answers: dict[str, DrainOutcome] = field(default_factory=dict)

    async def program(self) -> dict[str, Any]:
        guard = LastGuard(
            "f", self.spec, tracker=self.tracker, compute=self.compute, clock=SystemClock(), by="pulumi up"
        )
        return await fleet.declare(self.spec, self.ground, self.stored(), guard, user_data="#!")

    def stored(self) -> Mapping[str, Placement]:
        return self.tracker.observe("f").placements

    def up(self, spec: FleetSpec | None = None, **flags: Any) -> Ran:
        self.spec = spec or self.spec
        return self.engine.up(**flags)

    def made(self, spec: FleetSpec | None = None) -> Ran:
        ran = self.up(spec)
        assert ran.code == 0, ran.output
        return ran

    # ---- machines and their agents ---------------------------------------------------------------

    def live(self) -> dict[str, str]:
        """The ids of the live machines, by node."""
        return {machine.node: machine.id for machine in self.compute.machines("f") if machine.live}

    def train(self) -> None:
        """On every machine there is, an attempt is under way, as far as records say."""
        for node, instance in self.live().items():
            run, incarnation = f"f.t.main.{node[-1]}", self.stored()[node].incarnation
            attempt = an_attempt(self.spec, run=run, node=node, incarnation=incarnation, given_at=time.time())
            self.tracker.put_run("f", a_run(attempt, run=run, nodes=(node,)), None)
            order = an_order(node=node, incarnation=incarnation, assignment=an_assignment(run=run))
            self.tracker.order("f", order, None)
            self._tell(node, instance, run)

    def _tell(self, node: str, instance: str, run: str, **more: Any) -> None:
        arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{instance}"
        table = DynamoTable(Session(REGION).client("dynamodb"), self.ground.names.table, writer=arn)
        said = a_report(node=node, instance=instance, incarnation=self.stored()[node].incarnation, run=run)
        receipt = a_receipt(100, run=run, node=node)
        began = time.time() - 60
        NodeTracker(table, node).report(but(said, at=time.time(), started_at=began, receipt=receipt, **more))

    @contextmanager
    def agents(self, **answers: DrainOutcome) -> Iterator[None]:
        """While the block runs, agents answer drains: `n0=SAVED` for node 0; those not named save."""
        stop = threading.Event()
        played = threading.Thread(target=self._play, args=(answers, stop))
        played.start()
        try:
            yield
        finally:
            stop.set()
            played.join(PATIENCE)

    def _play(self, answers: Mapping[str, DrainOutcome], stop: threading.Event) -> None:
        while not stop.wait(0.2):
            for claim in self.tracker.observe("f").drains.values():
                run, outcome = f"f.t.main.{claim.node[-1]}", answers.get(f"n{claim.node[-1]}", SAVED)
                answer = an_answer(drain=claim.drain, outcome=outcome, at=time.time(), detail="it ignores us")
                self._tell(claim.node, claim.instance, run, drained=answer)


@pytest.fixture
def site(engine: Engine, provider: ProviderDouble, aws: AwsDouble) -> Site:
    session = Session(REGION)
    dynamo = session.client("dynamodb")
    dynamo.create_table(**definition("tracker"))
    session.client("s3").create_bucket(Bucket="checkpoints-1")
    names = Names(
        partition="aws",
        account=ACCOUNT,
        region=REGION,
        bucket="checkpoints-1",
        table="tracker",
        queue="notices",
        owner="checkpoints-1",
    )
    session.client("iam").create_policy(PolicyName=BOUNDARY, PolicyDocument=json.dumps(policies.boundary(names)))
    table = DynamoTable(dynamo, "tracker")
    built = Site(
        engine=engine,
        provider=provider,
        tracker=ControllerTracker(table),
        table=table,
        compute=Ec2Compute(session, "checkpoints-1", checks=False),
        ground=Ground(names=names, boundary=names.boundary_arn),
        spec=a_spec(nodes=2, image=IMAGE, unreachable_after="never"),
    )
    engine.serve(lambda: built.program())
    return built


def test_every_node_is_made_claimed_and_ours(site: Site) -> None:
    site.made()
    assert sorted(site.live()) == ["f/t/0", "f/t/1"]
    claims = site.tracker.incarnations("f", [("f/t/0", 1), ("f/t/1", 1)])
    assert {claim.claimed_by for claim in claims.values()} == {"pulumi up"}
    assert {node: placement.instance_type for node, placement in site.stored().items()} == {
        "f/t/0": "g5.2xlarge",
        "f/t/1": "g5.2xlarge",
    }


def test_up_again_and_the_controllers_state_tags_change_nothing(site: Site) -> None:
    site.made()
    machine = a_machine(id=site.live()["f/t/0"], tags=next(iter(site.compute.machines("f"))).tags)
    site.compute.label([Label(machine=machine, tags={STATE: "training"})])
    again = site.up(refresh=True)
    assert again.code == 0, again.output
    assert set(again.changes) <= {"same"}


def test_a_node_less_is_saved_before_it_is_deleted(site: Site) -> None:
    site.made()
    site.train()
    with site.agents():
        ran = site.made(a_spec(nodes=1, image=IMAGE, unreachable_after="never"))
    assert "f/t/1: drained: saved, saved at step 130" in ran.output
    assert sorted(site.live()) == ["f/t/0"]


def test_a_machine_whose_trainer_cannot_save_stays_with_all_that_it_needs(site: Site) -> None:
    site.made()
    site.train()
    before = site.live()
    with site.agents(n1=REFUSED):
        ran = site.up(a_spec(nodes=1, image=IMAGE, unreachable_after="never"))
    assert ran.code != 0
    assert f"steady allow-loss {before['f/t/1']}" in ran.output
    assert site.live() == before
    assert {"node", "f.t.1"} <= {name.split("::")[-1] for name in site.engine.resources()}


def test_the_override_loses_exactly_one_machine_once(site: Site) -> None:
    site.made()
    site.train()
    instance = site.live()["f/t/1"]
    allowed = Allowance(instance=instance, reason="a test run", by="me", at=time.time())
    site.tracker.allow_loss("f", allowed)
    with site.agents(n1=DrainOutcome.FORCED):
        site.made(a_spec(nodes=1, image=IMAGE, unreachable_after="never"))
    assert sorted(site.live()) == ["f/t/0"]


def test_another_incarnation_replaces_one_machine_after_its_drain(site: Site) -> None:
    site.made()
    site.train()
    before = site.live()
    site.tracker.place("f", but(site.stored()["f/t/0"], incarnation=2), None)
    with site.agents():
        ran = site.made()
    after = site.live()
    assert "f/t/0: drained: saved" in ran.output
    assert after["f/t/0"] != before["f/t/0"]
    assert after["f/t/1"] == before["f/t/1"]


def test_a_used_incarnation_is_not_made_again(site: Site) -> None:
    site.made()
    instance = site.live()["f/t/0"]
    claim = site.tracker.incarnations("f", [("f/t/0", 1)])["f/t/0", 1]
    site.tracker.put_incarnation("f", but(claim, instance=instance), None)
    Session(REGION).client("ec2").terminate_instances(InstanceIds=[instance])
    ran = site.up(refresh=True)
    assert ran.code != 0
    assert f"incarnation 1 is taken by {instance}" in ran.output
    assert sorted(site.live()) == ["f/t/1"]


def test_destroy_without_the_program_is_refused_and_with_it_everything_is_saved_first(site: Site) -> None:
    site.made()
    site.train()
    refused = site.engine.destroy()
    assert "--run-program" in refused.output
    assert len(site.live()) == 2
    with site.agents():
        ended = site.engine.destroy(run_program=True)
    assert ended.code == 0, ended.output
    assert all(f"{node}: drained: saved" in ended.output for node in ("f/t/0", "f/t/1"))
    assert site.live() == {}

"""A controller on the AWS double, and played agents: what nodes would write, written by the test."""

from __future__ import annotations

import time
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from lifecycle.adapters.aws.session import Session
from lifecycle.adapters.aws.table import DynamoTable
from lifecycle.bootstrap import cloud
from lifecycle.bootstrap.aws import Site
from lifecycle.control.loop import Ticked
from lifecycle.model.codec import convert
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.records import Phase, Receipt
from lifecycle.model.world import Machine
from lifecycle.tracker.node import NodeTracker
from tests.builders import a_receipt, a_report
from tests.doubles import ground
from tests.doubles.aws import ACCOUNT, REGION
from tests.doubles.maker import Maker

RUN = "f.t.main.0"


class Troupe:
    """The fleet `f` with one on-demand node, applied; it trains once `train` was called."""

    def __init__(self) -> None:
        self.foundation, self.image, self._step = ground.laid(), ground.image(), 0
        self.site = Site(self.foundation)
        self._dynamodb: Any = self.site.session.client("dynamodb")
        self.maker = Maker(self.site, self.image)
        self.control = cloud.control(self.foundation, self.maker)
        self.control.operator.adopt(self.spec(), "text", Path("specs/f.yaml"))

    def again(self, session: Session) -> Troupe:
        """The same fleet, acted on through another session."""
        other: Troupe = copy(self)
        other.site = Site(self.foundation)
        other.site.session = session
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(cloud, "Site", lambda _: other.site)
            other.control = cloud.control(self.foundation, self.maker)
        return other

    def spec(self) -> FleetSpec:
        pool = {
            "market": "on_demand",
            "instance_types": ["m5.large"],
            "zones": ["us-east-1a"],
            "image": self.image,
            "train": {"command": ["python", "train.py"], "workdir": "/opt/train"},
            "checkpoint": {"keep": 2},
        }
        spec = {"version": 1, "fleet": "f", "provider": "aws", "region": REGION, "pools": {"t": pool}}
        return convert(spec, FleetSpec)

    def tick(self) -> Ticked:
        return self.control.controller.tick("f", wait=0.0, upkeep=True)

    @property
    def machine(self) -> Machine:
        (machine,) = (each for each in self.site.compute.machines("f") if each.live)
        return machine

    def train(self) -> Troupe:
        """Ticks until the node trains its first attempt, with what its agent would say in between."""
        self.tick()
        self.say(phase=Phase.IDLE, ready=True, run=None, attempt=None, step=None, receipt=None, order_seen=0)
        self.tick()
        self.say()
        self.tick()
        return self

    def say(self, **told: Any) -> None:
        """A fresh report of the node's agent: by default that it trains as ordered."""
        now, machine = time.time(), self.machine
        order = self.site.tracker.observe("f").orders.get(machine.node)
        told = {"order_seen": order.number if order else 0, "receipt": None, **told}
        report = a_report(instance=machine.id, at=now, started_at=now - 60, **told)
        self._agent(machine).report(report)

    def save(self) -> Receipt:
        """The next checkpoint: its objects, its receipt, and the report that names it."""
        self._step += 100
        step = self._step
        prefix = f"runs/f/{RUN}/e000001-s{step:012d}"
        for name in ("data", "manifest.json"):
            self.site.store.put_new(f"{prefix}/{name}", b"{}")
        receipt = a_receipt(step, prefix=prefix, at=time.time())
        self._agent(self.machine).receive(receipt)
        self.say(step=step, receipt=receipt)
        return receipt

    def kept(self) -> set[str]:
        """The digests of the receipts that may be resumed from."""
        return {each.digest for each in self.site.tracker.receipts("f", RUN, 1000) if not each.pruned}

    def _agent(self, machine: Machine) -> NodeTracker:
        arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{machine.id}"
        return NodeTracker(DynamoTable(self._dynamodb, ground.TABLE, writer=arn), machine.node)

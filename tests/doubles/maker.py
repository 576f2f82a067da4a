"""Makes and ends machines with EC2 itself, where a test is about all else than Pulumi. No agent runs on them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lifecycle.adapters.aws.session import answers
from lifecycle.bootstrap.aws import Site
from lifecycle.model import tags
from lifecycle.model.errors import SteadyError
from lifecycle.model.fleet import Market
from lifecycle.model.ids import NodeName
from lifecycle.model.records import Placement
from lifecycle.model.world import Machine
from lifecycle.ports.provisioner import Outcome

_ONE_AT_A_TIME = threading.Lock()
"""As the lock of a stack."""


class Maker:
    """Implements `ports.provisioner.Provisioner`: one machine per incarnation, found again by its tags.

    `shared` names a file with what differs in what machines share, a line each.
    """

    def __init__(self, site: Site, image: str, shared: Path | None = None) -> None:
        self._site, self._image, self._shared = site, image, shared
        self._ec2: Any = site.session.client("ec2")
        self.asked: list[str] = []

    def converge(self, fleet: str, placements: Sequence[Placement]) -> Sequence[Outcome]:
        with _ONE_AT_A_TIME:
            listed = self._site.compute.machines(fleet)
            return list(self._each(listed, placements))

    def _each(self, listed: Sequence[Machine], placements: Sequence[Placement]) -> Iterator[Outcome]:
        for placement in placements:
            self.asked.append(placement.node)
            known = {machine.incarnation: machine for machine in listed if machine.node == placement.node}
            wanted = {placement.incarnation} if placement.present else set()
            try:
                for machine in known.values():
                    self._end_or_restore(machine, kept=machine.incarnation in wanted)
                if wanted - known.keys():
                    self._make(placement)
            except SteadyError as error:
                short = "InsufficientInstanceCapacity" in error.what
                lost = "does not answer:" in error.what
                yield Outcome(node=placement.node, error=error.what, no_capacity=short, uncertain=lost)
            else:
                yield Outcome(node=placement.node)

    def _end_or_restore(self, machine: Machine, *, kept: bool) -> None:
        if not machine.live:
            return
        with answers("EC2"):
            if not kept:
                self._ec2.terminate_instances(InstanceIds=[machine.id])
            elif machine.tags.get(tags.NAME) != machine.node:
                name = {"Key": tags.NAME, "Value": machine.node}
                self._ec2.create_tags(Resources=[machine.id], Tags=[name])

    def _make(self, placement: Placement) -> None:
        node = NodeName.parse(placement.node)
        named = {**tags.identity(self._site.foundation.owner, node, placement.incarnation), "Name": placement.node}
        spot = {"InstanceMarketOptions": {"MarketType": "spot"}} if placement.market is Market.SPOT else {}
        with answers("EC2"):
            self._ec2.run_instances(
                ImageId=self._image,
                MinCount=1,
                MaxCount=1,
                InstanceType=placement.instance_type,
                Placement={"AvailabilityZone": placement.zone},
                TagSpecifications=[
                    {"ResourceType": "instance", "Tags": [{"Key": k, "Value": v} for k, v in named.items()]}
                ],
                **spot,
            )

    def differences(self, fleet: str) -> Sequence[str]:
        return self._shared.read_text().splitlines() if self._shared and self._shared.exists() else ()

    def share(self, fleet: str) -> None:
        if self._shared is not None:
            self._shared.unlink()

    def dismantle(self, fleet: str) -> None: ...

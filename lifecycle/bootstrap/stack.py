"""Puts together what a fleet's Pulumi stack needs of us: its placements, and the last guard for its hooks."""

from __future__ import annotations

from collections.abc import Mapping

from lifecycle.adapters.aws.compute import Ec2Compute
from lifecycle.adapters.aws.session import Session
from lifecycle.adapters.aws.table import DynamoTable
from lifecycle.bootstrap.controller import who
from lifecycle.control.guard import LastGuard
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.records import Placement
from lifecycle.system.clock import SystemClock
from lifecycle.tracker.controller import ControllerTracker


class StackControl:
    """One fleet's records and machines, as the foundation's outputs name them."""

    def __init__(self, spec: FleetSpec, *, region: str, account: str, table: str, owner: str) -> None:
        session = Session(region, account)
        self._fleet = spec.fleet
        self._tracker = ControllerTracker(DynamoTable(session.client("dynamodb"), table))
        self.guard = LastGuard(
            spec.fleet,
            spec,
            tracker=self._tracker,
            compute=Ec2Compute(session, owner),
            clock=SystemClock(),
            by=f"pulumi ({who()})",
        )

    def placements(self) -> Mapping[str, Placement]:
        """What the controller decided so far. Raises Unreadable: then nothing may be previewed or changed."""
        return self._tracker.observe(self._fleet).placements

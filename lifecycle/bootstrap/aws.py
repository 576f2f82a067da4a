"""Puts together what reads and writes AWS for one foundation. The account is checked with the first client."""

from __future__ import annotations

from functools import cached_property

from lifecycle.adapters.aws.compute import Ec2Compute
from lifecycle.adapters.aws.objects import S3Store
from lifecycle.adapters.aws.prices import AwsPrices
from lifecycle.adapters.aws.session import Session
from lifecycle.adapters.aws.table import DynamoTable
from lifecycle.adapters.aws.wake import SqsWake
from lifecycle.control.guard import LastGuard
from lifecycle.control.observe import observe
from lifecycle.model.errors import Unreadable
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.foundation import Foundation
from lifecycle.model.world import Observed
from lifecycle.system.clock import SystemClock
from lifecycle.tracker.controller import ControllerTracker


class Site:
    """One foundation: its tracker, its machines and its store, each made when first used."""

    def __init__(self, foundation: Foundation) -> None:
        self.foundation, self.clock = foundation, SystemClock()
        self.session = Session(foundation.region, foundation.account)

    @cached_property
    def table(self) -> DynamoTable:
        return DynamoTable(self.session.client("dynamodb"), self.foundation.table)

    @cached_property
    def tracker(self) -> ControllerTracker:
        return ControllerTracker(self.table)

    @cached_property
    def compute(self) -> Ec2Compute:
        return Ec2Compute(self.session, self.foundation.owner, clock=self.clock)

    @cached_property
    def store(self) -> S3Store:
        client = self.session.client("s3")
        return S3Store(client, self.foundation.bucket, owner=self.foundation.account)

    @cached_property
    def prices(self) -> AwsPrices:
        return AwsPrices(self.session, self.clock)

    @cached_property
    def wake(self) -> SqsWake:
        return SqsWake(self.session, self.foundation.queue_url, self.clock)

    def seen(self, fleet: str) -> Observed:
        """The fleet's machines, known by our own records, with all else that is known. Raises Unreadable."""
        observed = observe(fleet, self.compute, self.tracker, self.clock.now())
        if observed.machines is None:
            raise Unreadable(f"{fleet}: the machines cannot be read: {observed.unreadable}", fix="try again")
        return observed

    def guard(self, fleet: str, spec: FleetSpec | None, by: str) -> LastGuard:
        """The last guard of one fleet, acting in the name of `by`."""
        return LastGuard(fleet, spec, tracker=self.tracker, compute=self.compute, clock=self.clock, by=by)

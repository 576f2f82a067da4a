"""Puts together what a fleet's stack needs: for people who type `pulumi up`, and for the controller's own updates.

Both run the same declaration with the same hooks. They differ in where the spec comes from, in whose name the
guard acts, and in that a person's update may have to raise incarnations that the controller has raised already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from lifecycle.adapters.aws import preflight
from lifecycle.bootstrap.aws import Site
from lifecycle.bootstrap.controller import leases_of, who
from lifecycle.control.guard import LastGuard
from lifecycle.control.operator import Operator
from lifecycle.control.register import Application, OfRecord, Register
from lifecycle.model.errors import SteadyError
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.foundation import Foundation
from lifecycle.model.records import Placement, SpecRecord
from lifecycle.model.world import Observed
from lifecycle.planning import renewal
from lifecycle.planning.settle import apply_facts, settle

Program = Callable[[], Awaitable[dict[str, Any]]]


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What a fleet's declaration is given."""

    foundation: Foundation
    record: SpecRecord
    """The spec of record, or the one that it will be."""
    placements: Mapping[str, Placement]
    kept: frozenset[str]
    guard: LastGuard
    register: Register | OfRecord

    @property
    def spec(self) -> FleetSpec:
        return self.record.spec


def by_hand(foundation: Foundation, application: Application, forms: Mapping[str, str]) -> Parts:
    """For a person's update. Raises SteadyError for all that would be refused later; writes nothing.

    `forms` tells for each node what a machine made now would be of.
    """
    site, spec = Site(foundation), application.spec
    register = Register(_operator(site), site.tracker, application)
    record = register.proposed()
    observed = _observed(site, spec.fleet)
    placements = renewal.renewed(spec, observed, forms, site.clock.now())
    return Parts(
        foundation=foundation,
        record=record,
        placements=placements,
        kept=renewal.kept(observed, placements),
        guard=site.guard(spec.fleet, spec, f"pulumi up by {who()}"),
        register=register,
    )


def faults(foundation: Foundation, spec: FleetSpec) -> Sequence[preflight.Wrong]:
    """What the spec names and AWS does not have. Raises SteadyError when the foundation is not as it says."""
    session = Site(foundation).session
    preflight.ground(session, foundation)
    return preflight.faults(session, spec)


def controller_program(site: Site) -> Callable[[str, frozenset[str]], Program]:
    """(fleet, nodes to register) -> the program of one of the controller's updates."""

    def program(fleet: str, nodes: frozenset[str]) -> Program:
        async def declared() -> dict[str, Any]:
            from stacks.program import fleet_of

            return await fleet_of(await asyncio.to_thread(_of_record, site, fleet, nodes), nodes)

        return declared

    return program


def _of_record(site: Site, fleet: str, nodes: frozenset[str]) -> Parts:
    """Read anew for each update. The record of a fleet that is to end still says what it is made of.

    Without nodes no machine is declared, and none is looked for.
    """
    record = site.tracker.spec(fleet)
    if record is None:
        raise SteadyError(f"no spec of {fleet} is applied", fix="`steady apply SPEC`, or `pulumi up`")
    observed = _observed(site, fleet) if nodes else Observed(fleet=fleet)
    return Parts(
        foundation=site.foundation,
        record=record,
        placements=observed.placements,
        kept=renewal.kept(observed, observed.placements),
        guard=site.guard(fleet, record.spec, "controller"),
        register=OfRecord(site.tracker, fleet),
    )


def _observed(site: Site, fleet: str) -> Observed:
    """The fleet with what can be told of it settled. Raises Unreadable: on half a view nothing is declared."""
    observed = site.seen(fleet)
    return apply_facts(observed, settle(observed, site.clock.now()))


def _operator(site: Site) -> Operator:
    leases = leases_of(site.table, site.clock)
    return Operator(tracker=site.tracker, leases=leases, compute=site.compute, clock=site.clock, who=who())

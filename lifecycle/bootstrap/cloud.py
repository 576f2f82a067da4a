"""What the operator's verbs use, put together for the fleets on one AWS foundation."""

from __future__ import annotations

from lifecycle.adapters.aws import preflight
from lifecycle.bootstrap.aws import Site
from lifecycle.bootstrap.controller import Control, leases_of, who
from lifecycle.control.loop import AWS, Controller
from lifecycle.control.operator import Operator
from lifecycle.control.upkeep import Upkeep
from lifecycle.model.foundation import Foundation
from lifecycle.model.journal import Entry, EntryKind
from lifecycle.ports.provisioner import Provisioner


def control(foundation: Foundation, provisioner: Provisioner | None = None) -> Control:
    """The fleets that stand on this foundation. Nothing is called before something is asked of it.

    Raises NotAuthorised when the credentials are missing, expired or of another account.
    """
    site = Site(foundation)
    leases = leases_of(site.table, site.clock)
    return Control(
        where=foundation.region,
        tracker=site.tracker,
        operator=Operator(tracker=site.tracker, leases=leases, compute=site.compute, clock=site.clock, who=who()),
        controller=Controller(
            tracker=site.tracker,
            leases=leases,
            compute=site.compute,
            provisioner=provisioner or pulumi(site),
            upkeep=Upkeep(site.tracker, site.store, site.clock),
            clock=site.clock,
            wake=site.wake,
            who=who(),
            pace=AWS,
            prices=site.prices,
        ),
        clock=site.clock,
        pace=AWS,
        foundation=foundation,
        ground=lambda fleet: _ground(site, fleet),
        faults=lambda spec: preflight.faults(site.session, spec),
    )


def _ground(site: Site, fleet: str) -> None:
    preflight.ground(site.session, site.foundation)
    at_home(fleet, site.foundation.region)


def at_home(fleet: str, region: str) -> None:
    """Raises GuardRefused when the fleet's stack is of another region, wherever it was applied from."""
    from lifecycle.adapters.pulumi import provisioner

    provisioner.at_home(fleet, region)


def pulumi(site: Site) -> Provisioner:
    """Machines by Pulumi, with the program that people run by hand."""
    from lifecycle.adapters.pulumi.provisioner import PulumiProvisioner
    from lifecycle.bootstrap.stack import controller_program
    from lifecycle.tracker import rows
    from lifecycle.tracker.updates import UpdateLog

    def tell(fleet: str, node: str | None, text: str) -> None:
        seen = Entry(at=site.clock.now(), kind=EntryKind.OBSERVED, what=text, node=node, cause="pulumi")
        site.tracker.journal(fleet, seen)

    return PulumiProvisioner(
        program=controller_program(site),
        machines=lambda fleet: site.seen(fleet).machines or (),
        staked=lambda fleet: site.table.get(fleet, rows.STACK, fleet) is not None,
        updates=UpdateLog(site.table),
        tell=tell,
        region=site.foundation.region,
        clock=site.clock,
    )

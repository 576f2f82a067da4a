"""The world of the pure tests of gangs: fleet `f`, pool `t`, nodes 0 to 2, machines m0 to m2, run `f.t.main`."""

from __future__ import annotations

from typing import Any

from lifecycle.model.fleet import FleetSpec
from lifecycle.model.gang import Member
from lifecycle.model.records import Attempt, Order, Outcome, Receipt, Report, Run
from lifecycle.model.states import Cause, RunState
from lifecycle.model.world import Machine, Observed
from tests.builders import (
    NOW,
    a_machine,
    a_placement,
    a_receipt,
    a_report,
    a_run,
    a_spec,
    an_assignment,
    an_attempt,
    an_end,
    an_idle_report,
    an_incarnation,
    an_order,
    but,
    nothing_yet,
)

GANG = "f.t.main"
NODES = ("f/t/0", "f/t/1", "f/t/2")


def a_gang_spec(**pool: Any) -> FleetSpec:
    return a_spec(**{"nodes": 3, "mode": "gang", **pool})


def a_whole(step: int = 100, **changes: Any) -> Receipt:
    return a_receipt(step, **{"run": GANG, **changes})


def members(**of: dict[str, Any]) -> tuple[Member, ...]:
    """The three ranks, still at work; `r1={...}` changes rank 1."""
    return tuple(Member(node=node, incarnation=1, **of.get(f"r{rank}", {})) for rank, node in enumerate(NODES))


def a_gang_attempt(spec: FleetSpec | None = None, **changes: Any) -> Attempt:
    """Attempt 1 on incarnation 1 of all three, under way."""
    return an_attempt(spec or a_gang_spec(), **{"run": GANG, "members": members(), **changes})


def a_gang_run(attempt: Attempt | None = None, **changes: Any) -> Run:
    return a_run(attempt or a_gang_attempt(), **{"run": GANG, "nodes": NODES, **changes})


def a_machine_of(rank: int, **changes: Any) -> Machine:
    return a_machine(**{"id": f"m{rank}", "node": NODES[rank], "address": f"10.0.0.{rank + 1}", **changes})


def an_order_of(rank: int, **changes: Any) -> Order:
    ordered = an_assignment(run=GANG, attempt=changes.pop("attempt", 1), rank=rank, count=3, nodes=NODES)
    return an_order(**{"node": NODES[rank], "assignment": ordered, **changes})


def at_work(rank: int, **changes: Any) -> Report:
    fields = {"node": NODES[rank], "instance": f"m{rank}", "run": GANG, "receipt": a_whole()}
    return a_report(**{**fields, **changes})


def at_rest(rank: int, **changes: Any) -> Report:
    return an_idle_report(**{"node": NODES[rank], "instance": f"m{rank}", **changes})


def ended(rank: int, outcome: Outcome = Outcome.STOPPED, **changes: Any) -> Report:
    """Its agent has said how the attempt ended there."""
    end = an_end(**{"run": GANG, "outcome": outcome, "receipt": a_whole(130), **changes})
    return at_rest(rank, ended=end)


def gang_trains(spec: FleetSpec | None = None, **changes: Any) -> Observed:
    """All three ranks train the first attempt."""
    spec = spec or a_gang_spec()
    ranks = range(len(NODES))
    fields = {
        "machines": tuple(a_machine_of(rank) for rank in ranks),
        "placements": {node: a_placement(node=node) for node in NODES},
        "incarnations": {(node, 1): an_incarnation(node=node, instance=f"m{i}") for i, node in enumerate(NODES)},
        "orders": {node: an_order_of(rank) for rank, node in enumerate(NODES)},
        "reports": {node: at_work(rank) for rank, node in enumerate(NODES)},
        "runs": {GANG: a_gang_run(a_gang_attempt(spec))},
    }
    return nothing_yet(spec, **{**fields, **changes})


def gang_rests(spec: FleetSpec | None = None, **changes: Any) -> Observed:
    """Attempt 1 has stopped with a whole checkpoint of step 100; every machine is idle and ready."""
    over = {"outcome": Outcome.STOPPED, "cause": Cause.OPERATOR}
    ranks = members(r0=over, r1=over, r2=over)
    done = a_gang_attempt(spec, members=ranks, to_step=100, receipt=a_whole(), ended_at=NOW - 60, **over)
    fields = {
        "runs": {GANG: a_gang_run(done, state=RunState.STOPPED)},
        "reports": {node: at_rest(rank) for rank, node in enumerate(NODES)},
        "receipts": {GANG: (a_whole(),)},
    }
    return gang_trains(spec, **{**fields, **changes})


def with_machine(observed: Observed, rank: int, **changes: Any) -> Observed:
    """The same world, but for this rank's machine."""
    machines = tuple(but(m, **changes) if m.node == NODES[rank] else m for m in observed.machines or ())
    return but(observed, machines=machines)


def with_report(observed: Observed, *reports: Report) -> Observed:
    return but(observed, reports={**observed.reports, **{report.node: report for report in reports}})

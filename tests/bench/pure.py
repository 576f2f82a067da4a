"""Planning alone: no process, no file."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from lifecycle.model.fleet import FleetSpec
from lifecycle.model.world import Observed
from lifecycle.planning.planner import plan
from lifecycle.planning.settle import settle
from tests.builders import (
    NOW,
    a_machine,
    a_placement,
    a_record,
    a_report,
    a_run,
    a_spec,
    an_assignment,
    an_attempt,
    an_incarnation,
    an_order,
)

NODES = 5000


def a_big_fleet(count: int) -> tuple[FleetSpec, Observed]:
    """`count` nodes that train, but for every tenth, which has lost its machine."""
    spec = a_spec(nodes=count)
    nodes = [f"f/t/{i}" for i in range(count)]
    runs = [f"f.t.main.{i}" for i in range(count)]
    observed = Observed(
        fleet="f",
        record=a_record(spec),
        machines=tuple(a_machine(id=f"m{i}", node=node) for i, node in enumerate(nodes) if i % 10),
        placements={node: a_placement(node=node) for node in nodes},
        incarnations={(node, 1): an_incarnation(node=node, instance=f"m{i}") for i, node in enumerate(nodes)},
        orders={
            node: an_order(node=node, assignment=an_assignment(run=run))
            for node, run in zip(nodes, runs, strict=True)
        },
        reports={
            node: a_report(node=node, instance=f"m{i}", run=run)
            for i, (node, run) in enumerate(zip(nodes, runs, strict=True))
        },
        runs={
            run: a_run(an_attempt(spec, run=run, node=node), run=run, nodes=(node,))
            for node, run in zip(nodes, runs, strict=True)
        },
    )
    return spec, observed


def bench(_: Path) -> Iterator[tuple[str, str, float, float, str]]:
    spec, observed = a_big_fleet(NODES)
    times = []
    for _round in range(7):
        began = time.perf_counter()
        settle(observed, NOW)
        plan(spec, observed, NOW)
        times.append(time.perf_counter() - began)
    yield f"settle and plan {NODES} nodes", "s", statistics.median(times), 0.5, "median of 7, in process"

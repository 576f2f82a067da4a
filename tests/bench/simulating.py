"""A thousand nodes for 72 hours of virtual time, with the production agents and a tick every ten minutes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from lifecycle.simulation.run import Pace, Rehearsal
from lifecycle.simulation.world import a_fleet

NODES, HOURS = 1000, 72.0


def bench(_: Path) -> Iterator[tuple[str, str, float, float, str]]:
    began = time.perf_counter()
    came = Rehearsal(a_fleet(NODES), pace=Pace(soonest=600.0, latest=600.0)).run(HOURS)
    how = f"{came.ticks} ticks, {came.interruptions} interruptions, trained {came.trained:.1%}"
    yield f"simulate {NODES} nodes for {HOURS:.0f} h", "s", time.perf_counter() - began, 120.0, how

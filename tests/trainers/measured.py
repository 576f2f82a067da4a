"""What came of it, as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tests.trainers.cells import Cell, Expected
from tests.trainers.environment import versions


class Stop(NamedTuple):
    """One stop, as it was seen. `fault` is what was wrong; empty: all was as promised."""

    fault: str = ""
    seconds: float = 0.0
    exit: str = ""


def table(measured: Mapping[Cell, Sequence[Stop]], day: str) -> str:
    rows = [
        f"{day}, {versions()}, CPU:",
        "",
        "| trainer | profile | ranks | loader workers | asked by | saved and resumed | exit | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*rows, *(_row(cell, stops) for cell, stops in measured.items())])


def _row(cell: Cell, stops: Sequence[Stop]) -> str:
    good = sum(not stop.fault for stop in stops)
    outcome = f"{good} of {len(stops)}"
    if cell.expected is Expected.TRAINS_ON:
        outcome = f"refused, trains on: {outcome}"
    exits = ", ".join(
        f"{code} ({count})" for code, count in Counter(stop.exit for stop in stops if stop.exit).items()
    )
    took = sorted(stop.seconds for stop in stops if stop.seconds)
    span = f"{took[0]:.1f} to {took[-1]:.1f}" if took else "-"
    asked = "notice" if cell.by_notice else "stop"
    columns = (cell.what, cell.profile, cell.ranks, cell.workers, asked, outcome, exits or "-", span)
    return f"| {' | '.join(str(column) for column in columns)} |"

"""`make bench`: every figure the README names, measured here and now.

Each is a median (or percentile) of several runs; the machine is shared, so read them as such.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from tests.bench import commands, listing, living, pure, replacing, reporting, simulating, transfers

Measured = Callable[[Path], Iterator[tuple[str, str, float, float, str]]]
"""(what, unit, seen, goal, note) for each figure of one bench."""

BENCHES: tuple[Measured, ...] = (
    pure.bench,
    simulating.bench,
    listing.bench,
    commands.bench,
    living.bench,
    replacing.bench,
    transfers.bench,
    reporting.bench,
)


def main() -> int:
    table = Table("figure", "goal", "seen", "", "how", box=box.SIMPLE_HEAD)
    missed = 0
    for bench in BENCHES:
        folder = Path(tempfile.mkdtemp(prefix="steady-bench-"))
        try:
            for what, unit, seen, goal, note in bench(folder):
                missed += seen > goal
                met = "met" if seen <= goal else "MISSED"
                table.add_row(what, f"≤ {goal:g} {unit}", f"{seen:.3g} {unit}", met, note)
                print(f"{what}: {seen:.3g} {unit} (goal {goal:g})", file=sys.stderr, flush=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    Console(width=118).print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

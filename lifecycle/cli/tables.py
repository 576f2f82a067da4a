"""Tables for people, by rich: the same on a terminal, in a log and on a narrow screen."""

from __future__ import annotations

import io
import json
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from lifecycle.model.quantities import spoken
from lifecycle.planning.cost import rate
from lifecycle.planning.ending import Ending
from lifecycle.planning.status import FleetStatus, NodeStatus, PoolCost

STYLES = {
    "training": "green",
    "completed": "green",
    "checkpointing": "yellow",
    "interrupted": "yellow",
    "starting": "yellow",
    "failed": "red",
}


def rendered(table: Table, *, color: bool) -> str:
    """The table as text; colour only where it is wanted and stdout is a terminal."""
    plain = Console(no_color=not color)
    width = plain.width if plain.is_terminal else 200
    console = Console(
        file=io.StringIO(), force_terminal=color and plain.is_terminal, no_color=not color, width=width
    )
    console.print(table)
    out = console.file
    assert isinstance(out, io.StringIO)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()).strip("\n")


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def status_table(status: FleetStatus) -> Table:
    """A row per node, worst first."""
    where = ("TYPE", "ZONE") if placed(status) else ()
    table = _table("NODE", "MARKET", *where, "STATE", "RUN", "STEP", "CHECKPOINT", "LOST", "CONDITIONS")
    for node in status.nodes:
        of_machine = (node.instance_type or "-", node.zone or "-") if where else ()
        table.add_row(node.node, node.market, *of_machine, *_node_row(node))
    return table


def cost_line(cost: PoolCost) -> str:
    """`cost of trainers: ~$9.20 of $900 so far, $1.21/h (prices 4m old)`."""
    of = "" if cost.total is None else f" of ${cost.total:g}"
    limit = "" if cost.limit_per_hour is None else f" of ${cost.limit_per_hour:g}/h"
    age = "" if cost.price_age_seconds is None else f" (prices {spoken(cost.price_age_seconds)} old)"
    spent = f"{'' if cost.exact else '~'}${cost.spent:.2f}{of}"
    return f"cost of {cost.pool}: {spent} so far, {rate(cost.per_hour)}{limit}{age}"


def placed(status: FleetStatus) -> bool:
    """Whether its machines differ in type and place: on this computer they do not."""
    return status.provider not in ("local", "")


def _node_row(node: NodeStatus) -> tuple[str, ...]:
    run, saved = node.run, node.checkpoint
    state = node.state if node.instance or node.state != "stopped" else "stopped (no machine)"
    return (
        state,
        (_styled(run.state) + (f", rank {run.rank} of {run.ranks}" if run.ranks else "")) if run else "-",
        str(run.step) if run and run.step is not None else "-",
        f"step {saved.step}, {spoken(saved.age_seconds)} ago" if saved else "-",
        str(run.lost_steps) if run else "-",
        "; ".join(f"{c.type}={c.status} {c.reason}: {c.message}" for c in node.conditions) or "-",
    )


def _styled(state: str) -> str:
    style = STYLES.get(state)
    return f"[{style}]{state}[/{style}]" if style else state


def runs_table(ending: Ending, *, color: bool) -> str:
    """How each run ended, with what the trainer left as its result."""
    table = _table("RUN", "STATE", "ATTEMPTS", "STEP", "LOST", "SPARED", "RESULT")
    for run in ending.runs:
        attempt = run.attempt
        table.add_row(
            run.run,
            _styled(run.state),
            str(attempt.number) if attempt else "0",
            str(attempt.to_step) if attempt and attempt.to_step is not None else "-",
            ", ".join(f"{steps} {cause}" for cause, steps in sorted(run.lost.items())) or "0",
            str(run.spared),
            _short(run.result),
        )
    return rendered(table, color=color)


def _short(result: Any) -> str:
    return "-" if result is None else json.dumps(result, separators=(", ", ": "))[:120]

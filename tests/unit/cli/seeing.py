"""Statuses with sound defaults, and pictures of them at any size."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from lifecycle.cli.picture import Picture
from lifecycle.model.records import Condition, Status
from lifecycle.planning.status import CheckpointStatus, FleetStatus, NodeStatus, RunStatus
from lifecycle.planning.watching import Sight
from tests.builders import NOW


def a_node(index: int = 0, *, run: RunStatus | None = None, **changes: Any) -> NodeStatus:
    """One that trains at step 1400 of 2000, saved 12 seconds ago."""
    fields = {
        "node": f"demo/trainers/{index}",
        "market": "spot",
        "instance_type": None,
        "zone": None,
        "state": "running",
        "incarnation": 1,
        "instance": f"m{index}",
        "run": run or going(index),
        "checkpoint": saved(12),
        "conditions": (),
    }
    return NodeStatus(**{**fields, **changes})


def going(index: int = 0, **changes: Any) -> RunStatus:
    fields = {
        "id": f"demo.trainers.main.{index}",
        "state": "training",
        "attempt": 1,
        "step": 1400,
        "total": 2000,
        "steps_per_second": 3.2,
        "seconds_left": 187.0,
        "lost_steps": 0,
        "rank": None,
        "ranks": None,
    }
    return RunStatus(**{**fields, **changes})


def saved(age: float, **changes: Any) -> CheckpointStatus:
    return CheckpointStatus(**{"step": 1380, "age_seconds": age, "verified": True, "digest": "d" * 64, **changes})


def a_condition(message: str = "silent for 40s", **changes: Any) -> Condition:
    fields = {
        "type": "Healthy",
        "status": Status.UNKNOWN,
        "reason": "AgentSilent",
        "message": message,
        "since": NOW,
    }
    return Condition(**{**fields, **changes})


def a_fleet(*nodes: NodeStatus, **changes: Any) -> FleetStatus:
    fields = {
        "fleet": "demo",
        "provider": "local",
        "generation": 1,
        "sentence": "as it is",
        "holds": (),
        "conditions": (),
        "pools": (),
        "costs": (),
        "nodes": nodes or (a_node(),),
    }
    return FleetStatus(**{**fields, **changes})


def a_sight(status: FleetStatus | None = None, **changes: Any) -> Sight:
    return Sight(**{"fleet": "demo", "status": status or a_fleet(), "at": NOW, **changes})


def drawn(
    *sights: Sight,
    width: int = 80,
    height: int = 24,
    news: tuple[str, ...] = (),
    now: float = NOW,
    plain: bool = True,
) -> list[str]:
    """The picture's lines; with `plain` False its colours are in them."""
    console = Console(width=width, height=height, force_terminal=not plain, no_color=plain, _environ={})
    with console.capture() as capture:
        console.print(Picture(sights, news, now))
    return [line.rstrip() for line in capture.get().splitlines()]

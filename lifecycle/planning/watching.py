"""A fleet that is looked at again and again: the last picture of it, what keeps the next one away, what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from lifecycle.model.plan import Plan
from lifecycle.model.quantities import spoken
from lifecycle.model.records import Condition
from lifecycle.model.world import Observed
from lifecycle.planning import holds, progress
from lifecycle.planning.status import FleetStatus, NodeStatus, fleet_status


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one fleet. `status` is of `at`; `trouble` says why there is no newer one."""

    fleet: str
    status: FleetStatus | None = None
    at: float = 0.0
    trouble: str = ""
    paces: progress.Paces = progress.NONE_YET


def after_look(sight: Sight, observed: Observed, plan: Plan, now: float) -> Sight:
    """One look later. A look that could not tell which machines there are leaves the last picture that could."""
    paces = progress.followed(sight.paces, observed, now)
    status = fleet_status(observed, plan, now, paces)
    if observed.machines is None and sight.status is not None:
        return msgspec.structs.replace(sight, trouble=status.sentence, paces=paces)
    return Sight(fleet=sight.fleet, status=status, at=now, paces=paces)


def after_fault(sight: Sight, fault: str) -> Sight:
    """A look that failed altogether."""
    return msgspec.structs.replace(sight, trouble=fault)


def age_in_words(sight: Sight, now: float) -> str:
    """What stands above a picture that could not be made anew; empty while it can."""
    if not sight.trouble:
        return ""
    if sight.status is None:
        return f"nothing is known yet: {sight.trouble}"
    return f"as it was {spoken(now - sight.at)} ago, nothing newer is known: {sight.trouble}"


def changes(before: FleetStatus | None, after: FleetStatus) -> Iterator[str]:
    """A line for each node that is not as it was, and the sentence when the fleet as a whole is not."""
    known = {node.node: node for node in before.nodes} if before else {}
    for node in after.nodes:
        if node.node not in known or _essence(known[node.node]) != _essence(node):
            yield node_in_words(node)
    for gone in sorted(known.keys() - {node.node for node in after.nodes}):
        yield f"{gone} is gone"
    if before is None or _whole(before) != _whole(after):
        yield f"{after.fleet}: {after.sentence}"
        yield from remarks(after)


def same(before: FleetStatus | None, after: FleetStatus) -> bool:
    """Whether only time has passed, and steps."""
    return next(changes(before, after), None) is None


def remarks(status: FleetStatus) -> Iterator[str]:
    """What is to be said of the fleet as a whole below its sentence; a hold of one node is said there."""
    held = {node.node for node in status.nodes if any(each.type == "Held" for each in node.conditions)}
    yield from (f"held: {holds.line(hold)}" for hold in status.holds if hold.node not in held)
    yield from (f"{each.reason}: {each.message}" for each in status.conditions)


def _essence(node: NodeStatus) -> Any:
    """What makes a change: not the passing of time, and no single step."""
    run = (node.run.state, node.run.attempt) if node.run else None
    saved = node.checkpoint.step if node.checkpoint else None
    notice = node.notice.cause if node.notice else None
    return node.state, node.instance, node.market, run, saved, notice, _known(node.conditions)


def _known(conditions: tuple[Condition, ...]) -> list[tuple[str, str, str]]:
    return [(each.type, each.status, each.reason) for each in conditions]


def _whole(status: FleetStatus) -> Any:
    return (
        status.generation,
        counted(status.nodes),
        sum(node.notice is not None for node in status.nodes),
        [hold.id for hold in status.holds],
        _known(status.conditions),
    )


def counted(nodes: tuple[NodeStatus, ...]) -> Counter[str]:
    """How many nodes are in which state: that of their runs, else their machines'."""
    return Counter(node.run.state if node.run else node.state for node in nodes)


def node_in_words(node: NodeStatus) -> str:
    """`f/t/0 running, training: attempt 2, step 40 of 200; saved at 40; spot notice: 8s left`."""
    parts = [f"{node.node} {node.state}"]
    if (run := node.run) is not None:
        step = "" if run.step is None else f", step {run.step}{f' of {run.total}' if run.total else ''}"
        parts[0] += f", {run.state}: attempt {run.attempt}{step}"
    if node.checkpoint:
        parts.append(f"saved at {node.checkpoint.step}")
    return "; ".join([*parts, *node_remarks(node)])


def node_remarks(node: NodeStatus) -> Iterator[str]:
    """What is out of the ordinary with a node, its notice first."""
    if node.notice is not None:
        left = node.notice.seconds_left
        yield f"{node.notice.cause} notice: {'no deadline' if left is None else f'{spoken(left)} left'}"
    yield from (f"{each.type}={each.status} {each.reason}: {each.message}" for each in node.conditions)

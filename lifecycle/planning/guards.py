"""Guards: what holds an action back, after the rules have spoken. Each names its override."""

from __future__ import annotations

import msgspec

from lifecycle.model.fleet import FleetSpec, Mode, Pool
from lifecycle.model.holds import Hold
from lifecycle.model.plan import Action, Claim, Converge, Kind, Plan, Refusal, Waiting
from lifecycle.model.states import Cause
from lifecycle.planning.moments import utc

BLAST_SHARE = 0.10


def suspended(plan: Plan, hold: Hold | None, *, leaving: bool = False) -> Plan:
    """A suspended fleet is observed, never touched: every action becomes a refusal, and so does its end."""
    if hold is None:
        return plan
    until = f" until {utc(hold.until)}" if hold.until is not None else ""
    held_back = [(action.kind, action.node) for action in plan.actions]
    held_back += [(Kind.DESTROY, plan.fleet)] if leaving else []
    refusals = tuple(
        Refusal(
            action=kind,
            node=node,
            guard="suspended",
            evidence=f"suspended by {hold.by}{until}: {hold.reason}",
            override=f"steady unsuspend {plan.fleet}",
        )
        for kind, node in held_back
    )
    return msgspec.structs.replace(plan, actions=(), late=(), labels=(), refusals=(*plan.refusals, *refusals))


def blast_limit(plan: Plan, nodes: int) -> Plan:
    """Of voluntary repairs, at most max(1, 10 %) of the nodes a tick; the rest waits for the next."""
    allowed = max(1, int(nodes * BLAST_SHARE))
    kept: list[Action] = []
    late: list[Action] = []
    for action in plan.actions:
        if _voluntary_repair(action) and allowed == 0:
            late.append(action)
            continue
        allowed -= _voluntary_repair(action)
        kept.append(action)
    turns = (
        Waiting(node=each.node, what=f"{each.kind}: its turn (at most {BLAST_SHARE:.0%} a tick)") for each in late
    )
    return msgspec.structs.replace(plan, actions=tuple(kept), waiting=(*plan.waiting, *turns), late=tuple(late))


def _voluntary_repair(action: Action) -> bool:
    in_place = action.kind in (Kind.UPDATE, Kind.ADOPT)
    disruptive = not in_place and any(isinstance(step, Claim | Converge) for step in action.steps)
    return action.reason.cause == Cause.DRIFT and disruptive


def unproven(before: FleetSpec | None, after: FleetSpec, plan: Plan) -> bool:
    """Whether the provider has to be asked for what a spec names: a machine is to be made, or it names new things.

    What a machine that stays was made of may be gone since.
    """
    if before is None or plan.makes or after.aws != before.aws:
        return True
    return any(
        name not in before.pools or _named(before.pools[name]) != _named(p) for name, p in after.pools.items()
    )


def _named(pool: Pool) -> tuple[object, ...]:
    return pool.image, pool.instance_types, pool.zones


def emptied(before: FleetSpec | None, after: FleetSpec) -> tuple[str, ...]:
    """The pools that a new spec would empty: `apply` refuses them without `--allow-empty`."""
    if before is None:
        return ()
    return tuple(
        name
        for name, pool in sorted(before.pools.items())
        if pool.nodes > 0 and (name not in after.pools or after.pools[name].nodes == 0)
    )


def resized(before: FleetSpec | None, after: FleetSpec) -> tuple[str, ...]:
    """The gangs that a new spec would go on with another number of ranks: `apply` refuses them.

    An emptied gang has nothing to go on with, and the guard of emptied pools speaks of it.
    """
    known = before.pools if before else {}
    changed = (name for name, pool in after.pools.items() if name in known and _resized(known[name], pool))
    return tuple(sorted(changed))


def _resized(before: Pool, after: Pool) -> bool:
    same_run = before.mode is after.mode is Mode.GANG and before.train.run == after.train.run
    return same_run and before.nodes != after.nodes and 0 not in (before.nodes, after.nodes)

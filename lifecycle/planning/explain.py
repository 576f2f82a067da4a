"""A plan in the words people read: observed drift, desired changes, actions, refusals, and one last line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from lifecycle.model.codec import plain
from lifecycle.model.errors import GuardRefused
from lifecycle.model.money import Price
from lifecycle.model.plan import SYMBOLS, Action, Converge, Drift, Kind, Plan, Refusal, Save, Waiting
from lifecycle.model.quantities import spoken
from lifecycle.model.records import Placement, Status
from lifecycle.planning import holds

_COUNTED = (Kind.CREATE, Kind.REPLACE, Kind.STOP, Kind.DESTROY)
_WHEN_ANY = (Kind.UPDATE, Kind.ADOPT, Kind.START, Kind.RESUME, Kind.SAVE)


def text(plan: Plan) -> str:
    """The whole plan as text; the last line is always the summary."""
    blocks = [
        _block("Observed drift", (_drift(d) for d in plan.drift if d.preexisting)),
        _block("Desired changes", (_drift(d) for d in plan.drift if not d.preexisting)),
        _block("Held", (f"   = {holds.line(hold)}" for hold in plan.holds)),
        _block("Actions", (_action(plan, action) for action in plan.actions)),
        _block("Refused", (_refusal(refusal) for refusal in plan.refusals)),
        _block("Under way", (_waiting(waiting) for waiting in plan.waiting)),
        _block("Saves on request", (_save(save) for save in plan.saves)),
    ]
    return "\n".join([*(block for block in blocks if block), summary(plan)])


def document(plan: Plan) -> dict[str, Any]:
    """The plan as the JSON document that scripts read (`specs/plan.schema.json`)."""
    return {
        "fleet": plan.fleet,
        "drift": [plain(drift) for drift in plan.drift],
        "holds": [plain(hold) for hold in plan.holds],
        "actions": [_action_document(plan, action) for action in plan.actions],
        "refusals": [plain(refusal) for refusal in plan.refusals],
        "waiting": [plain(waiting) for waiting in plan.waiting],
        "saves": [plain(save) for save in plan.saves],
        "summary": summary(plan),
    }


def _action_document(plan: Plan, action: Action) -> dict[str, Any]:
    made = _made(action)
    return {
        "kind": action.kind,
        "node": action.node,
        "instance_type": made.instance_type or None if made else None,
        "zone": made.zone or None if made else None,
        "reason": plain(action.reason),
        "lost_steps": action.lost_steps,
        "cost_per_hour": action.cost_per_hour,
        "price": _priced(action.price, plan.at),
    }


def _made(action: Action) -> Placement | None:
    """What the action's machine is made of, when this tick makes one."""
    if action.kind not in (Kind.CREATE, Kind.REPLACE):
        return None
    return next((step.placement for step in action.steps if isinstance(step, Converge)), None)


def for_node(plan: Plan, node: str) -> Plan:
    """The part of the plan that is about one node."""
    return msgspec.structs.replace(
        plan,
        drift=tuple(d for d in plan.drift if d.node == node),
        actions=tuple(a for a in plan.actions if a.node == node),
        refusals=tuple(r for r in plan.refusals if r.node == node),
        waiting=tuple(w for w in plan.waiting if w.node in (node, plan.fleet)),
    )


def raise_refusals(plan: Plan) -> None:
    """Raises GuardRefused, with the override of the first, when a guard held something back."""
    if not plan.refusals:
        return
    first = plan.refusals[0]
    more = f" (and {len(plan.refusals) - 1} more)" if len(plan.refusals) > 1 else ""
    raise GuardRefused(
        f"{first.node}: {first.action} refused by {first.guard}: {first.evidence}{more}",
        fix=first.override,
        about=first.guard,
    )


def summary(plan: Plan) -> str:
    """`Plan: 2 to create, 1 to replace, ... +$12.40/h, at most 4 steps lost.`"""
    counts = [f"{plan.count(kind)} to {kind}" for kind in _COUNTED]
    counts += [f"{plan.count(kind)} to {kind}" for kind in _WHEN_ANY if plan.count(kind)]
    steps = "step" if plan.lost_steps == 1 else "steps"
    return f"Plan: {', '.join(counts)}. {money(plan.cost_per_hour)}, at most {plan.lost_steps} {steps} lost."


def money(cost: float | None) -> str:
    """A change in dollars per hour: `+$12.40/h`; `$?/h` when a price is not known."""
    if cost is None:
        return "$?/h"
    return f"{'-' if cost < 0 else '+'}${abs(cost):.2f}/h"


def _priced(price: Price | None, now: float) -> dict[str, Any] | None:
    """Of the machine that is made or goes, and how old that knowledge is."""
    if price is None:
        return None
    return {"per_hour": price.dollars, "source": price.source, "age_seconds": round(price.age(now), 1)}


def _known(price: Price | None, now: float) -> str:
    return f" ({price.source}, {spoken(price.age(now))} old)" if price else ""


def _block(title: str, lines: Iterator[str]) -> str:
    found = list(lines)
    return "\n".join([title, *found, ""]) if found else ""


def _drift(drift: Drift) -> str:
    found = f"declared {drift.desired}, found {drift.actual}"
    return f"  {drift.node}  {drift.field}: {found} (policy: {drift.policy})"


def _action(plan: Plan, action: Action) -> str:
    lost = f"  at most {action.lost_steps} steps lost" if action.lost_steps else ""
    cost = "" if action.cost_per_hour == 0 else f"  {money(action.cost_per_hour)}{_known(action.price, plan.at)}"
    why = f"{action.reason.cause}: {action.reason.evidence}"
    return f"  {SYMBOLS[action.kind]:>2} {action.kind}  {action.node}{_of(action)}  {why}{lost}{cost}"


def _of(action: Action) -> str:
    """`  spot g5.2xlarge us-east-1a`, where the provider offers a choice."""
    made = _made(action)
    if made is None or not made.instance_type:
        return ""
    return "  " + " ".join(filter(None, (made.market, made.instance_type, made.zone)))


def _refusal(refusal: Refusal) -> str:
    return (
        f"   ! {refusal.action}  {refusal.node}  {refusal.guard}: {refusal.evidence}\n"
        f"     override: {refusal.override}"
    )


def _waiting(waiting: Waiting) -> str:
    return f"   … {waiting.node}  {waiting.what}"


def _save(save: Save) -> str:
    mark = "   ✓" if save.status is Status.TRUE and save.fits else "   !"
    return f"{mark} {save.pool}  CheckpointOnStop={save.status}: {save.message}"

"""What one rule says about one node."""

from __future__ import annotations

import msgspec

from lifecycle.model.plan import Action, Kind, Reason, Refusal, Step, Waiting
from lifecycle.planning import emptying
from lifecycle.planning.cost import NOTHING, Change
from lifecycle.planning.view import NodeView


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """At most one action, refusal or wait; all empty: the node is as it should be."""

    action: Action | None = None
    refusal: Refusal | None = None
    waiting: Waiting | None = None


SETTLED = Decision()


def act(
    view: NodeView,
    kind: Kind,
    reason: Reason,
    *steps: Step,
    lost: int = 0,
    change: Change = NOTHING,
    field: str = "",
) -> Decision:
    """The action, with these steps this tick. `field`: the drift that they put back for good."""
    return Decision(
        action=Action(
            kind=kind,
            node=view.node,
            reason=reason,
            steps=steps,
            lost_steps=lost,
            cost_per_hour=change.dollars,
            price=change.price,
            field=field,
        )
    )


def wait(view: NodeView, what: str, until: float | None = None) -> Decision:
    return Decision(waiting=Waiting(node=view.node, what=what, until=until))


def emptied_first(
    view: NodeView, kind: Kind, purpose: emptying.Purpose, reason: Reason, then: Decision
) -> Decision:
    """`then`, once the pass table lets the machine go; until then what the table asks for."""
    verdict = emptying.empty(view, purpose)
    if isinstance(verdict, emptying.Passed):
        return then
    if isinstance(verdict, emptying.Refused):
        return Decision(
            refusal=Refusal(
                action=kind,
                node=view.node,
                guard=verdict.guard,
                evidence=verdict.evidence,
                override=verdict.override,
            ),
            action=_train_on(view, verdict),
        )
    if verdict.steps:
        change = Change(then.action.cost_per_hour, then.action.price) if then.action else NOTHING
        return act(view, kind, reason, *verdict.steps, lost=view.unsaved_steps, change=change)
    return wait(view, f"{kind}: waits for {verdict.what}", verdict.until)


def _train_on(view: NodeView, refused: emptying.Refused) -> Action | None:
    """Gives the claim back, so that the agent's next attempt is not held up by it."""
    if not refused.steps:
        return None
    reason = Reason(cause="controller", evidence=f"its drain was refused: {refused.evidence}")
    return Action(kind=Kind.RESUME, node=view.node, reason=reason, steps=refused.steps)

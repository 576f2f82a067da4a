"""What hooks hold back: machines that may not go yet, and machines on which nothing may start.

The agent says how hooks ended; which ones it has is known from its order.
"""

from __future__ import annotations

import msgspec

from lifecycle.model.hooks import HookPoint
from lifecycle.model.plan import Instruct, Kind, Reason, Refusal
from lifecycle.model.records import Phase
from lifecycle.planning.decision import Decision, act, wait
from lifecycle.planning.view import NodeView


def under_way(view: NodeView) -> Decision | None:
    """A hook runs while nothing trains: whatever comes next waits for it."""
    if view.report is None or view.report.phase is not Phase.HOOKS:
        return None
    notice = view.report.notice
    return wait(view, f"its hook {view.report.hook or ''}".rstrip(), notice.deadline if notice else None)


def barred(view: NodeView) -> Decision | None:
    """A machine whose `post_start` failed: no attempt starts there."""
    found = view.report.hooks if view.report else ()
    failed = next((done for done in found if done.point is HookPoint.POST_START and done.blocks), None)
    if failed is None or view.pool is None:
        return None
    return Decision(
        refusal=Refusal(
            action=Kind.START,
            node=view.node,
            guard=f"hook {failed.point}",
            evidence=f"{failed.name} {failed.outcome}: {failed.detail}",
            override=f"fix the hook, then `steady replace {view.node}`",
        )
    )


def renewed(view: NodeView) -> Decision | None:
    """The spec's hooks changed: the agent learns them by its order, and its attempt goes on."""
    order = view.order
    if order is None or order.assignment is None or view.pool is None or order.assignment.hooks == view.pool.hooks:
        return None
    assignment = msgspec.structs.replace(order.assignment, hooks=view.pool.hooks)
    told = msgspec.structs.replace(order, number=order.number + 1, at=view.now, assignment=assignment)
    return act(view, Kind.UPDATE, Reason(cause="spec", evidence="its hooks changed"), Instruct(order=told))

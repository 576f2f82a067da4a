"""Rules about machines whose making or marking is in doubt: looked for, taken up, given their tags back.

Nothing here ends a machine or stops what trains on it.
"""

from __future__ import annotations

import msgspec

from lifecycle.model.fleet import DriftPolicy
from lifecycle.model.plan import Converge, Kind, Reason
from lifecycle.model.states import Cause, InstanceState
from lifecycle.planning import corrections, drift
from lifecycle.planning.decision import Decision, act, wait
from lifecycle.planning.view import NodeView

LISTED_WITHIN = 300.0
"""A machine whose creation had no answer is looked for by its tags for this long before it is tried again."""

ADOPT_AFTER = 30.0
"""Before that somebody may just be making the machine; a change that failed is tried again after as long."""


def unanswered(view: NodeView) -> Decision | None:
    """Nobody knows whether the newest incarnation was made: nothing is decided before its tags had time to show."""
    last = view.claims[-1] if view.claims else None
    if last is None or last.tried_at is None or last.instance or last.ended_at is not None:
        return None
    made = view.machine is not None and view.machine.incarnation >= last.number
    due = last.tried_at + LISTED_WITHIN
    if made or view.now >= due:
        return None
    return wait(view, f"its tags to show: whether incarnation {last.number} was made is not known", due)


def unadopted(view: NodeView) -> Decision | None:
    """A machine that is there, and that the provisioner may not know of: it takes it up as it is."""
    machine, claim = view.machine, view.claim
    if machine is None or claim is None or claim.tried_at is None or view.now < claim.tried_at + ADOPT_AFTER:
        return None
    reason = Reason(
        cause=Cause.CONTROLLER, evidence=f"{machine.id} is there, and its last change had no good answer"
    )
    return _in_place(view, Kind.ADOPT, reason)


def untaken(view: NodeView) -> Decision | None:
    """Until its adoption is due, such a machine is waited for by whoever has nothing else to say of the node."""
    machine, claim = view.machine, view.claim
    if machine is None or claim is None or claim.tried_at is None:
        return None
    due = claim.tried_at + ADOPT_AFTER
    return wait(view, f"{machine.id} to be taken up", due) if view.now < due else None


def retagged(view: NodeView) -> Decision | None:
    """Somebody changed the tags that say which node a machine fills."""
    restores = view.pool is not None and view.pool.drift.tags is DriftPolicy.RESTORE
    unknown = view.claim is not None and view.claim.tried_at is not None
    changed = drift.tags_changed(view)
    if not changed or not restores or unknown or "tags" in view.contested:
        return None
    if corrections.shown_by(view.put_back.get("tags"), None, view.now) is not None:
        return None
    wrong = ", ".join(sorted(changed))
    reason = Reason(cause=Cause.DRIFT, evidence=f"someone changed its tags: {wrong}")
    return _in_place(view, Kind.UPDATE, reason, "tags")


def _in_place(view: NodeView, kind: Kind, reason: Reason, field: str = "") -> Decision | None:
    """The machine's own placement once more; not while it may go, nor when that would be another machine's."""
    machine, wanted = view.machine, view.wanted
    assert machine is not None
    notice = view.report.notice if view.report else None
    leaves = notice is not None and notice.deadline is not None
    same = machine.market is wanted.market and (
        (wanted.instance_type or machine.instance_type, wanted.zone or machine.zone)
        == (machine.instance_type, machine.zone)
    )
    if machine.state is not InstanceState.RUNNING or leaves or not same:
        return None
    kept = msgspec.structs.replace(wanted, incarnation=machine.incarnation)
    return act(view, kind, reason, Converge(placement=kept), field=field)

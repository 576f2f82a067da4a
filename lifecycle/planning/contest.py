"""The fight detector: a field that was put back three times within an hour is somebody else's too.

It is left alone then, and shown with who changed it where the provider knows, until the first of the three is an
hour ago, the spec changes, or an operator says `steady start NODE`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from lifecycle.model.corrections import Correction
from lifecycle.model.fleet import DriftPolicy
from lifecycle.model.plan import Action, Converge, Drift, Kind, PowerOn, Refusal
from lifecycle.model.quantities import spoken
from lifecycle.model.records import Condition, Status
from lifecycle.planning.corrections import OFTEN, times
from lifecycle.planning.view import NodeView

GUARD = "contested"

_PUT_BACK = (DriftPolicy.RESTORE, DriftPolicy.REPLACE)
_KINDS = {"power": Kind.START, "tags": Kind.UPDATE}


def counted(drawn: Iterable[tuple[Action, NodeView]]) -> Iterator[Action]:
    """The actions with what is to be written down of those whose steps put a field right for good."""
    for action, view in drawn:
        field = _put_right(action)
        yield _counted(action, view, field) if field else action


def _put_right(action: Action) -> str:
    """Power is, whoever had switched it off: a list that is behind goes on to show it as off."""
    if any(isinstance(step, PowerOn) for step in action.steps):
        return "power"
    return action.field if any(isinstance(step, Converge) for step in action.steps) else ""


def _counted(action: Action, view: NodeView, field: str) -> Action:
    correction = Correction(
        node=view.node,
        field=field,
        at=view.now,
        times=times(view.put_back.get(field), view.now, generation=view.generation, once_more=bool(action.field)),
        generation=view.generation,
        said=view.machine.said if view.machine else "",
        off_at=view.machine.ended_at if view.machine else None,
    )
    return msgspec.structs.replace(action, correction=correction)


def refusals(view: NodeView, found: Iterable[Drift]) -> Iterator[Refusal]:
    """What is not as it should be, and is not put back any more."""
    for drift in found:
        ours = drift.field == "power" and not drift.preexisting
        if not ours and drift.field in view.contested and drift.policy in _PUT_BACK:
            yield Refusal(
                action=_KINDS.get(drift.field, Kind.REPLACE),
                node=view.node,
                guard=GUARD,
                evidence=_evidence(view, drift.field),
                override=f"steady start {view.node}",
            )


def conditions(view: NodeView) -> Iterator[Condition]:
    for field, correction in view.contested.items():
        yield Condition(
            type="Contested",
            status=Status.TRUE,
            reason="".join(word.capitalize() for word in field.split("_")),
            message=f"{_evidence(view, field)}; override: steady start {view.node}",
            since=correction.times[-1],
        )


def _evidence(view: NodeView, field: str) -> str:
    correction = view.contested[field]
    said = (view.machine.said if view.machine else "") or correction.said
    by = f"by: {said}" if said else "the provider does not say by whom"
    ago = spoken(max(0.0, view.now - correction.times[-1]))
    return (
        f"{field} was changed again and again ({by}); it was put back {OFTEN} times within an hour, last {ago} ago"
    )

"""`steady reconcile`: ticks without a person, from cron, CI or a loop."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from lifecycle.cli.context import Context
from lifecycle.cli.story import Story
from lifecycle.model.errors import LeaseHeld, SteadyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lifecycle.bootstrap.controller import Control
    from lifecycle.control.loop import Ticked
    from lifecycle.specfile import SpecFile


def reconcile_once(context: Context, control: Control, specs: Sequence[SpecFile]) -> int:
    """One tick per fleet. A tick that another controller holds is skipped: that is no fault."""
    worst = 0
    for spec in specs:
        worst = max(worst, _one(context, control, spec))
    return worst


def reconcile_every(context: Context, control: Control, specs: Sequence[SpecFile], every: float) -> int:
    """Ticks for ever, at least every `every` seconds, sooner when there is something to do."""
    story = Story(context, control)
    while True:
        for spec in specs:
            try:
                ticked = control.controller.tick(spec.spec.fleet, wait=0.0, upkeep=True)
            except LeaseHeld:
                continue
            story.tell(spec.spec.fleet)
            for error in ticked.record.errors:
                context.say(f"error: {error}")
        control.controller.pause(ticked.plan, every)


def _one(context: Context, control: Control, spec: SpecFile) -> int:
    fleet = spec.spec.fleet
    _tell_if_not_applied(context, control, spec)
    try:
        ticked = control.controller.tick(fleet, wait=0.0, upkeep=True)
    except LeaseHeld as held:
        context.say(f"{held.what}: skipped")
        return 0
    except SteadyError as error:
        _print(context, {"fleet": fleet, "converged": False, "actions": 0, "refused": 0, "errors": [error.what]})
        return error.exit_code
    _print(context, _summary(ticked))
    return 1 if ticked.record.errors else 0


def _tell_if_not_applied(context: Context, control: Control, spec: SpecFile) -> None:
    record = control.tracker.spec(spec.spec.fleet)
    if record is None:
        context.say(f"{spec.source}: SpecNotApplied: nothing is applied; `steady apply {spec.source}` does it")
    elif record.digest != hashlib.sha256(spec.text.encode()).hexdigest():
        context.say(f"{spec.source}: SpecNotApplied: it differs from generation {record.generation}, which counts")


def _summary(ticked: Ticked) -> dict[str, Any]:
    record = ticked.record
    return {
        "fleet": record.fleet,
        "converged": ticked.plan.settled and not ticked.plan.refusals and not record.errors,
        "actions": record.actions,
        "refused": record.refused,
        "errors": list(record.errors),
        "seconds": record.seconds,
    }


def _print(context: Context, summary: dict[str, Any]) -> None:
    """A machine-readable line per fleet, in text too."""
    if context.json:
        context.document(summary)
    else:
        context.show(" ".join(f"{name}={_word(value)}" for name, value in summary.items()))


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return str(len(value)) if not value else repr("; ".join(value))
    return str(value)

"""`steady reconcile`: ticks without a person, from cron, CI or a loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lifecycle.cli.context import Context
from lifecycle.cli.measured import Measured
from lifecycle.cli.notified import Notified
from lifecycle.cli.story import Story
from lifecycle.cli.views import Records
from lifecycle.model.errors import LeaseHeld, LostLease, SteadyError, WrongUsage
from lifecycle.model.plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lifecycle.bootstrap.controller import Control
    from lifecycle.control.loop import Ticked
    from lifecycle.specfile import SpecFile

    Teller = Callable[[str, Ticked | SteadyError], None]
    """What is told of a fleet's tick, or of the fault in its place."""


AT_THE_END, IN_A_LOOP = 15.0, 2.0
"""Seconds that sending may take: after a single tick, and before the next one of a loop."""


def reconcile_once(context: Context, specs: Sequence[SpecFile], measured: Measured, notified: Notified) -> int:
    """One tick per fleet, whatever became of the others. One that another controller holds is skipped: no fault."""
    worst = 0
    try:
        for spec in specs:
            with context.going_on(spec.spec.fleet):
                control = context.controls.of_spec(spec.spec, fresh=True)
                worst = max(worst, _one(context, control, spec, measured, notified))
    finally:
        measured.write(context)
    return max(worst, context.worst)


def reconcile_every(
    context: Context, specs: Sequence[SpecFile], every: float, measured: Measured, notified: Notified
) -> int:
    """Ticks for ever, at least every `every` seconds, sooner when there is something to do."""
    control = _only_one(context, specs)
    plans: dict[str, Plan] = {}
    tell = _records(context, control) if context.streams else _lines(context, Story(context, control))
    while True:
        for spec in specs:
            ticked = _tick_on(control, spec.spec.fleet, tell, measured)
            plans[spec.spec.fleet] = ticked.plan if ticked else Plan(fleet=spec.spec.fleet, generation=0)
            if ticked:
                notified.of(context, control, ticked, wait=IN_A_LOOP)
        measured.write(context)
        control.controller.pause(_soonest(plans), every)


def _only_one(context: Context, specs: Sequence[SpecFile]) -> Control:
    """Who acts on all of these. Raises WrongUsage for fleets of several places: one doorbell is listened to."""
    from lifecycle.bootstrap.controls import place_of

    if len({place_of(spec.spec) for spec in specs}) > 1:
        raise WrongUsage("these fleets are of several providers or regions", fix="run one `--every` for each")
    controls = [context.controls.of_spec(spec.spec, fresh=True) for spec in specs]
    return controls[0]


def _tick_on(control: Control, fleet: str, tell: Teller, measured: Measured) -> Ticked | None:
    """One tick of a loop that has to outlive every fault but its own: the next tick looks again."""
    try:
        ticked = measured.tick(control, fleet)
        tell(fleet, ticked)
    except (LeaseHeld, LostLease):
        return None
    except SteadyError as error:
        tell(fleet, error)
        return None
    return ticked


def _lines(context: Context, story: Story) -> Teller:
    """Talk for people: the news, and what went wrong."""

    def tell(fleet: str, found: Ticked | SteadyError) -> None:
        if isinstance(found, SteadyError):
            context.say(f"error: {fleet}: {found.what}")
            return
        story.tell(fleet)
        for failure in found.record.errors:
            context.say(f"error: {failure}")

    return tell


def _records(context: Context, control: Control) -> Teller:
    """A stream for programs: a record a tick, after the news that came before it."""
    records, story = Records(context, "reconcile", control.clock.now()), Story(context, control)

    def tell(fleet: str, found: Ticked | SteadyError) -> None:
        failed = isinstance(found, SteadyError)
        records.show([], () if failed else list(story.news(fleet)), control.clock.now())
        summary = _unticked(fleet, found.what) if isinstance(found, SteadyError) else _summary(found)
        records.tell("tick", control.clock.now(), **summary)

    return tell


def _soonest(plans: Mapping[str, Plan]) -> Plan:
    """What all fleets together wait for."""
    return Plan(
        fleet="",
        generation=0,
        actions=tuple(action for plan in plans.values() for action in plan.actions),
        waiting=tuple(waiting for plan in plans.values() for waiting in plan.waiting),
    )


def _one(context: Context, control: Control, spec: SpecFile, measured: Measured, notified: Notified) -> int:
    fleet = spec.spec.fleet
    if not _applied(context, control, spec):
        measured.look(control, fleet)
        _print(context, _unticked(fleet))
        return 0
    try:
        ticked = measured.tick(control, fleet)
    except LeaseHeld as held:
        context.say(f"{held.what}: skipped")
        return 0
    except SteadyError as error:
        _print(context, _unticked(fleet, error.what))
        return error.exit_code
    _print(context, _summary(ticked))
    notified.of(context, control, ticked, wait=AT_THE_END)
    return 1 if ticked.record.errors else 0


def _unticked(fleet: str, *errors: str) -> dict[str, Any]:
    return {
        "fleet": fleet,
        "converged": False,
        "actions": 0,
        "refused": 0,
        "errors": list(errors),
        "seconds": 0.0,
    }


def _applied(context: Context, control: Control, spec: SpecFile) -> bool:
    """Whether there is a spec of record to act on; says so where the file is not that one."""
    record = control.tracker.spec(spec.spec.fleet)
    if record is None:
        context.say(f"{spec.source}: SpecNotApplied: nothing is applied; `steady apply {spec.source}` does it")
    elif record.digest != spec.digest:
        context.say(f"{spec.source}: SpecNotApplied: it differs from generation {record.generation}, which counts")
    return record is not None


def _summary(ticked: Ticked) -> dict[str, Any]:
    record = ticked.record
    return {
        "fleet": record.fleet,
        "converged": ticked.plan.converged(record.errors),
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

"""Verbs that make a spec true: plan, apply, run, reconcile, destroy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lifecycle.cli.completion import SPEC_FILES
from lifecycle.cli.context import Context, global_options, options_with, pass_context

if TYPE_CHECKING:
    from lifecycle.bootstrap.controller import Control
    from lifecycle.model.plan import Plan
    from lifecycle.planning.adoption import Consent
    from lifecycle.planning.ending import Ending
    from lifecycle.specfile import SpecFile

SPEC = click.argument("spec", type=click.Path(path_type=Path), shell_complete=SPEC_FILES)
SPECS = click.argument(
    "specs", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="SPEC...", shell_complete=SPEC_FILES
)
NOTICE_SUMS = "a save under a spot notice"
YES = click.option("--yes", "-y", is_flag=True, help="Do not ask.")
ALLOW_EMPTY = click.option("--allow-empty", is_flag=True, help="A pool may lose all its nodes.")
TAKE_OVER = click.option("--take-over", is_flag=True, help="The fleet was applied from another file; take it.")
ROLLBACK = click.option("--rollback", is_flag=True, help="Go back to a text that was applied before.")
ACCEPT_UNPROVEN = click.option(
    "--accept-unproven", is_flag=True, help="Move to spot though nobody has seen the trainer save when asked."
)
TIMEOUT = click.option(
    "--timeout", type=float, default=900.0, show_default=True, help="Seconds to wait for the outcome."
)


@click.command()
@SPECS
@click.option(
    "--base",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="DIR",
    help="Compare with the same files below this checkout, as Markdown. Asks nobody: no credentials, no state.",
)
@click.option("--detailed-exitcode", is_flag=True, help="0 nothing to do, 1 error, 2 changes, 6 refused.")
@click.option(
    "--save", type=click.Path(path_type=Path), metavar="FILE", help="Keep the plan, for `apply SPEC FILE`."
)
@ALLOW_EMPTY
@TAKE_OVER
@ROLLBACK
@ACCEPT_UNPROVEN
@options_with("markdown")
@pass_context
def plan(
    context: Context,
    /,
    specs: tuple[Path, ...],
    base: Path | None,
    detailed_exitcode: bool,
    save: Path | None,
    **agreed: bool,
) -> int:
    """Show what apply would do. Changes nothing. Several specs, or a comment for a pull request: -o markdown."""
    from functools import partial

    from lifecycle.cli import reviews
    from lifecycle.model.errors import WrongUsage
    from lifecycle.planning.adoption import Consent

    consent, detailed = Consent(**agreed), detailed_exitcode
    if base is not None and (context.json or save is not None):
        raise WrongUsage(
            "a comparison with a base is Markdown of no real fleet", fix="leave -o json and --save out"
        )
    if base is not None:
        return reviews.show(context, specs, partial(reviews.against, base, consent=consent), detailed=detailed)
    if len(specs) > 1 and (context.output != "markdown" or save is not None):
        raise WrongUsage("one SPEC at a time", fix="plan several with -o markdown, and save them one by one")
    if context.output == "markdown":
        of_one = partial(reviews.of_the_fleet, context, consent=consent, kept=save)
        return reviews.show(context, specs, of_one, detailed=detailed)
    return _planned(context, specs[0], consent, save, detailed=detailed)


def _planned(context: Context, spec: Path, consent: Consent, kept: Path | None, *, detailed: bool) -> int:
    """Shows the plan; then raises GuardRefused where `apply` would."""
    from lifecycle.cli import saving
    from lifecycle.planning import explain
    from lifecycle.specfile import load

    found = load(spec)
    control = context.controls.of_spec(found.spec, read_only=True)
    observed, planned = control.controller.look(found.spec.fleet, found.spec, share=True)
    _warn(context, found, planned)
    _show_plan(context, planned)
    control.operator.check(found.spec, found.text, _source(found), consent)
    if kept is not None:
        saving.save(
            context, kept, saving.fresh(found, _source(found), observed, planned, control.clock.now()), spec
        )
    explain.raise_refusals(planned)
    return 2 if detailed and planned.actions else 0


def _source(found: SpecFile) -> Path:
    from lifecycle.specfile.source import recorded

    return Path(recorded(found.source, found.spec.provider))


@click.command()
@SPEC
@click.argument("planfile", type=click.Path(path_type=Path), required=False)
@YES
@ALLOW_EMPTY
@TAKE_OVER
@ROLLBACK
@ACCEPT_UNPROVEN
@TIMEOUT
@global_options
@pass_context
def apply(
    context: Context, /, spec: Path, planfile: Path | None, yes: bool, timeout: float, **consent: bool
) -> int:
    """Plan, ask, and act until every run trains or has ended. With a saved plan: only while it still holds."""
    found = loaded(context, spec)
    control = context.controls.of_spec(found.spec, fresh=True)
    if not _adopted(context, control, found, consent, yes=yes, planfile=planfile):
        return 1
    return _tick_until(context, control, found.spec.fleet, timeout, share=True)


def _adopted(
    context: Context,
    control: Control,
    found: SpecFile,
    agreed: dict[str, bool],
    *,
    yes: bool,
    planfile: Path | None = None,
) -> bool:
    """Makes the spec the spec of record, once its plan was shown and agreed to."""
    from lifecycle.cli import saving
    from lifecycle.planning.adoption import Consent
    from lifecycle.planning.guards import unproven

    control.ground(found.spec.fleet)
    source = _source(found)
    consent = Consent(**agreed)
    control.operator.check(found.spec, found.text, source, consent)
    observed, planned = control.controller.look(found.spec.fleet, found.spec, share=True)
    if planfile is not None:
        now = saving.fresh(found, source, observed, planned, control.clock.now())
        saving.must_hold(planfile, now, found.source)
    if unproven(observed.record.spec if observed.record else None, found.spec, planned):
        _can_be_made(control, found)
    if planned.actions:
        _show_plan(context, planned, talk=True)
        if not _agreed(context, yes):
            return False
    control.operator.adopt(found.spec, found.text, source, consent)
    return True


def _agreed(context: Context, yes: bool) -> bool:
    from lifecycle.model.errors import WrongUsage

    if yes:
        return True
    if not context.interactive:
        raise WrongUsage("nobody is here to ask", fix="pass --yes to apply without asking")
    return click.confirm("Do this?", err=True)


@click.command()
@SPEC
@YES
@ALLOW_EMPTY
@TAKE_OVER
@ROLLBACK
@ACCEPT_UNPROVEN
@options_with("ndjson")
@pass_context
def run(context: Context, /, spec: Path, yes: bool, **consent: bool) -> int:
    """Apply, then keep ticking until every run has ended. Ctrl-C saves and stops; twice leaves at once."""
    from lifecycle.cli.live import watch_to_the_end

    found = loaded(context, spec)
    control = context.controls.of_spec(found.spec, fresh=True)
    if not _adopted(context, control, found, consent, yes=yes):
        return 1
    return watch_to_the_end(context, control, found.spec.fleet)


@click.command()
@click.argument("specs", type=click.Path(path_type=Path), nargs=-1, required=True, shell_complete=SPEC_FILES)
@click.option("--once", is_flag=True, help="One tick per fleet, then exit.")
@click.option("--every", metavar="DURATION", help="Tick again and again, e.g. 30s.")
@click.option(
    "--metrics-file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a Prometheus textfile after each round, for node_exporter.",
)
@click.option(
    "--metrics-port",
    metavar="PORT",
    type=click.IntRange(1, 65535),
    help="With --every: serve metrics on 127.0.0.1:PORT.",
)
@click.option(
    "--notify",
    "targets",
    metavar="TARGET",
    multiple=True,
    envvar="STEADY_NOTIFY",
    help="Tell https://... or sns:arn:... what is worth waking a person for (env STEADY_NOTIFY, by blanks).",
)
@options_with("ndjson")
@pass_context
def reconcile(
    context: Context,
    specs: tuple[Path, ...],
    once: bool,
    every: str | None,
    metrics_file: Path | None,
    metrics_port: int | None,
    targets: tuple[str, ...],
) -> int:
    """Tick on the spec of record: the unattended entry point. Overlap is harmless."""
    from lifecycle.cli.measured import Measured
    from lifecycle.cli.notified import Notified
    from lifecycle.cli.unattended import reconcile_every, reconcile_once
    from lifecycle.model.errors import WrongUsage
    from lifecycle.specfile import load_all

    if once == (every is not None):
        raise WrongUsage("say how often", fix="pass either --once or --every 30s")
    if once and metrics_port is not None:
        raise WrongUsage("one tick serves nobody", fix="pass --metrics-file FILE, or --every 30s")
    if once and context.streams:
        raise WrongUsage("one tick is one document", fix="-o json, or --every 30s for a stream of records")
    if every is not None and context.json:
        raise WrongUsage("--every prints more than one document", fix="-o ndjson: a record a line")
    found, pause = load_all(specs), seconds(every) if every is not None else None
    notified = Notified(targets)
    measured = Measured(metrics_file, metrics_port)
    if pause is None:
        return reconcile_once(context, found, measured, notified)
    return reconcile_every(context, found, pause, measured, notified)


@click.command()
@SPEC
@YES
@TIMEOUT
@global_options
@pass_context
def destroy(context: Context, spec: Path, yes: bool, timeout: float) -> int:
    """Save and end every node of the fleet. Checkpoints and history are kept."""
    found = loaded(context, spec)
    control, fleet = context.controls.of_spec(found.spec, fresh=True), found.spec.fleet
    observed, _ = control.controller.look(fleet)
    live = [machine for machine in observed.machines or () if machine.live]
    if observed.record is None and not live:
        context.say(f"{fleet}: nothing to destroy")
        return 0
    context.say(f"{fleet}: {len(live)} machines will be saved and ended")
    if not _agreed(context, yes):
        return 1
    if control.operator.destroy(fleet) is None:
        context.say(f"{fleet}: not applied; `steady sweep` lists what is left of it")
        return 1
    return _tick_until(context, control, fleet, timeout)


def loaded(context: Context, path: Path) -> SpecFile:
    from lifecycle.specfile import load

    found = load(path)
    _warn(context, found, None)
    return found


def _warn(context: Context, found: SpecFile, planned: Plan | None) -> None:
    """The spec's own warnings, but for estimates in whose place something was measured."""
    measured = (
        [f"pools.{save.pool.partition('/')[2]}.checkpoint." for save in planned.saves if save.measured]
        if planned
        else []
    )
    for warning in found.warnings:
        if not warning.path.startswith(tuple(measured)) or not warning.message.startswith(NOTICE_SUMS):
            context.say(f"{warning} (warning)")


def _can_be_made(control: Control, found: SpecFile) -> None:
    """Raises SpecError, before anything is made, for what the provider does not have."""
    from lifecycle.model.errors import SpecError

    faults = tuple(found.fault(where, what) for where, what in control.faults(found.spec))
    if faults:
        raise SpecError(faults)


def _show_plan(context: Context, planned: Plan, *, talk: bool = False) -> None:
    from lifecycle.planning import explain

    if context.json:
        if not talk:
            context.document(explain.document(planned))
        return
    (context.say if talk else context.show)(explain.text(planned))


def _tick_until(context: Context, control: Control, fleet: str, timeout: float, *, share: bool = False) -> int:
    """Ticks until nothing is left to do, tells it meanwhile, and ends in the plan's last line or a refusal."""
    from lifecycle.cli.story import Story
    from lifecycle.control.loop import desired
    from lifecycle.planning import explain
    from lifecycle.planning.ending import ending
    from lifecycle.planning.status import fleet_status

    story = Story(context, control)
    ticked = control.controller.until(
        fleet, lambda ticked: ticked.plan.settled, timeout=timeout, seen=lambda _: story.tell(fleet), share=share
    )
    explain.raise_refusals(ticked.plan)
    if context.json:
        context.document(explain.document(ticked.plan))
    else:
        status = fleet_status(ticked.observed, ticked.plan, ticked.record.at)
        context.say(f"{fleet}: {status.sentence}")
        context.show(explain.summary(ticked.plan))
    raise_failed(ending(desired(ticked.observed.record), ticked.observed, ticked.record.at))
    return 0


def raise_failed(found: Ending) -> None:
    """Raises when runs have failed for good: PartlyDone when others have not."""
    from lifecycle.model.errors import PartlyDone, SteadyError

    if not found.failed:
        return
    names = ", ".join(run.run for run in found.failed)
    kind = SteadyError if len(found.failed) == len(found.runs) else PartlyDone
    raise kind(f"failed: {names}", fix=f"steady why {found.failed[0].nodes[0]}")


def seconds(text: str) -> float:
    """`30s` as a number. Raises WrongUsage."""
    from math import isfinite

    from lifecycle.model.errors import WrongUsage
    from lifecycle.model.quantities import Duration

    try:
        span = float(Duration.parse(text))
    except ValueError as error:
        raise WrongUsage(str(error), fix="write 30s, 10m or 2h") from None
    if not isfinite(span):
        raise WrongUsage(f"{text!r} never comes", fix="write 30s, 10m or 2h, or leave the option out")
    return span


COMMANDS = (plan, apply, run, reconcile, destroy)

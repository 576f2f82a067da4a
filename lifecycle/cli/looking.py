"""Verbs that look: status, why, history. They write nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lifecycle.cli.completion import ALL, FLEETS_OR_SPECS, NODES
from lifecycle.cli.context import Context, global_options, options_with, pass_context

if TYPE_CHECKING:
    from lifecycle.bootstrap.controller import Control
    from lifecycle.model.errors import SteadyError
    from lifecycle.model.journal import Entry
    from lifecycle.planning.history import RunShown
    from lifecycle.planning.status import FleetStatus

LAST_LINES = 3
"""Of a hook's output; `-o json` has all that was kept."""


@click.command()
@click.argument("fleet", required=False, metavar="[SPEC|FLEET]", shell_complete=FLEETS_OR_SPECS)
@click.option("--watch", "-w", is_flag=True, help="Look again and again, until Ctrl-C (exit code 130).")
@options_with("ndjson")
@pass_context
def status(context: Context, fleet: str | None, watch: bool) -> int:
    """One sentence, worst first, then a row per node."""
    _one_form(context, watch=watch)
    if watch:
        return _watch(context, fleet)
    shown = [_named(context, fleet)] if fleet else _everyones(context)
    if context.json:
        context.document({"fleets": shown})
    elif not shown and not context.worst:
        context.say(f"no fleets in {context.state}; `steady apply SPEC` makes one")
    for each in shown if not context.json else ():
        _print_status(context, each)
    return context.worst


def _one_form(context: Context, *, watch: bool) -> None:
    """Raises WrongUsage for a document that never ends, and for a stream that has one record."""
    from lifecycle.model.errors import WrongUsage

    if watch and context.json:
        raise WrongUsage("--watch prints more than one document", fix="-o ndjson: a record a line")
    if context.streams and not watch:
        raise WrongUsage("one look is one document", fix="-o json, or --watch for a stream of records")


def _watch(context: Context, name: str | None) -> int:
    """A fleet that is named has to be known; of all, places that cannot be opened are told and left out."""
    from lifecycle.cli.watching import Lookout, watch

    if name is not None:
        fleet, control = who_acts(context, name)
        if _status(control, fleet) is None:
            raise not_here(fleet)
        return watch(context, [Lookout(context, control, [fleet])])
    lookouts = []
    for place in context.controls.places():
        with context.going_on(place or str(context.state)):
            control = context.controls.at(place, read_only=True)
            if control.tracker.fleets():
                lookouts.append(Lookout(context, control))
    if not lookouts:
        context.say(f"no fleets in {context.state}; `steady apply SPEC` makes one")
    return watch(context, lookouts) if lookouts else context.worst


def _everyones(context: Context) -> list[FleetStatus]:
    """Every fleet of every place that is known here. A place that cannot be read is told, and gone on from."""
    shown: list[FleetStatus] = []
    for place in context.controls.places():
        with context.going_on(place or str(context.state)):
            control = context.controls.at(place, read_only=True)
            every = (_status(control, name) for name in control.tracker.fleets())
            shown += [found for found in every if found is not None]
    return shown


def _named(context: Context, name: str) -> FleetStatus:
    fleet, control = who_acts(context, name)
    found = _status(control, fleet)
    if found is None:
        raise not_here(fleet)
    return found


def who_acts(context: Context, name: str) -> tuple[str, Control]:
    """A fleet that is named, or by its spec file, and who looks at it. Raises SteadyError for a faulty spec."""
    from lifecycle.model.ids import NAME
    from lifecycle.specfile import load

    if NAME.fullmatch(name) and not Path(name).exists():
        return name, context.controls.of_fleet(name, read_only=True)
    spec = load(Path(name)).spec
    return spec.fleet, context.controls.of_spec(spec, read_only=True)


def not_here(fleet: str) -> SteadyError:
    from lifecycle.model.errors import SteadyError

    return SteadyError(f"no fleet {fleet!r} is applied here", fix="steady status lists the fleets; see --state")


def _status(control: Control, fleet: str) -> FleetStatus | None:
    """None: nobody has ever applied a fleet of this name."""
    from lifecycle.planning.status import fleet_status

    observed, plan = control.controller.look(fleet)
    known = observed.record is not None or observed.runs or any(m.live for m in observed.machines or ())
    return fleet_status(observed, plan, control.clock.now()) if known else None


def _print_status(context: Context, status: FleetStatus) -> None:
    from lifecycle.cli.tables import cost_line, rendered, status_table
    from lifecycle.planning.holds import line

    context.show(f"{status.fleet}: {status.sentence}")
    for hold in status.holds:
        context.show(f"held: {line(hold)}")
    for pool in status.pools:
        for condition in pool.conditions:
            context.show(f"{pool.pool}: {condition.type}={condition.status}: {condition.message}")
    for condition in status.conditions:
        context.show(f"{condition.reason}: {condition.message}")
    for cost in status.costs:
        if cost.spent or cost.per_hour != 0:
            context.show(cost_line(cost))
    if status.nodes:
        context.show(rendered(status_table(status), color=context.color))


@click.command()
@click.argument("node", shell_complete=NODES)
@click.option("--limit", default=60, show_default=True, help="How many entries to look back.")
@global_options
@pass_context
def why(context: Context, node: str, limit: int) -> int:
    """Cause, evidence, action and result, from the journal."""
    from lifecycle.model.errors import SteadyError
    from lifecycle.model.ids import NodeName

    name = NodeName.parse(node)
    control = context.controls.of_fleet(name.fleet, read_only=True)
    nodes = _trained_with(control, name.fleet, str(name))
    entries = _entries(control, name.fleet, nodes, limit)
    if not entries:
        raise SteadyError(f"nothing is recorded of {name}", fix=f"steady status {name.fleet}")
    if context.json:
        context.document({"node": str(name), "entries": list(entries)})
        return 0
    for entry in _told(entries, named=len(nodes) > 1):
        context.show(entry)
    _why_now(context, control, name.fleet, str(name))
    return 0


def _trained_with(control: Control, fleet: str, node: str) -> tuple[str, ...]:
    """The nodes of its gang; a node of its own alone."""
    runs = [run for run in control.tracker.observe(fleet).runs.values() if node in run.nodes]
    return max(runs, key=lambda run: run.since).nodes if runs else (node,)


def _entries(control: Control, fleet: str, nodes: tuple[str, ...], limit: int) -> tuple[Entry, ...]:
    """The last entries about any of these nodes, in the order in which they were written."""
    found = [place for node in nodes for place in control.tracker.news(fleet, node=node, limit=limit)]
    return tuple(entry for _, entry in sorted(found, key=lambda told: told[0])[-limit:])


def _told(entries: tuple[Entry, ...], *, named: bool = False) -> list[str]:
    """One line per action: an intent and its outcome are told together. Below a hook, its last lines."""
    from lifecycle.model.journal import EntryKind

    outcomes = {entry.op for entry in entries if entry.kind is EntryKind.OUTCOME}
    unfinished = [e for e in entries if e.kind is EntryKind.INTENT and e.op not in outcomes]
    lines = []
    for entry in entries:
        if entry.kind is EntryKind.INTENT and entry not in unfinished:
            continue
        result = "the controller was cut off here" if entry in unfinished else entry.result
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.at))
        parts = [part for part in (entry.cause, entry.evidence, entry.what, result) if part]
        where = f"{entry.node}  " if named else ""
        lines.append(f"{when}  {where}{' → '.join(parts)}")
        lines += [f"    | {said}" for said in entry.output.strip().splitlines()[-LAST_LINES:]]
    return lines


def _why_now(context: Context, control: Control, fleet: str, node: str) -> None:
    _, plan = control.controller.look(fleet)
    for refusal in plan.refusals:
        if refusal.node == node:
            context.show(f"now: {refusal.action} refused ({refusal.guard}): {refusal.evidence}")
            context.show(f"     override: {refusal.override}")
    for waiting in plan.waiting:
        if waiting.node == node:
            context.show(f"now: waits for {waiting.what}")


@click.command()
@click.argument("name", required=False, metavar="[NODE|RUN|FLEET]", shell_complete=ALL)
@global_options
@pass_context
def history(context: Context, name: str | None) -> int:
    """Attempts, checkpoints with their proof, hyperparameters, and steps lost by cause."""
    runs = list(_histories(context, name))
    if context.json:
        context.document({"runs": runs})
        return context.worst
    for run in runs:
        _print_history(context, run)
    return context.worst


def _histories(context: Context, name: str | None) -> Iterator[RunShown]:
    """Every run's, or those of a node, a run or a fleet: their names begin with the fleet's."""
    from lifecycle.model.errors import SteadyError

    if name is None:
        for place in context.controls.places():
            with context.going_on(place or str(context.state)):
                control = context.controls.at(place, read_only=True)
                yield from [run for fleet in control.tracker.fleets() for run in _runs(control, fleet)]
        return
    fleet = re.split("[/.]", name)[0]
    runs = _runs(context.controls.of_fleet(fleet, read_only=True), fleet)
    found = [run for run in runs if name in (fleet, run.run, *run.nodes)]
    if not found:
        raise SteadyError(f"no run of {name!r} is recorded here", fix="`steady history` lists all runs")
    yield from found


def _runs(control: Control, fleet: str) -> Iterator[RunShown]:
    from lifecycle.planning.history import runs_shown

    observed, _ = control.controller.look(fleet)
    return runs_shown(observed, control.tracker.past(fleet), control.clock.now())


def _print_history(context: Context, run: RunShown) -> None:
    lost = ", ".join(f"{steps} {cause}" for cause, steps in sorted(run.lost_steps.items())) or "none"
    bound = "" if run.lost_steps_exact else " (a lower bound: a sudden death)"
    context.show(f"{run.run}: {run.state}; steps lost: {lost}{bound}; spared by saves: {run.spared_steps}")
    context.show(f"  {_time_and_money(run)}")
    if run.hyperparameters:
        context.show(f"  hyperparameters: {run.hyperparameters}")
    for attempt in run.attempts:
        proof = attempt.receipt
        saved = f", checkpoint at step {proof.step} ({proof.digest[:12]})" if proof else ", no checkpoint"
        steps = f"steps {attempt.from_step or 0} to {attempt.to_step if attempt.to_step is not None else '?'}"
        ended = f"{attempt.outcome or 'under way'}{f' by {attempt.cause}' if attempt.cause else ''}"
        again = f", {attempt.lost_steps} of them again" if attempt.lost_steps else ""
        detail = f" [{attempt.detail}]" if attempt.detail else ""
        trained = attempt.ranks or (attempt,)
        machines = ", ".join(f"{each.node} (incarnation {each.incarnation})" for each in trained)
        where = f"{machines}, {attempt.market}"
        context.show(f"  attempt {attempt.attempt} on {where}: {ended}, {steps}{again}{saved}{detail}")


def _time_and_money(run: RunShown) -> str:
    """Where the time went, and what the machines cost; nothing is said of machines that cost nothing."""
    from lifecycle.model.quantities import spoken

    lost = ", ".join(f"{spoken(seconds)} {cause}" for cause, seconds in sorted(run.lost_seconds.items())) or "none"
    known = "" if run.cost_exact else "~"
    cost = f"; cost so far: {known}${run.cost:.2f}" if run.cost or known else ""
    return f"trained for {spoken(run.training_seconds)}; time lost: {lost}{cost}"


COMMANDS = (status, why, history)

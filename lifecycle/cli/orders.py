"""The operator's orders: checkpoint, stop, start, replace, terminate, suspend, unsuspend, allow-loss, sweep.

Each is recorded first, then ticked until its outcome: 6 when a guard refuses, 9 when time runs out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lifecycle.cli.completion import FLEETS, INSTANCES, NODES
from lifecycle.cli.context import Context, global_options, pass_context
from lifecycle.cli.moments import moment
from lifecycle.cli.moments import reason as reason_said
from lifecycle.cli.plans import seconds

if TYPE_CHECKING:
    from lifecycle.bootstrap.controller import Control
    from lifecycle.control.loop import Ticked
    from lifecycle.model.ids import NodeName
    from lifecycle.model.world import Machine

NODE = click.argument("node", shell_complete=NODES)
FLEET = click.argument("fleet", shell_complete=FLEETS)
REASON = click.option("--reason", required=True, callback=reason_said, help="Why; recorded and shown.")
TIMEOUT = click.option(
    "--timeout", type=float, default=600.0, show_default=True, help="Seconds to wait for the outcome."
)


def _named(node: str) -> NodeName:
    from lifecycle.model.ids import NodeName

    return NodeName.parse(node)


def _opened(context: Context, node: str) -> tuple[Control, NodeName]:
    name = _named(node)
    return context.controls.of_fleet(name.fleet), name


def _until_settled(context: Context, control: Control, node: NodeName, timeout: float) -> Ticked:
    """Ticks until nothing is left to do or to wait for about this node; raises on a refusal."""
    from lifecycle.cli.story import Story
    from lifecycle.planning.explain import for_node, raise_refusals

    story = Story(context, control)
    ticked = control.controller.until(
        node.fleet,
        lambda t: for_node(t.plan, str(node)).settled,
        timeout=timeout,
        seen=lambda _: story.tell(node.fleet),
    )
    raise_refusals(for_node(ticked.plan, str(node)))
    return ticked


@click.command()
@NODE
@REASON
@click.option("--for", "span", metavar="DURATION", help="Only for this long, e.g. 2h.")
@TIMEOUT
@global_options
@pass_context
def stop(context: Context, node: str, reason: str, span: str | None, timeout: float) -> int:
    """Save, then stop the node: on demand it keeps its disk, spot is ended and comes back anew."""
    from lifecycle.planning.moments import utc

    control, name = _opened(context, node)
    until = control.clock.now() + seconds(span) if span is not None else None
    control.operator.stop(name, reason, until)
    _until_settled(context, control, name, timeout)
    comes_back = f"it comes back at {utc(until)}, or by" if until else "it goes on by"
    context.show(f"{name}: stopped; {comes_back} `steady start {name}`")
    return 0


@click.command()
@NODE
@click.option("--resume", is_flag=True, help="Let its run go on, whatever policy or budget say.")
@TIMEOUT
@global_options
@pass_context
def start(context: Context, node: str, resume: bool, timeout: float) -> int:
    """Lift the node's holds and start it; what was contested is put back again."""
    control, name = _opened(context, node)
    control.operator.start(name, resume=resume)
    ticked = _until_settled(context, control, name, timeout)
    context.show(f"{name}: {_state(ticked, name)}{_held_back(ticked, name)}")
    return 0


def _held_back(ticked: Ticked, node: NodeName) -> str:
    """What still keeps its run from starting, with the word that lets it go on."""
    from lifecycle.control.loop import desired
    from lifecycle.planning.attempts import VerdictKind
    from lifecycle.planning.view import views

    for view in views(desired(ticked.observed.record), ticked.observed, ticked.record.at):
        if view.name == node and view.verdict.kind in (VerdictKind.ASK, VerdictKind.NEVER):
            return f"; {view.verdict.why}"
    return ""


def _state(ticked: Ticked, node: NodeName) -> str:
    from lifecycle.planning.status import fleet_status

    status = fleet_status(ticked.observed, ticked.plan, ticked.record.at)
    for shown in status.nodes:
        if shown.node == str(node):
            run = f", run {shown.run.state}" if shown.run else ""
            return f"{shown.state}{run}"
    return "not declared"


@click.command()
@NODE
@click.option("--reason", default="asked for", callback=reason_said, help="Why; recorded and shown.")
@TIMEOUT
@global_options
@pass_context
def replace(context: Context, node: str, reason: str, timeout: float) -> int:
    """Save, end the node's machine, and go on with a new one."""
    control, name = _opened(context, node)
    control.operator.replace(name, reason)
    ticked = _until_settled(context, control, name, timeout)
    context.show(f"{name}: replaced; {_state(ticked, name)}")
    return 0


@click.command()
@NODE
@REASON
@TIMEOUT
@global_options
@pass_context
def terminate(context: Context, node: str, reason: str, timeout: float) -> int:
    """Save, then end the node's machine; it stays away until `steady start`."""
    control, name = _opened(context, node)
    control.operator.terminate(name, reason)
    _until_settled(context, control, name, timeout)
    context.show(f"{name}: terminated; `steady start {name}` brings it back")
    return 0


@click.command()
@NODE
@TIMEOUT
@global_options
@pass_context
def checkpoint(context: Context, node: str, timeout: float) -> int:
    """Ask for a checkpoint now, and train on."""
    from lifecycle.cli.story import Story
    from lifecycle.model.errors import SteadyError

    control, name = _opened(context, node)
    save = control.operator.checkpoint(name)
    story = Story(context, control)

    def answered(ticked: Ticked) -> bool:
        report = ticked.observed.reports.get(str(name))
        return report is not None and report.saving != save and save in report.answered

    ticked = control.controller.until(name.fleet, answered, timeout=timeout, seen=lambda _: story.tell(name.fleet))
    receipt = ticked.observed.reports[str(name)].receipt
    if receipt is None or receipt.request != save:
        raise SteadyError(f"{name}: its trainer did not save", fix=f"it trains on; steady why {name}")
    context.show(f"{name}: checkpoint at step {receipt.step}, {receipt.size:,} bytes, {receipt.digest[:12]}")
    return 0


@click.command()
@FLEET
@REASON
@click.option(
    "--until", metavar="TIME", help="Until then, e.g. '2026-11-27 08:00', an RFC 3339 time, or 12h from now."
)
@global_options
@pass_context
def suspend(context: Context, fleet: str, reason: str, until: str | None) -> int:
    """Observe and alert only: nothing is made, stopped or ended."""
    from lifecycle.planning.moments import utc

    control = context.controls.of_fleet(fleet)
    end = moment(until, control.clock.now()) if until is not None else None
    control.operator.suspend(fleet, reason, end)
    context.show(f"{fleet}: suspended{f' until {utc(end)}' if end else ''}; `steady unsuspend {fleet}` lifts it")
    return 0


@click.command()
@FLEET
@global_options
@pass_context
def unsuspend(context: Context, fleet: str) -> int:
    """Act again, and count the launches of the hour anew."""
    lifted = context.controls.of_fleet(fleet).operator.unsuspend(fleet)
    context.show(f"{fleet}: {'no longer suspended' if lifted else 'was not suspended; the breaker counts anew'}")
    return 0


@click.command("allow-loss")
@click.argument("instance", shell_complete=INSTANCES)
@REASON
@global_options
@pass_context
def allow_loss(context: Context, instance: str, reason: str) -> int:
    """Let this one machine be ended without a save, once."""
    from lifecycle.model.errors import SteadyError

    for place in context.controls.places():
        with context.going_on(place or str(context.state)):
            machine = _allowed(context.controls.at(place), instance, reason)
            if machine is not None:
                context.show(f"{machine.node}: {instance} may be ended without a save, once")
                return 0
    raise SteadyError(f"{instance} is no live machine of ours", fix="steady status -o json names the machines")


def _allowed(control: Control, instance: str, reason: str) -> Machine | None:
    """The machine, when it is one of this place's and the loss is now allowed."""
    for fleet in control.tracker.fleets():
        observed, _ = control.controller.look(fleet)
        if any(machine.id == instance and machine.live for machine in observed.machines or ()):
            return control.operator.allow_loss(fleet, instance, reason)
    return None


@click.command()
@click.option("--yes", "-y", is_flag=True, help="End what is listed.")
@global_options
@pass_context
def sweep(context: Context, yes: bool) -> int:
    """List machines that are provably ours and belong to no node; end them with --yes."""
    for place in context.controls.places():
        with context.going_on(place or str(context.state)):
            _swept(context, context.controls.at(place), yes)
    return context.worst


def _swept(context: Context, control: Control, yes: bool) -> None:
    for fleet in control.tracker.fleets():
        found = control.operator.strays(fleet)
        for stray in found:
            note = f"left alone: {stray.spared}" if stray.spared else "may be ended"
            context.show(f"{stray.machine.id}  {stray.machine.node}  {note}")
        for machine in control.operator.sweep(fleet, found) if yes else ():
            context.show(f"{machine.id}  ended")


COMMANDS = (checkpoint, stop, start, replace, terminate, suspend, unsuspend, allow_loss, sweep)

"""`steady local ...`: what a spot market, a broken host or a person in the console would do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from lifecycle.cli.context import Context, global_options, pass_context
from lifecycle.cli.orders import NODE, _named
from lifecycle.cli.plans import seconds

if TYPE_CHECKING:
    from lifecycle.model.ids import NodeName
    from lifecycle.ports.provider import Console


@click.group()
def local() -> None:
    """The local provider's console: acts behind the controller's back."""


def _console(context: Context, node: NodeName) -> Console:
    from lifecycle.model.errors import WrongUsage

    control = context.controls.of_fleet(node.fleet)
    if control.console is None:
        where = f"on AWS ({control.where})" if control.foundation else f"of {control.where}"
        raise WrongUsage(
            f"{node.fleet} is {where}; `steady local` acts on machines of this computer",
            fix="use the provider's own console; on AWS, FIS can send a spot machine its notice",
        )
    return control.console


@local.command()
@NODE
@click.option("--lead", metavar="DURATION", help="From the notice to the machine's end.  [default: 2m]")
@click.option("--cause", type=click.Choice(["spot", "rebalance", "maintenance"]), default="spot", show_default=True)
@global_options
@pass_context
def notice(context: Context, node: str, lead: str | None, cause: str) -> int:
    """Give the node's machine a notice."""
    from lifecycle.model.states import Cause

    name = _named(node)
    given = _console(context, name).notice(name, Cause(cause), seconds(lead) if lead else None)
    due = time.strftime("%H:%M:%S", time.localtime(given.deadline)) if given.deadline else "no deadline"
    context.show(f"{node}: {cause} notice given ({due})")
    return 0


@local.command()
@NODE
@global_options
@pass_context
def kill(context: Context, node: str) -> int:
    """Break the node's machine: processes and disk are gone at once."""
    name = _named(node)
    machine = _console(context, name).kill(name)
    context.show(f"{node}: {machine.id} is gone")
    return 0


@local.command()
@NODE
@global_options
@pass_context
def stop(context: Context, node: str) -> int:
    """Stop the node's machine as a person in the console would."""
    name = _named(node)
    machine = _console(context, name).stop(name)
    context.show(f"{node}: {machine.id} is stopping")
    return 0

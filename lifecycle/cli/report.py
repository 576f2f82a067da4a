"""`steady report`: one page of a fleet, for whoever was not there."""

from __future__ import annotations

from pathlib import Path

import click

from lifecycle.cli.completion import FLEETS_OR_SPECS
from lifecycle.cli.context import Context, global_options, pass_context
from lifecycle.cli.looking import not_here, who_acts

STDOUT = Path("-")


@click.command()
@click.argument("fleet", metavar="SPEC|FLEET", shell_complete=FLEETS_OR_SPECS)
@click.option(
    "--to", metavar="FILE", type=click.Path(path_type=Path), required=True, help="The page to write; - is stdout."
)
@global_options
@pass_context
def report(context: Context, fleet: str, to: Path) -> int:
    """Write one offline page: timeline of every node, checkpoints, causes, cost."""
    from lifecycle.control.retrospect import look_back
    from lifecycle.report.page import page

    _must_be_a_file(to)
    name, control = who_acts(context, fleet)
    found = look_back(name, control.controller, control.tracker, control.clock)
    if found is None:
        raise not_here(name)
    text = page(found)
    if to == STDOUT:
        context.show(text)
        return 0
    _write(to, text.encode())
    context.say(f"Wrote {to} ({len(text.encode()) / 1000:,.0f} kB): {name}, {found.status.sentence}")
    return 0


def _must_be_a_file(to: Path) -> None:
    """Said before anything is read."""
    from lifecycle.model.errors import WrongUsage

    if to.is_dir():
        raise WrongUsage(f"{to} is a directory", fix=f"name a file, e.g. --to {to / 'report.html'}")


def _write(to: Path, data: bytes) -> None:
    """Whole or not at all."""
    from lifecycle.model.errors import SteadyError
    from lifecycle.system.files import write_whole

    try:
        write_whole(to, data)
    except OSError as error:
        raise SteadyError(f"{to}: {error.strerror}", fix="choose a place you may write to") from None

"""`steady completion`, and what a shell completes: verbs and options by click, names from the state directory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, suppress
from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class, shell_complete

from lifecycle.cli import names
from lifecycle.cli.context import Context, from_environment, global_options

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]
Source = Callable[[Path], Iterator[str]]

VARIABLE = "_STEADY_COMPLETE"


def named(*sources: Source, specs: bool = False) -> Completer:
    """Completes names from these, and with `specs` the spec files and directories that begin so."""

    def complete(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        found = _files(incomplete) if specs else []
        state = ctx.ensure_object(Context).state
        for source in sources:
            with suppress(Exception):  # a fault of the state directory is not told here
                found += [CompletionItem(name) for name in names.beginning(source(state), incomplete)]
        return found

    return complete


def _files(incomplete: str) -> list[CompletionItem[str]]:
    """Spec files; where there are none, the shell offers directories."""
    folder, _, begun = incomplete.rpartition("/")
    place = Path(f"{folder}/" if "/" in incomplete else ".")
    with suppress(OSError):
        here = sorted(path.name for path in place.iterdir() if path.suffix in (".yaml", ".yml"))
        prefix = incomplete.removesuffix(begun)
        files = [CompletionItem(prefix + name) for name in here if name.startswith(begun)]
        return [CompletionItem(incomplete, type="dir"), *files]
    return []


SPEC_FILES = named(specs=True)
FLEETS = named(names.fleets)
NODES = named(names.nodes)
INSTANCES = named(names.instances)
FLEETS_OR_SPECS = named(names.fleets, specs=True)
ALL = named(names.fleets, names.nodes, names.runs)


def answered(command: click.Command, asked: str) -> int:
    """What a shell asks for (`bash_complete`), on stdout; nothing at all when anything is amiss."""
    with suppress(Exception), Path(os.devnull).open("w") as nowhere, redirect_stderr(nowhere):
        return shell_complete(command, {"obj": from_environment()}, "steady", VARIABLE, asked)
    return 1


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@global_options
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script by which a shell completes verbs, options, spec files and live names."""
    made = get_completion_class(shell)
    assert made is not None  # click knows these three
    click.echo(made(ctx.find_root().command, {}, "steady", VARIABLE).source())

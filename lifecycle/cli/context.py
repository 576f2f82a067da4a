"""What every verb shares: the global options, before or after the verb, and the way to print."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from lifecycle.bootstrap.controls import Controls

F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Context:
    """The global options as given, and the worst exit code of what was told and gone on from."""

    state: Path = Path(".steady")
    region: str | None = None
    output: str = "text"
    color: bool = True
    worst: int = 0

    @property
    def json(self) -> bool:
        return self.output == "json"

    @property
    def streams(self) -> bool:
        """Records as they come, a line each."""
        return self.output == "ndjson"

    @property
    def controls(self) -> Controls:
        """Finds who acts on a fleet."""
        from lifecycle.bootstrap.controls import Controls

        return Controls(self.state, region=self.region, fallback=os.environ.get("STEADY_REGION"))

    @contextmanager
    def going_on(self, where: str) -> Iterator[None]:
        """A fault inside is told with its fix, and kept for the exit code; what comes after goes on."""
        from lifecycle.cli.told import in_lines
        from lifecycle.model.errors import SteadyError

        try:
            yield
        except SteadyError as error:
            self.say(in_lines(error, f"{where}: "))
            self.worst = max(self.worst, error.exit_code)

    def say(self, text: str) -> None:
        """Talk: to stderr."""
        click.echo(text, err=True)

    def show(self, text: str) -> None:
        """Data: to stdout."""
        click.echo(text)

    def document(self, value: Any) -> None:
        """One JSON document on stdout; it starts with its version."""
        import msgspec

        from lifecycle.model.codec import plain

        body = {"version": 1, **plain(value)}
        click.echo(msgspec.json.format(msgspec.json.encode(body), indent=2).decode())

    def record(self, value: Any) -> None:
        """One JSON record of a stream on stdout, on a line of its own; it is there when this returns."""
        import msgspec

        from lifecycle.model.codec import plain

        click.echo(msgspec.json.encode(plain(value)).decode())

    @property
    def interactive(self) -> bool:
        """A person watches: a live table and questions make sense."""
        return sys.stdin.isatty() and sys.stderr.isatty() and self.output == "text"


pass_context = click.make_pass_decorator(Context, ensure=True)


def _set(field: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def callback(ctx: click.Context, _: click.Parameter, value: Any) -> None:
        if value is not None:
            setattr(ctx.ensure_object(Context), field, value)

    return callback


def _one_of(forms: tuple[str, ...]) -> Callable[[click.Context, click.Parameter, Any], None]:
    """A form that was named before the verb has to be one that the verb prints."""

    def callback(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
        context = ctx.ensure_object(Context)
        context.output = value or context.output
        if context.output not in forms:
            raise click.BadParameter(f"this verb does not print {context.output}", ctx=ctx, param=param)

    return callback


def _colorless(ctx: click.Context, _: click.Parameter, off: bool | None) -> None:
    if off:
        ctx.ensure_object(Context).color = False


def global_options(command: F) -> F:
    """Adds --state, --region, -o and --no-color; a value after the verb wins over one before it."""
    return options_with()(command)


def options_with(*forms: str) -> Callable[[F], F]:
    """The global options of a verb that prints these forms beside text and JSON."""
    options = _options(("text", "json", *forms))
    return lambda command: functools.reduce(lambda decorated, option: option(decorated), options, command)


def _options(forms: tuple[str, ...]) -> list[Callable[[Any], Any]]:
    options = [
        click.option(
            "--state",
            type=click.Path(path_type=Path, file_okay=True),
            expose_value=False,
            callback=_set("state"),
            help="State directory (env STEADY_STATE, default .steady).",
        ),
        click.option(
            "--region",
            metavar="REGION",
            expose_value=False,
            callback=_set("region"),
            help="The AWS region of a fleet that was not used from here before (env STEADY_REGION).",
        ),
        click.option(
            "-o",
            "--output",
            type=click.Choice(forms),
            expose_value=False,
            callback=_one_of(forms),
            help="How data is printed.",
        ),
        click.option(
            "--no-color",
            is_flag=True,
            flag_value=True,
            default=None,
            expose_value=False,
            callback=_colorless,
            help="No colour (also NO_COLOR).",
        ),
    ]
    return options[::-1]


def from_environment() -> Context:
    """The defaults that the environment sets."""
    state = os.environ.get("STEADY_STATE")
    return Context(state=Path(state) if state else Path(".steady"), color="NO_COLOR" not in os.environ)

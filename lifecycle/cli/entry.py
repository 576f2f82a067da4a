"""`steady`: the program. Errors become one line and one line of what to do; no traceback reaches a user."""

from __future__ import annotations

import os
import sys

import click

from lifecycle import __version__
from lifecycle.cli import completion, doctor, local, looking, orders, plans, rehearse, report, specs
from lifecycle.cli.context import from_environment, options_with
from lifecycle.cli.told import in_lines
from lifecycle.model.errors import SpecError, SteadyError

EPILOG = """\b
Exit codes: 0 done; 1 error; 2 changes (plan --detailed-exitcode); 3 not authorised;
4 another writer is at work; 5 partly done; 6 a guard refused; 9 timed out; 64 wrong usage.
More of each: specs/errors.md#exit-codes
"""


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="steady")
@options_with("markdown", "ndjson")
def steady() -> None:
    """Keep a declared training fleet running, cheap on spot, without losing work."""


for command in (
    *specs.COMMANDS,
    *plans.COMMANDS,
    *looking.COMMANDS,
    *orders.COMMANDS,
    completion.completion,
    doctor.doctor,
    rehearse.rehearse,
    report.report,
    local.local,
):
    steady.add_command(command)


def main(argv: list[str] | None = None) -> int:
    """Runs one command line and returns its exit code."""
    if asked := os.environ.get(completion.VARIABLE):
        return completion.answered(steady, asked)
    try:
        code = steady.main(argv, prog_name="steady", standalone_mode=False, obj=from_environment())
        return code if isinstance(code, int) else 0
    except click.UsageError as error:
        return _usage(error)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except SteadyError as error:
        return _steady(error)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _bug(error)


def _usage(error: click.UsageError) -> int:
    command = error.ctx.command_path if error.ctx else "steady"
    click.echo(f"error: {error.format_message()}\nfix: {command} --help", err=True)
    return 64


def _steady(error: SteadyError) -> int:
    if os.environ.get("STEADY_DEBUG") == "1":
        raise error
    if isinstance(error, SpecError):
        for fault in error.faults:
            click.echo(str(fault), err=True)
    click.echo(in_lines(error), err=True)
    return error.exit_code


def _bug(error: Exception) -> int:
    if os.environ.get("STEADY_DEBUG") == "1":
        raise error
    told = SteadyError(
        f"steady has a bug: {type(error).__name__}: {error}",
        fix="run it again with STEADY_DEBUG=1 and report what it prints; machines were left as they are",
        about="bug",
    )
    click.echo(in_lines(told), err=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())

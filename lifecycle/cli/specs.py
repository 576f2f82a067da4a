"""Verbs about spec files: init, validate. Offline, and without a state directory."""

from __future__ import annotations

from pathlib import Path

import click

from lifecycle.cli.completion import SPEC_FILES
from lifecycle.cli.context import Context, global_options, pass_context

_LOCAL = """\
# yaml-language-server: $schema={schema}
version: 1
fleet: {fleet}
provider: local            # this computer; or `aws`, with the same pools
pools:
  trainers:
    nodes: 1
    market: spot           # spot | on_demand
    train:
      command: [{command}]      # an argument vector, never a shell line
    checkpoint:
      directory: checkpoints           # below $STEADY_RUN_DIR; write aside, then rename: step-000120
      every: 10m
"""

_AWS = """\
# yaml-language-server: $schema={schema}
version: 1
fleet: {fleet}
provider: aws
region: {region}
pools:
  trainers:
    nodes: 1
    market: spot           # spot | on_demand
    instance_types: [{types}]
    zones: [{region}a, {region}b]
    image: {image}      # put your image here
    train:
      command: [{command}]      # an argument vector, never a shell line
      workdir: /opt/train
    checkpoint:
      every: 10m
      size: 12GiB          # an estimate; a save under a spot notice has two minutes
"""

_BLANKS = {
    "command": "python, train.py",
    "region": "us-east-1",
    "types": "g5.2xlarge, g6.2xlarge",
    "image": "ami-00000000",
}
"""What is written where nobody was asked, or pressed Enter."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
@click.option("--provider", type=click.Choice(["local", "aws"]), help="Where it runs.  [default: local]")
@global_options
@pass_context
def init(context: Context, file: Path | None, provider: str | None) -> None:
    """Write a short commented spec; on a terminal, without arguments, ask for what matters. Starts nothing."""
    from lifecycle.cli.questions import answers
    from lifecycle.specfile.shape import schema_file

    asking = context.interactive and file is None and provider is None
    file = file or Path("fleet.yaml")
    if file.exists():
        raise _there(file)
    provider, said = answers(_BLANKS) if asking else (provider or "local", _BLANKS)
    template = _LOCAL if provider == "local" else _AWS
    fleet = _fleet_name(file)
    _write(file, template.format(fleet=fleet, schema=schema_file(), **said))
    context.say(f"Wrote {file} (fleet {fleet}, one {provider} node). Nothing was started.")
    first = "" if asking else "put your trainer in `train.command`, then "
    context.say(f"Next: {first}`steady doctor {file}` and `steady plan {file}`.")


def _write(file: Path, text: str) -> None:
    """Never over a file, also one that came meanwhile."""
    from lifecycle.model.errors import SteadyError

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x") as opened:
            opened.write(text)
    except FileExistsError:
        raise _there(file) from None
    except OSError as error:
        raise SteadyError(f"{file}: {error.strerror}", fix="choose a place you may write to") from None


def _there(file: Path) -> Exception:
    from lifecycle.model.errors import SteadyError

    return SteadyError(f"{file} exists already", fix="choose another name, or edit it")


def _fleet_name(file: Path) -> str:
    """The file's name as a fleet's: lower case, letters first."""
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in file.stem.lower()).strip("-")
    return kept[:40].rstrip("-") if kept[:1].isalpha() else "fleet"


@click.command()
@click.argument("specs", type=click.Path(path_type=Path), nargs=-1, required=True, shell_complete=SPEC_FILES)
@click.option("--strict", is_flag=True, help="Warnings are errors.")
@global_options
@pass_context
def validate(context: Context, specs: tuple[Path, ...], strict: bool) -> int:
    """Check specs: schema and meaning. Offline."""
    from lifecycle.model.errors import SpecError
    from lifecycle.specfile import load_all

    loaded = load_all(specs)
    warnings = tuple(warning for spec in loaded for warning in spec.warnings)
    if warnings and strict:
        raise SpecError(warnings, fix="mend the warnings, or leave --strict out")
    for warning in warnings:
        context.say(f"{warning} (warning)")
    if context.json:
        context.document({"valid": [str(path) for path in specs], "warnings": [str(w) for w in warnings]})
    for spec in loaded if not context.json else ():
        nodes = sum(pool.nodes for pool in spec.spec.pools.values())
        context.show(f"{spec.source}: ok (fleet {spec.spec.fleet}, {nodes} nodes, {spec.spec.provider})")
    return 0


COMMANDS = (init, validate)

"""Verbs about spec files: init, validate. Offline, and without a state directory."""

from __future__ import annotations

from pathlib import Path

import click

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
      command: [python, train.py]      # an argument vector, never a shell line
    checkpoint:
      directory: checkpoints           # below $STEADY_RUN_DIR; write aside, then rename: step-000120
      every: 10m
"""

_AWS = """\
# yaml-language-server: $schema={schema}
version: 1
fleet: {fleet}
provider: aws
region: us-east-1
pools:
  trainers:
    nodes: 1
    market: spot           # spot | on_demand
    instance_types: [g5.2xlarge, g6.2xlarge]
    zones: [us-east-1a, us-east-1b]
    image: ami-00000000      # put your image here
    train:
      command: [python, train.py]      # an argument vector, never a shell line
      workdir: /opt/train
    checkpoint:
      every: 10m
      size: 12GiB          # an estimate; a save under a spot notice has two minutes
"""


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), default="fleet.yaml")
@click.option("--provider", type=click.Choice(["local", "aws"]), default="local", show_default=True)
@global_options
@pass_context
def init(context: Context, file: Path, provider: str) -> None:
    """Write a short commented spec. Starts nothing."""
    from lifecycle.model.errors import SteadyError
    from lifecycle.specfile.shape import schema_file

    fleet = _fleet_name(file)
    text = (_LOCAL if provider == "local" else _AWS).format(fleet=fleet, schema=schema_file())
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x") as opened:
            opened.write(text)
    except FileExistsError:
        raise SteadyError(f"{file} exists already", fix="choose another name, or edit it") from None
    except OSError as error:
        raise SteadyError(f"{file}: {error.strerror}", fix="choose a place you may write to") from None
    context.say(f"Wrote {file} (fleet {fleet}, one {provider} node). Nothing was started.")
    context.say(f"Next: put your trainer in `train.command`, then `steady plan {file}`.")


def _fleet_name(file: Path) -> str:
    """The file's name as a fleet's: lower case, letters first."""
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in file.stem.lower()).strip("-")
    return kept[:40].rstrip("-") if kept[:1].isalpha() else "fleet"


@click.command()
@click.argument("specs", type=click.Path(path_type=Path), nargs=-1, required=True)
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

"""What `steady init` asks on a terminal. Enter takes the default; an answer that does not fit is asked for anew."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable, Mapping

import click

_IMAGE = re.compile(r"ami-[0-9a-f]{8,17}")
_TYPE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9-]+")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")


def answers(blanks: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The provider, and each of `blanks` as it is to be written into the spec."""
    provider = click.prompt("Where does it run", type=click.Choice(["local", "aws"]), default="local", err=True)
    told = {**blanks, "command": _asked("What command trains", "python train.py", _command)}
    if provider == "aws":
        here = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or blanks["region"]
        told["region"] = _asked("Region", here, _region)
        told["types"] = _asked("Instance types, the best first", blanks["types"], _types)
        told["image"] = _asked("Machine image", blanks["image"], _image)
    return provider, told


def _asked(question: str, default: str, written: Callable[[str], str]) -> str:
    found: str = click.prompt(question, default=default, value_proc=written, err=True)
    return found


def _command(text: str) -> str:
    """`python train.py --lr 0.1` as an argument vector. JSON's strings are YAML's."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise click.UsageError(f"{text!r} is no command: {error}") from None
    if not words:
        raise click.UsageError("a command has at least one word")
    return ", ".join(map(json.dumps, words))


def _region(text: str) -> str:
    if not _REGION.fullmatch(text):
        raise click.UsageError(f"{text!r} is not a region such as us-east-1")
    return text


def _types(text: str) -> str:
    types = [name for name in re.split(r"[,\s]+", text) if name]
    if not types or not all(_TYPE.fullmatch(name) for name in types):
        raise click.UsageError(f"{text!r} is not a list of types such as g5.2xlarge, g6.2xlarge")
    return ", ".join(dict.fromkeys(types))


def _image(text: str) -> str:
    if not _IMAGE.fullmatch(text):
        raise click.UsageError(f"{text!r} is not an image such as ami-0abc1234def567890")
    return text

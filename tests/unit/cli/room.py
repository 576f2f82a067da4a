"""A fleet that is applied on paper: its record stands, and no machine was made."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from lifecycle.bootstrap import controller
from lifecycle.cli.entry import main
from lifecycle.specfile import load

SPEC = """\
version: 1
fleet: f
provider: local
pools:
  t:
    market: on_demand
    train: {command: [python, train.py]}
"""
EMPTY = SPEC.replace("    market", "    nodes: 0\n    market")
SPOT = SPEC.replace("on_demand", "spot")


class Done(NamedTuple):
    code: int
    out: str
    err: str


class Room:
    """A state directory in which SPEC is applied and nothing was made yet, and the file that says so."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.spec, self._capsys = folder, folder / "f.yaml", capsys
        self.write(SPEC)
        found = load(self.spec)
        controller.local(folder / "state").operator.adopt(found.spec, found.text, self.spec.absolute())

    def write(self, text: str) -> Room:
        self.spec.write_text(text)
        return self

    def steady(self, *arguments: str) -> Done:
        code = main(["--state", str(self.folder / "state"), *arguments])
        return Done(code, *self._capsys.readouterr())

    def plan(self, *arguments: str) -> Done:
        return self.steady("plan", *arguments, str(self.spec))

"""`.pre-commit-hooks.yaml`: what pre-commit asks of such a file, and its command on files."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import yaml

from lifecycle.cli.entry import main

ROOT = Path(__file__).parents[2]
(HOOK,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())


def test_the_hook_says_what_pre_commit_needs_and_nothing_that_it_does_not_know() -> None:
    assert set(HOOK) == {"id", "name", "description", "entry", "language", "types", "files"}
    assert (HOOK["language"], HOOK["types"]) == ("python", ["yaml"])


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("specs/a.yaml", True), ("specs/a.yml", True), ("specs/b/a.yaml", False), ("a.yaml", False)],
)
def test_it_looks_at_spec_files(name: str, wanted: bool) -> None:
    assert bool(re.search(HOOK["files"], name)) is wanted


@pytest.mark.parametrize(("spec", "code"), [("examples/demo.yaml", 0), ("invalid/market-misspelt.yaml", 1)])
def test_its_command_judges_the_files_that_follow(spec: str, code: int) -> None:
    program, *arguments = shlex.split(HOOK["entry"])
    assert program == "steady"
    assert main([*arguments, str(ROOT / "specs" / spec)]) == code

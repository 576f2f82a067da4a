"""A confined process writes below its folder only, and so does what it starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.doubles import confined

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(not confined.available(), reason="this kernel has no Landlock")


def tried(folder: Path, line: str) -> int:
    """The exit code of the shell's line, confined to the folder."""
    command = [sys.executable, "-m", "tests.doubles.confined", str(folder), "sh", "-c", line]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True).returncode


@pytest.mark.parametrize("line", ["echo 1 > {inside}/a && mv {inside}/a {inside}/b", "cat {outside}/f > /dev/null"])
def test_it_writes_inside_and_reads_everywhere(tmp_path: Path, line: str) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "f").write_text("as it was")
    assert tried(inside, line.format(inside=inside, outside=outside)) == 0


@pytest.mark.parametrize("line", ["echo 1 > {0}/f", ": > {0}/g", "rm {0}/f", "mkdir {0}/d", "mv {0}/f {0}/h"])
def test_it_changes_nothing_outside(tmp_path: Path, line: str) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "f").write_text("as it was")
    assert tried(inside, line.format(outside)) != 0
    assert [(file.name, file.read_text()) for file in outside.iterdir()] == [("f", "as it was")]

"""`make mutants`: takes each guard away in a copy of the tree, and sees a test fail. Exit 1 when one lives on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from tests.mutants.guards import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
COPIED = ("lifecycle", "specs", "stacks", "tests", ".ci", ".github")
FAILED = re.compile(r"^FAILED tests/(\S+)", re.MULTILINE)
PASSED, SOME_FAILED = 0, 1
"""Exit codes of pytest; with any other nothing was shown."""


def mutated(text: str, mutant: Mutant) -> str:
    """The text without the guard. Raises ValueError when an edit does not stand there exactly once."""
    for old, new in mutant.edits:
        if text.count(old) != 1:
            raise ValueError(f"{mutant.file}: stands there {text.count(old)} times, not once: {old.strip()!r}")
        text = text.replace(old, new)
    return text


def main(words: list[str]) -> int:
    """Tries the mutants whose guard contains one of the words; all without words."""
    chosen = [mutant for mutant in MUTANTS if not words or any(word in mutant.guard for word in words)]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        tree = _copy(Path(folder))
        print(f"{len(chosen)} mutants; first, their tests pass on the tree as it is", flush=True)
        done = _pytest(tree, sorted({killer for mutant in chosen for killer in mutant.killers}))
        if done.returncode != PASSED:
            print(done.stdout)
            return 1
        survived = [mutant.guard for mutant in chosen if not _killed(tree, mutant)]
    print(f"{len(chosen) - len(survived)} of {len(chosen)} killed")
    return 1 if survived else 0


def _copy(folder: Path) -> Path:
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ROOT.iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    return folder


def _killed(tree: Path, mutant: Mutant) -> bool:
    began, file = time.monotonic(), tree / mutant.file
    before = file.read_text()
    try:
        file.write_text(mutated(before, mutant))
        done = _pytest(tree, mutant.killers)
    except ValueError as gone:
        return _told("NO LONGER APPLIES", mutant, str(gone), began)
    finally:
        file.write_text(before)
    by = FAILED.search(done.stdout)
    if done.returncode != SOME_FAILED or by is None:
        return _told("SURVIVED", mutant, ", ".join(mutant.killers), began)
    _told("killed", mutant, by[1], began)
    return True


def _told(what: str, mutant: Mutant, why: str, began: float) -> bool:
    print(f"{what:<9} {time.monotonic() - began:5.1f}s  {mutant.guard:<68} {why}", flush=True)
    return False


def _pytest(tree: Path, killers: Iterable[str]) -> subprocess.CompletedProcess[str]:
    """The tests, in the copy and of the copy. Bytecode is not kept: an edit may leave size and second alike."""
    named = [f"tests/{killer}" for killer in killers]
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:xdist", "--tb=no", *named]
    env = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

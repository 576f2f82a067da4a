"""The mutants of `make mutants` still fit the code: a guard that moved is not one that is no longer tried."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants.__main__ import mutated
from tests.mutants.guards import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]


def test_there_are_as_many_guards_as_were_promised() -> None:
    assert len({mutant.guard for mutant in MUTANTS}) == len(MUTANTS) >= 15


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.guard)
def test_every_edit_applies_once_and_leaves_a_module(mutant: Mutant) -> None:
    before = (ROOT / mutant.file).read_text()
    after = mutated(before, mutant)
    assert ast.dump(ast.parse(after)) != ast.dump(ast.parse(before))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.guard)
def test_every_test_that_is_to_notice_is_there(mutant: Mutant) -> None:
    for killer in mutant.killers:
        file, _, name = killer.partition("::")
        named = name.rpartition("::")[2]
        said = (ROOT / "tests" / file).read_text() + _contracts()
        assert not named or f"def {named}(" in said, killer


def _contracts() -> str:
    """Classes of tests that others inherit."""
    shared = [*(ROOT / "lifecycle/contract").glob("*.py"), *(ROOT / "tests/contracts").glob("*.py")]
    return "".join(path.read_text() for path in shared)

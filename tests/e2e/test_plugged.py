"""`provider: paper`: a package of somebody else's supplies the machines; commands and tracker are ours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.packages import example, installed
from tests.e2e.stage import Stage

ROOT = Path(__file__).parents[2]


class PluggedStage(Stage):
    """The fleet `f`, with a folder of packages that its commands find."""

    provider = "paper"

    @property
    def provided(self) -> dict[str, Any]:
        return {"provider": self.provider}

    @property
    def env(self) -> dict[str, str]:
        return {**super().env, "PYTHONPATH": os.pathsep.join([str(ROOT), str(self.folder / "site")])}

    def sheets(self) -> list[str]:
        return sorted(path.name for path in (self.state / "providers/paper/provider").glob("[!.]*"))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[PluggedStage]:
    built = PluggedStage(tmp_path)
    example(tmp_path / "site")
    yield built
    built.close()


def test_its_machines_are_made_shown_and_ended_by_our_commands(stage: PluggedStage) -> None:
    stage.declare(nodes=2).apply("--timeout", "0", code=9)
    assert stage.sheets() == ["f.t.0.1", "f.t.1.1"]
    assert [stage.node(index)["instance"][:2] for index in (0, 1)] == ["p-", "p-"]
    stage.steady("destroy", str(stage.spec), "--yes")
    assert stage.document("status")["fleets"] == []
    assert not (stage.state / "tracker.db").exists()


def test_a_fleet_does_not_move_to_another_provider(stage: PluggedStage) -> None:
    stage.declare(nodes=1).apply("--timeout", "0", code=9)
    stage.provider = "local"
    told = stage.declare(nodes=1).apply(code=6).stderr
    assert "f is applied in provider paper; a fleet does not move to this computer" in told
    assert stage.sheets() == ["f.t.0.1"]


def test_without_its_package_nothing_is_said_to_be_gone(stage: PluggedStage) -> None:
    stage.declare(nodes=1).apply("--timeout", "0", code=9)
    (stage.folder / "site").rename(stage.folder / "away")
    for verb in (["status"], ["status", "f"], ["sweep"]):
        told = stage.steady(*verb, code=1)
        assert "provider paper is not installed\nfix: " in told.stderr
        assert told.stdout == ""
    assert "f.yaml:3:11: provider: 'paper' is not a provider (local, aws)" in _with_name(stage, "f.yaml").stderr


def test_validate_knows_names_and_imports_nothing(stage: PluggedStage) -> None:
    stage.provider = "moon"
    installed(stage.folder / "site", "lunar", {"moon": "moon:opened"}, {"moon": "raise SystemExit('imported')"})
    assert stage.declare().steady("validate", str(stage.spec)).stdout.endswith("1 nodes, moon)\n")
    stage.provider = "papre"
    told = stage.declare().steady("validate", str(stage.spec), code=1).stderr
    assert ":3:11: provider: 'papre' is not a provider (local, aws, moon, paper); did you mean 'paper'?" in told


def test_a_package_that_cannot_be_imported_is_one_line(stage: PluggedStage) -> None:
    stage.provider = "moon"
    installed(stage.folder / "site", "lunar", {"moon": "moon:opened"}, {"moon": "import no_such_module"})
    told = stage.declare().apply(code=1).stderr.splitlines()
    assert told[-2].startswith("error: provider moon (moon:opened) cannot be used: ModuleNotFoundError: ")
    assert told[-1].startswith("fix: mend or upgrade lunar 1.0")


def test_a_rehearsal_without_a_console_says_so(stage: PluggedStage) -> None:
    stage.declare(nodes=1).apply("--timeout", "0", code=9)
    told = stage.steady("local", "kill", "f/t/0", code=64).stderr
    assert "f is of provider paper; `steady local` acts on machines of this computer" in told


def _with_name(stage: PluggedStage, name: str) -> Any:
    spec = stage.spec.rename(stage.folder / name)
    return stage.steady("plan", spec.name, code=1)

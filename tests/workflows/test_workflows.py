"""Workflow files, ours and those to copy: sound, pinned, with few rights, and no text of strangers in a script."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
OURS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TO_COPY = sorted((ROOT / "specs" / "workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github" / "actions").glob("*/action.yml"))
OWN = "steadyfleet/steadyfleet/.github/actions/"


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def steps(path: Path) -> Iterator[dict[str, Any]]:
    told = yaml.safe_load(path.read_text())
    for job in told.get("jobs", {"": told.get("runs")}).values():
        yield from job["steps"]


def lint(actionlint: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    """Without the linters that are on some computers and not on others."""
    command = [actionlint, "-no-color", "-shellcheck=", "-pyflakes=", *files]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_the_linter_finds_nothing_to_say(actionlint: Path) -> None:
    done = lint(actionlint, *OURS, *TO_COPY)
    assert done.returncode == 0, done.stdout


def test_the_linter_sees_a_strangers_text_in_a_script(actionlint: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yml"
    unsafe = TO_COPY[1].read_text().replace("run: git -C head", "run: echo ${{ github.head_ref }}; git -C head")
    bad.write_text(unsafe)
    assert "is potentially untrusted" in lint(actionlint, bad).stdout


@pytest.mark.parametrize("path", [*OURS, *TO_COPY, *ACTIONS], ids=named)
def test_actions_are_pinned_by_commit_with_their_version_beside_it(path: Path) -> None:
    for line in re.findall(r"uses: (.+)", path.read_text()):
        known = re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)
        own = re.fullmatch(rf"{OWN}[a-z]+@0{{40}} # your release", line)
        assert known or own, line


@pytest.mark.parametrize("path", [*OURS, *TO_COPY, *ACTIONS], ids=named)
def test_scripts_hold_no_expression(path: Path) -> None:
    assert [step["run"] for step in steps(path) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("path", TO_COPY, ids=named)
def test_rights_are_given_job_by_job_and_are_few(path: Path) -> None:
    told = yaml.safe_load(path.read_text())
    assert told["permissions"] == {}
    for job in told["jobs"].values():
        others = {k: v for k, v in job["permissions"].items() if k not in ("id-token", "pull-requests")}
        assert others == {"contents": "read"}


@pytest.mark.parametrize("path", TO_COPY, ids=named)
def test_a_checkout_leaves_no_token_behind(path: Path) -> None:
    checkouts = [step for step in steps(path) if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("path", TO_COPY, ids=named)
def test_no_workflow_runs_with_rights_on_the_text_of_a_fork(path: Path) -> None:
    told = yaml.safe_load(path.read_text())
    assert "pull_request_target" not in told[True]  # YAML 1.1 reads `on` so


def test_a_fork_meets_no_role() -> None:
    jobs = yaml.safe_load((ROOT / "specs" / "workflows" / "plan.yml").read_text())["jobs"]
    assert "id-token" not in jobs["files"]["permissions"]
    assert jobs["fleets"]["if"].startswith("github.event.pull_request.head.repo.full_name == github.repository &&")


@pytest.mark.parametrize("path", TO_COPY, ids=named)
def test_runs_of_one_kind_do_not_overlap(path: Path) -> None:
    assert yaml.safe_load(path.read_text())["concurrency"]["group"].startswith("steady-")


@pytest.mark.parametrize("path", ACTIONS, ids=named)
def test_every_program_of_an_action_is_there_and_reads_as_bash(path: Path) -> None:
    scripts = [
        name for step in steps(path) for name in re.findall(r"\$STEADY_ACTION/([\w.]+)", step.get("run", ""))
    ]
    assert scripts
    for name in scripts:
        subprocess.run(["bash", "-n", path.parent / name], check=True)
        assert (path.parent / name).stat().st_mode & 0o111

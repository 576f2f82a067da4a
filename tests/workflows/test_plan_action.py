"""The programs of the plan action, run as a job runs them: the real command, and a stand-in for GitHub's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.planning.reviewing import SPEC, edited

ROOT = Path(__file__).parents[2]
ACTION = ROOT / ".github" / "actions" / "plan"
MARK = "<!-- steadyfleet: plan -->"
STEADY = f'#!/bin/sh\nexec "{sys.executable}" -m lifecycle "$@"\n'
GH = """\
#!/bin/bash
echo "$*" >> "$FAKE/calls"
for word; do case "$word" in body=@*) cp "${word#body=@}" "$FAKE/body" ;; esac; done
case "$*" in *--paginate*) cat "$FAKE/found" ;; esac
"""


class Job:
    """A runner with a head, a base, and what the action writes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.comment = folder, folder / "comment.md"
        for name in ("head/specs", "base/specs", "bin"):
            (folder / name).mkdir(parents=True)
        (folder / "found").write_text("")
        for name, text in (("steady", STEADY), ("gh", GH)):
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)

    def write(self, where: str, text: str, name: str = "llm.yaml") -> Job:
        (self.folder / where / "specs" / name).write_text(text)
        return self

    def run(self, script: str, **given: str) -> subprocess.CompletedProcess[str]:
        env = {
            **os.environ,
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "FAKE": str(self.folder),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_REPOSITORY": "o/r",
            "STEADY_COMMENT": str(self.comment),
            "STEADY_HEAD": "head",
            "STEADY_BASE": "base",
            "STEADY_SPECS": "specs/*.yaml",
            "STEADY_OPTIONS": "",
            "STEADY_PULL": "7",
            **given,
        }
        return subprocess.run(
            [ACTION / script], cwd=self.folder, env=env, capture_output=True, text=True, check=True
        )

    def review(self, **given: str) -> str:
        """The exit code that it tells."""
        self.run("review.sh", **given)
        return (self.folder / "output").read_text().strip()

    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


def test_what_changed_is_in_the_comment_and_in_the_summary(job: Job) -> None:
    job.write("base", SPEC).write("head", edited(("nodes: 4", "nodes: 2")))
    assert job.review() == "exit-code=2"
    assert job.comment.read_text().startswith("**`llm-7b`: 2 ended**")
    assert (job.folder / "summary.md").read_text() == job.comment.read_text()


def test_a_refusal_is_told_and_the_step_goes_on_to_the_comment(job: Job) -> None:
    job.write("base", SPEC).write("head", edited(("nodes: 4", "nodes: 0")))
    assert job.review() == "exit-code=6"
    assert "emptied spec" in job.comment.read_text()


def test_what_was_agreed_to_is_passed_on(job: Job) -> None:
    job.write("base", SPEC).write("head", edited(("nodes: 4", "nodes: 0")))
    assert job.review(STEADY_OPTIONS="\n --allow-empty\n") == "exit-code=2"


def test_a_file_that_is_gone_is_looked_at_too(job: Job) -> None:
    job.write("base", SPEC)
    assert job.review() == "exit-code=2"
    assert "its spec file is deleted" in job.comment.read_text()


@pytest.mark.parametrize(
    "name", ["$(touch pwned).yaml", "`touch pwned`.yaml", "a b;touch pwned.yaml", "--help.yaml"]
)
def test_the_name_of_a_file_is_no_command(job: Job, name: str) -> None:
    job.write("head", SPEC, name)
    assert job.review() == "exit-code=2"
    assert not list(job.folder.rglob("pwned"))


def test_without_spec_files_there_is_nothing_to_say(job: Job) -> None:
    assert job.review() == "exit-code=0"
    assert job.comment.read_text() == "no spec files\n"


def test_a_command_that_prints_nothing_is_said_to_have_failed(job: Job) -> None:
    job.write("head", SPEC)
    (job.folder / "bin" / "steady").write_text("#!/bin/sh\nexit 3\n")
    assert job.review() == "exit-code=3"
    assert "the job's log says why" in job.comment.read_text()


def test_the_first_comment_is_made(job: Job) -> None:
    job.comment.write_text("a plan")
    job.run("comment.sh")
    assert job.calls()[1] == (f"api --silent --method POST repos/o/r/issues/7/comments --field body=@{job.comment}")
    assert (job.folder / "body").read_text() == f"a plan\n\n{MARK}"


def test_a_later_one_is_edited_in_place(job: Job) -> None:
    job.comment.write_text("a plan")
    (job.folder / "found").write_text("41\n43\n")
    job.run("comment.sh")
    assert "--method PATCH repos/o/r/issues/comments/41 " in job.calls()[1]

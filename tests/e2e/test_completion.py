"""Shell completion in a real bash: verbs, options, spec files, and the names that live in the state directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lifecycle.adapters.local.table import SqliteTable
from lifecycle.model.codec import encode
from lifecycle.system.files import write_record
from lifecycle.tracker import rows
from tests.builders import a_record, a_run, a_spec, an_incarnation

ROOT = Path(__file__).parents[2]


@dataclass
class Shell:
    """A bash in a folder, with `steady` on its PATH and the script of `steady completion bash` sourced."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / ".steady"

    @property
    def env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("STEADY_")}
        return {**kept, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}

    def runs(self, script: str) -> str:
        """What bash prints. Only `compopt`, which there is no completion under way for, may complain."""
        done = subprocess.run(
            ["bash", "--norc", "-c", script], cwd=self.folder, env=self.env, capture_output=True, text=True
        )
        assert [line for line in done.stderr.splitlines() if "compopt: not currently" not in line] == []
        return done.stdout

    def completes(self, *words: str) -> list[str]:
        """What is offered for the last of these words, after `steady`."""
        typed = " ".join(f"'{word}'" for word in ("steady", *words))
        return self.runs(
            f"source steady.bash; COMP_WORDS=({typed}); COMP_CWORD={len(words)}; "
            '_steady_completion steady; printf "%s\\n" "${COMPREPLY[@]}"'
        ).split()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    made = Shell(tmp_path)
    program = tmp_path / "bin" / "steady"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m lifecycle "$@"\n')
    program.chmod(0o755)
    made.runs("steady completion bash > steady.bash")
    return made


@pytest.fixture
def applied(shell: Shell) -> Iterator[SqliteTable]:
    """A fleet `f` of two nodes with one run, one live machine and one that has ended."""
    shell.state.mkdir()
    table = SqliteTable(shell.state / "tracker.db")
    table.put("f", rows.SPEC, "f", encode(a_record(a_spec(nodes=2))))
    table.put("f", rows.RUN, "f.t.main.0", encode(a_run()))
    for number, ended_at in ((1, 5.0), (2, None)):
        claim = an_incarnation(number=number, instance=f"l-{number}", ended_at=ended_at)
        table.put("f", rows.INCARNATION, f"f/t/0#{number}", encode(claim))
    yield table
    table.close()


def test_verbs_and_options(shell: Shell) -> None:
    assert shell.completes("re") == ["reconcile", "rehearse", "replace", "report"]
    assert "--detailed-exitcode" in shell.completes("plan", "--d")
    assert shell.completes("completion", "") == ["bash", "zsh", "fish"]


def test_spec_files(shell: Shell) -> None:
    for name in ("a.yaml", "b.yml", "notes.txt"):
        (shell.folder / name).touch()
    assert shell.completes("plan", "") == ["a.yaml", "b.yml"]
    assert shell.completes("validate", f"{shell.folder}/a") == [f"{shell.folder}/a.yaml"]


@pytest.mark.usefixtures("applied")
def test_names_that_live_in_the_tracker(shell: Shell) -> None:
    assert shell.completes("suspend", "") == ["f"]
    assert shell.completes("stop", "f/") == ["f/t/0", "f/t/1"]
    assert shell.completes("why", "f/t/1") == ["f/t/1"]
    assert shell.completes("history", "f.") == ["f.t.main.0"]
    assert shell.completes("allow-loss", "") == ["l-2"]


def test_names_are_read_where_the_options_say(shell: Shell, applied: SqliteTable) -> None:
    applied.close()
    shell.state.rename(shell.folder / "elsewhere")
    assert shell.completes("suspend", "") == []
    assert shell.completes("--state", "elsewhere", "suspend", "") == ["f"]


def test_fleets_that_were_used_on_aws_from_here(shell: Shell) -> None:
    (shell.state / "fleets").mkdir(parents=True)
    write_record(shell.state / "fleets" / "llm.json", "us-east-1")
    assert (shell.completes("suspend", ""), shell.completes("stop", "")) == (["llm"], ["llm/"])


@pytest.mark.parametrize("closed", [True, False])
def test_no_file_is_made_or_left(shell: Shell, applied: SqliteTable, closed: bool) -> None:
    if closed:
        applied.close()
    before = sorted(shell.state.iterdir())
    assert shell.completes("stop", "f") == ["f/t/0", "f/t/1"]
    assert sorted(shell.state.iterdir()) == before


@pytest.mark.parametrize("tracker", [None, b"", b"no database at all" * 100])
def test_what_cannot_be_read_completes_nothing_and_says_nothing(shell: Shell, tracker: bytes | None) -> None:
    if tracker is not None:
        shell.state.mkdir()
        (shell.state / "tracker.db").write_bytes(tracker)
    assert shell.completes("stop", "") == []
    assert shell.state.exists() == (tracker is not None)


def test_a_question_that_makes_no_sense_is_answered_by_silence(shell: Shell) -> None:
    assert shell.runs("_STEADY_COMPLETE=bash_complete steady") == ""
    assert shell.runs("_STEADY_COMPLETE=csh_complete COMP_WORDS=steady COMP_CWORD=1 steady") == ""


@pytest.mark.parametrize("name", ["zsh", "fish"])
def test_the_script_of_another_shell(shell: Shell, name: str) -> None:
    script = shell.runs(f"steady completion {name}")
    assert f"_STEADY_COMPLETE={name}_complete" in script
    if found := shutil.which(name):
        subprocess.run([found, "-n"], input=script, text=True, check=True)


@pytest.mark.usefixtures("applied")
def test_it_imports_nothing_that_takes_its_time(shell: Shell) -> None:
    began = time.monotonic()
    asked = "import sys; from lifecycle.cli.entry import main; main(); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=shell.folder,
        env={**shell.env, "_STEADY_COMPLETE": "bash_complete", "COMP_WORDS": "steady stop f", "COMP_CWORD": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    print(f"completed in {time.monotonic() - began:.2f}s")
    assert done.stdout.split() == ["plain,f/t/0", "plain,f/t/1"]
    assert {"boto3", "psutil", "rich", "yaml", "jsonschema", "pulumi"} & {*done.stderr.split()} == set()


def test_help_reads_no_database() -> None:
    code = "import lifecycle.cli.entry, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"sqlite3", "msgspec"} & {*done.stdout.split()} == set()

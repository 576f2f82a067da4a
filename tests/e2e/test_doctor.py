"""`steady doctor` as people type it: words for verdicts, a fix for what is wrong, and nothing changed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.e2e.stage import Stage
from tests.e2e.test_surface import satisfies

LINE = re.compile(r"(ok|wrong|unknown) +\S.*|  +fix: \S.*")


def test_on_a_sound_computer_all_is_ok_and_nothing_is_made(stage: Stage) -> None:
    stage.declare()
    done = stage.steady("doctor", str(stage.spec))
    *lines, last = done.stdout.splitlines()
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert last == "Doctor: 8 ok, 0 wrong, 0 unknown."
    assert sorted(path.name for path in stage.folder.iterdir()) == ["fleet.yaml"]


def test_without_a_spec_it_looks_at_this_computer_only(stage: Stage) -> None:
    assert "6 ok" in stage.steady("doctor").stdout


def test_a_spec_just_written_lacks_its_trainer(stage: Stage) -> None:
    stage.steady("init", "first.yaml")
    done = stage.steady("doctor", "first.yaml", code=1)
    assert "there is no train.py" in done.stdout
    assert "fix: put your trainer in `train.command`" in done.stdout


def test_a_faulty_spec_hides_nothing_of_this_computer(stage: Stage) -> None:
    stage.declare(nodes=-1, market="spots")
    done = stage.steady("doctor", str(stage.spec), code=1)
    assert re.search(rf"wrong +spec +{stage.spec}:\d+:\d+: .*; 2 errors in all", done.stdout)
    assert "6 ok, 1 wrong, 0 unknown" in done.stdout


def test_a_state_directory_that_is_a_file_is_wrong(stage: Stage) -> None:
    stage.state.write_text("")
    done = stage.steady("doctor", code=1)
    assert re.search(r"wrong +state directory .*Not a directory\n +fix: ", done.stdout)


@pytest.mark.parametrize("spec", [(), ("nowhere.yaml",)])
def test_its_document_satisfies_its_schema(stage: Stage, spec: tuple[str, ...]) -> None:
    done = stage.steady("doctor", *spec, "-o", "json", code=len(spec))
    assert satisfies("doctor", done.stdout)["wrong"] == len(spec)


def test_on_aws_without_credentials_the_rest_is_still_looked_at(stage: Stage, tmp_path: Path) -> None:
    stage.steady("init", "llm.yaml", "--provider", "aws")
    nowhere = {name: str(tmp_path / "no") for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "PATH")}
    done = stage.steady("doctor", "llm.yaml", code=1, AWS_EC2_METADATA_DISABLED="true", **nowhere)
    assert re.search(r"wrong +pulumi +no `pulumi` on PATH", done.stdout)
    assert re.search(r"wrong +credentials +no AWS credentials", done.stdout)
    assert re.search(r"unknown +quotas +not looked at: it needs credentials", done.stdout)
    assert re.search(r"ok +spec ", done.stdout)

"""`steady plan --base DIR`: two checkouts compared, with nobody asked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from lifecycle.cli.entry import main
from tests.unit.planning.reviewing import NAME, ON_SPOT, SPEC, edited

MOVED = SPEC.replace("provider: aws", "provider: local").replace("workdir: /opt/train", "workdir: .")


class Said(NamedTuple):
    code: int
    text: str
    talk: str

    @property
    def verdict(self) -> str:
        return self.text.partition("\n")[0]


class Checkouts:
    """The base and the head of a pull request, and the command run in the head."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        (folder / "head" / "specs").mkdir(parents=True)
        (folder / "base" / "specs").mkdir(parents=True)

    def base(self, text: str, name: str = NAME) -> Checkouts:
        (self.folder / "base" / name).write_text(text)
        return self

    def head(self, text: str, name: str = NAME) -> Checkouts:
        (self.folder / "head" / name).write_text(text)
        return self

    def plan(self, *arguments: str) -> Said:
        code = main(["plan", "--base", "../base", *(arguments or (NAME,))])
        done = self._capsys.readouterr()
        return Said(code, done.out, done.err)


@pytest.fixture
def pull(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Checkouts:
    checkouts = Checkouts(tmp_path, capsys)
    monkeypatch.chdir(tmp_path / "head")
    return checkouts


# ---- what is told --------------------------------------------------------------------------------


def test_an_unchanged_spec_is_one_line(pull: Checkouts) -> None:
    assert pull.base(SPEC).head(SPEC).plan() == (0, "`llm-7b`: no changes\n", "")


def test_a_changed_type_replaces_every_machine_and_names_its_line(pull: Checkouts) -> None:
    said = pull.base(SPEC).head(edited(("[g5.2xlarge]", "[g6.2xlarge]"))).plan()
    assert said.verdict.startswith(
        "**`llm-7b`: 4 replaced** · -$0.94/h ($4.85/h → $3.91/h, at on-demand list prices)"
    )
    assert "because `instance_types` changed (`specs/llm.yaml:9`)" in said.text


def test_a_note_in_the_file_is_no_change(pull: Checkouts) -> None:
    assert pull.base(SPEC).head(f"# a note\n{SPEC}").plan().text == "`llm-7b`: no changes\n"


def test_a_smaller_pool_says_who_goes(pull: Checkouts) -> None:
    said = pull.base(SPEC).head(edited(("nodes: 4", "nodes: 2"))).plan()
    assert "**2 ended** in `trainers` (2–3), saved first, because `nodes` changed" in said.text


def test_a_market_that_machines_are_replaced_for(pull: Checkouts) -> None:
    policy = ("nodes: 4", "nodes: 4\n    drift: {market: replace}")
    said = pull.base(edited(policy)).head(edited(policy, ("on_demand", "spot"))).plan("--accept-unproven", NAME)
    assert "**4 replaced** in `trainers` (0–3), saved first, because `market` changed" in said.text
    assert "what a move between spot and on-demand saves or costs is not shown" in said.text


def test_zones_that_were_left_open_replace_nobody_on_a_guess(pull: Checkouts) -> None:
    said = pull.base(edited(("    zones: [us-east-1a]\n", ""))).head(SPEC).plan()
    assert "no machine changes" in said.verdict


def test_a_schedule_changes_nothing_by_the_hour_of_the_review(pull: Checkouts) -> None:
    always = ("nodes: 4", 'nodes: 4\n    schedule: {stop: "* * * * *", start: "0 0 29 2 *"}')
    said = pull.base(SPEC).head(edited(always)).plan()
    assert "no machine changes" in said.verdict
    assert "`pools.trainers.schedule.stop`: not set → `* * * * *`" in said.text


def test_a_gang_is_stopped_as_one(pull: Checkouts) -> None:
    gang = edited(("nodes: 4", "nodes: 4\n    mode: gang"))
    said = pull.base(gang).head(gang.replace("train.py", "other.py")).plan()
    assert "**4 saved and stopped** in `trainers` (0–3), then goes on from its save" in said.text


def test_a_forced_stop_may_lose_what_lies_between_two_saves(pull: Checkouts) -> None:
    force = edited(("nodes: 4", "nodes: 4\n    stop: {without_checkpoint: force}"))
    assert "at most 10m of work lost" in pull.base(force).head(force.replace("nodes: 4", "nodes: 3")).plan().verdict
    assert "no work lost" in pull.base(SPEC).head(edited(("nodes: 4", "nodes: 3"))).plan().verdict


# ---- files that come and go ----------------------------------------------------------------------


def test_a_new_spec_is_a_new_fleet(pull: Checkouts) -> None:
    said = pull.head(SPEC).plan("--detailed-exitcode", NAME)
    assert said.code == 2
    assert (
        said.verdict
        == "**`llm-7b`: a new fleet, 4 created** · +$4.85/h ($0.00/h → $4.85/h, at on-demand list prices)"
    )


def test_a_deleted_spec_ends_nothing(pull: Checkouts) -> None:
    said = pull.base(SPEC).plan()
    assert (said.code, said.verdict.endswith("is deleted, and nothing is ended by that**")) == (0, True)
    assert "`steady destroy specs/llm.yaml`" in said.text


def test_a_spec_of_neither_checkout_is_an_error(pull: Checkouts) -> None:
    said = pull.plan()
    assert said.code == 1
    assert "specs/llm.yaml: no such file" in said.text


def test_another_fleet_in_the_same_file_leaves_the_first_as_it_is(pull: Checkouts) -> None:
    said = pull.base(SPEC).head(SPEC.replace("llm-7b", "llm-8b")).plan()
    assert said.verdict.startswith("**`llm-8b`: a new fleet, 4 created**")
    assert "this file declared llm-7b before" in said.text


def test_a_base_that_is_no_sound_spec_is_compared_with_nothing(pull: Checkouts) -> None:
    said = pull.base("version: 2\n").head(SPEC).plan()
    assert said.code == 0
    assert "the file in the base is not a sound spec" in said.text


# ---- red -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "guard", "option"),
    [
        (edited(("nodes: 4", "nodes: 0")), "emptied spec", "--allow-empty"),
        (ON_SPOT, "unproven save", "--accept-unproven"),
    ],
)
def test_a_guard_makes_the_check_red_until_somebody_agrees(
    pull: Checkouts, head: str, guard: str, option: str
) -> None:
    said = pull.base(SPEC).head(head).plan()
    assert (said.code, said.verdict.startswith(f"**`llm-7b`: refused ({guard})")) == (6, True)
    assert pull.plan(option, NAME).code == 0


@pytest.mark.parametrize(
    ("head", "guard"),
    [
        (MOVED, "elsewhere"),
        (SPEC.replace("us-east-1", "eu-west-1"), "wrong region"),
        (edited(("nodes: 4", "nodes: 5\n    budget: {per_hour: 5.0}")), "budget.per_hour"),
    ],
)
def test_other_guards_make_it_red_too(pull: Checkouts, head: str, guard: str) -> None:
    said = pull.base(SPEC).head(head).plan()
    assert (said.code, f"refused ({guard})" in said.verdict) == (6, True)


def test_machines_of_another_provider_are_not_said_to_become_these(pull: Checkouts) -> None:
    assert "asked for: 4 created" in pull.base(SPEC).head(MOVED).plan().verdict


def test_a_spot_pool_that_may_pass_its_budget_is_a_warning(pull: Checkouts) -> None:
    spot = ON_SPOT.replace("nodes: 4", "nodes: 5\n    budget: {per_hour: 5.0}")
    said = pull.base(ON_SPOT).head(spot).plan()
    assert said.code == 0
    assert "trainers: up to $6.06/h at on-demand list prices" in said.text


def test_a_spec_that_is_not_sound_is_red_with_every_place(pull: Checkouts) -> None:
    said = pull.base(SPEC).head(edited(("on_demand", "ondemand"), ("nodes: 4", "nodes: four"))).plan()
    assert (said.code, said.verdict) == (1, "**`specs/llm.yaml`: not applicable** · 2 errors")
    assert "- `specs/llm.yaml:7:12: pools.trainers.nodes:" in said.text
    assert "- `specs/llm.yaml:8:13: pools.trainers.market:" in said.text


# ---- several, and limits -------------------------------------------------------------------------


def test_several_specs_are_one_comment_with_the_worst_first(pull: Checkouts) -> None:
    other, third = SPEC.replace("llm-7b", "b"), SPEC.replace("llm-7b", "c")
    pull.base(SPEC).base(other, "specs/b.yaml").base(third, "specs/c.yaml")
    pull.head(SPEC).head(other.replace("nodes: 4", "nodes: 0"), "specs/b.yaml").head("no\n", "specs/c.yaml")
    said = pull.plan(NAME, "specs/b.yaml", "specs/c.yaml")
    verdicts = [part.partition("`:")[0].strip("*`") for part in said.text.split("\n\n---\n\n")]
    assert (said.code, verdicts) == (1, ["specs/c.yaml", "b", "llm-7b"])


def test_a_link_out_of_the_checkout_is_not_followed(pull: Checkouts) -> None:
    (pull.folder / "secret.yaml").write_text(SPEC)
    (pull.folder / "head" / NAME).symlink_to(pull.folder / "secret.yaml")
    said = pull.plan()
    assert (said.code, "llm-7b" in said.text) == (1, False)
    assert "is a link out of this checkout" in said.text


@pytest.mark.parametrize("arguments", [("../base/specs/llm.yaml",), ("-o", "json", NAME)])
def test_what_cannot_be_compared_is_wrong_usage(pull: Checkouts, arguments: tuple[str, ...]) -> None:
    assert pull.base(SPEC).head(SPEC).plan(*arguments).code == 64


def test_nothing_of_aws_is_loaded_and_nothing_is_written(pull: Checkouts) -> None:
    pull.base(SPEC).head(ON_SPOT)
    program = (
        "import sys; from lifecycle.cli.entry import main; main(sys.argv[1:])\n"
        "print([name for name in ('boto3', 'botocore', 'pulumi', 'sqlite3') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program, "plan", "--base", "../base", NAME]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert sorted(path.name for path in (pull.folder / "head").iterdir()) == ["specs"]

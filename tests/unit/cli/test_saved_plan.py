"""`plan --save FILE` and `apply SPEC FILE`: what was agreed to is done, or it is said what moved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lifecycle.bootstrap import controller
from tests.unit.cli.room import EMPTY, SPEC, Room


class Desk(Room):
    """A fleet without nodes: applying it makes nothing. Its plan is saved."""

    @property
    def kept(self) -> Path:
        return self.folder / "plan.json"

    @property
    def generation(self) -> int:
        record = controller.local(self.folder / "state").tracker.spec("f")
        return record.generation if record else 0

    def saves(self, *arguments: str) -> Desk:
        assert self.plan("--allow-empty", "--save", str(self.kept), *arguments).code == 0
        return self

    def applies(self) -> tuple[int, str]:
        done = self.steady("apply", "--yes", "--allow-empty", str(self.spec), str(self.kept))
        return done.code, done.err


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    desk = Desk(tmp_path, capsys)
    desk.write(EMPTY)
    return desk


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_a_plan_that_still_holds_is_applied(desk: Desk, form: str) -> None:
    assert desk.saves("-o", form).applies()[0] == 0
    assert desk.generation == 2


def test_a_plan_is_applied_once(desk: Desk) -> None:
    desk.saves().applies()
    code, said = desk.applies()
    assert (code, "stale plan: it was made for generation 1; 2 is applied now" in said) == (6, True)


def test_a_changed_spec_is_refused_and_nothing_is_adopted(desk: Desk) -> None:
    desk.saves().write(EMPTY + "# a note\n")
    code, said = desk.applies()
    assert (code, "stale plan: the spec has changed since" in said, desk.generation) == (6, True, 1)
    assert f"\nfix: plan again: steady plan {desk.spec} --save {desk.kept}\n" in said


def test_what_somebody_did_meanwhile_is_named(desk: Desk) -> None:
    desk.saves().steady("suspend", "f", "--reason", "audit")
    code, said = desk.applies()
    assert (code, "is new (f: suspend by" in said) == (6, True)


def test_an_expired_plan_is_refused(desk: Desk) -> None:
    kept = json.loads(desk.saves().kept.read_text())
    desk.kept.write_text(json.dumps({**kept, "made_at": 1.0, "expires_at": 2.0}))
    assert "was to be applied by 1970-01-01 00:00 UTC" in desk.applies()[1]


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"version": 2}', "\x00", SPEC])
def test_a_file_that_is_no_plan_is_an_error(desk: Desk, text: str) -> None:
    desk.kept.write_text(text)
    code, said = desk.applies()
    assert (code, "plan.json is not a saved plan" in said, desk.generation) == (1, True, 1)


def test_a_missing_file_is_an_error(desk: Desk) -> None:
    code, said = desk.applies()
    assert (code, "No such file" in said) == (1, True)


def test_a_refused_plan_is_not_kept(desk: Desk) -> None:
    for form in ("text", "markdown"):
        assert desk.plan("--save", str(desk.kept), "-o", form).code == 6
    assert not desk.kept.exists()


def test_a_place_that_cannot_be_written_is_an_error(desk: Desk) -> None:
    done = desk.plan("--allow-empty", "--save", str(desk.folder / "no" / "plan.json"))
    assert (done.code, "choose a place you may write to" in done.err) == (1, True)


def test_a_plan_against_a_base_cannot_be_kept(desk: Desk) -> None:
    assert desk.plan("--base", str(desk.folder), "--save", str(desk.kept)).code == 64

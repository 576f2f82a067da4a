"""`steady plan` of a fleet that is applied: three forms, one exit code, and nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.room import EMPTY, SPEC, SPOT, Room


@pytest.fixture
def room(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Room:
    return Room(tmp_path, capsys)


FORMS = ("text", "json", "markdown")


@pytest.mark.parametrize("form", FORMS)
def test_a_plan_that_apply_would_refuse_ends_in_6_and_is_shown_all_the_same(room: Room, form: str) -> None:
    done = room.write(EMPTY).plan("-o", form)
    assert done.code == 6
    assert {"text": "Plan: ", "json": '"summary": "Plan: ', "markdown": "**emptied spec**"}[form] in done.out


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("text", "option"), [(EMPTY, "--allow-empty"), (SPOT, "--accept-unproven")])
def test_consent_makes_it_good(room: Room, text: str, option: str, form: str) -> None:
    assert room.write(text).plan(option, "-o", form).code == 0


@pytest.mark.parametrize("form", FORMS)
def test_changes_are_2_when_that_was_asked(room: Room, form: str) -> None:
    assert room.plan("--detailed-exitcode", "-o", form).code == 2


def test_a_suspended_fleet_is_red(room: Room) -> None:
    room.steady("suspend", "f", "--reason", "audit")
    done = room.plan()
    assert (done.code, "\nfix: steady unsuspend f\n" in done.err) == (6, True)


def test_the_comment_names_what_changed_since_the_fleet_was_applied(room: Room) -> None:
    done = room.write(SPEC.replace("train.py", "other.py")).plan("-o", "markdown")
    assert '`pools.t.train.command`: `["python","train.py"]` → `["python","other.py"]`' in done.out


def test_a_broken_spec_is_a_comment_too(room: Room) -> None:
    done = room.write("version: 2\n").plan("-o", "markdown")
    assert (done.code, done.out.startswith("**")) == (1, True)
    assert "error: " in done.err


def test_a_fleet_that_lives_elsewhere_is_refused_in_the_comment(room: Room) -> None:
    moved = SPEC.replace("provider: local", "provider: aws\nregion: us-east-1")
    lacking = "    image: ami-0abc1234def567890\n    instance_types: [g5.2xlarge]\n"
    done = room.write(moved + lacking).plan("-o", "markdown")
    assert (done.code, "refused (elsewhere)" in done.out) == (6, True)


def test_several_specs_are_planned_as_markdown_only(room: Room) -> None:
    assert room.plan(str(room.spec)).code == 64
    assert room.plan("-o", "markdown", str(room.spec)).code == 0


@pytest.mark.parametrize("arguments", [("-o", "markdown", "status"), ("status", "-o", "markdown")])
def test_verbs_that_print_no_markdown_say_so(room: Room, arguments: tuple[str, ...]) -> None:
    done = room.steady(*arguments)
    assert (done.code, done.out) == (64, "")


def test_the_form_may_be_named_before_the_verb(room: Room) -> None:
    assert room.steady("-o", "markdown", "plan", str(room.spec)).out.startswith("**`f`: 1 created**")


def test_the_document_is_whole_when_a_guard_refuses(room: Room) -> None:
    assert json.loads(room.write(EMPTY).plan("-o", "json").out)["fleet"] == "f"

"""`steady init` on a terminal asks what matters; whatever is answered, the spec that it writes is sound."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lifecycle.model.fleet import FleetSpec
from lifecycle.specfile import load
from tests.e2e.stage import Stage, wait_until
from tests.e2e.terminal import Terminal

ENTER = ""


class Asked(Terminal):
    """`steady init` on a terminal, answered line by line."""

    def __init__(self, stage: Stage, *arguments: str) -> None:
        super().__init__(stage.command("init", *arguments), stage.folder)
        self.place = stage.folder / "fleet.yaml"

    def answer(self, **answers: str) -> FleetSpec:
        """Types an answer when its question is there. Returns what was written."""
        for question, answer in answers.items():
            wait_until(lambda asked=question: self.shows(asked.replace("_", " ")), question)
            self.type(answer.encode() + b"\n")
        assert self.ends() == 0, self.text
        return load(self.place).spec


@pytest.fixture
def asked(stage: Stage) -> Iterator[Asked]:
    terminal = Asked(stage)
    yield terminal
    terminal.close()


def test_enter_takes_every_default(asked: Asked) -> None:
    spec = asked.answer(Where_does_it_run=ENTER, What_command_trains=ENTER)
    assert (spec.provider, spec.pools["trainers"].train.command) == ("local", ("python", "train.py"))


def test_a_command_is_written_as_an_argument_vector(asked: Asked) -> None:
    spec = asked.answer(Where="local", What_command="python -m train --name 'my run' no 010 {x}")
    assert spec.pools["trainers"].train.command == ("python", "-m", "train", "--name", "my run", "no", "010", "{x}")


def test_on_aws_region_types_and_image_are_asked_for(asked: Asked) -> None:
    spec = asked.answer(
        Where="aws",
        What=ENTER,
        Region="eu-west-1",
        Instance_types="p4d.24xlarge g5.2xlarge",
        Machine_image="ami-0abc1234",
    )
    pool = spec.pools["trainers"]
    assert (spec.region, pool.zones) == ("eu-west-1", ("eu-west-1a", "eu-west-1b"))
    assert (pool.instance_types, pool.image) == (("p4d.24xlarge", "g5.2xlarge"), "ami-0abc1234")


def test_an_answer_that_fits_nowhere_is_asked_for_again(asked: Asked) -> None:
    asked.answer(
        Where_does="moon",
        moon="aws",
        What="python 'x",
        no_command="python x.py",
        Region="here",
        not_a_region=ENTER,
        Instance_types="big",
        not_a_list=ENTER,
        Machine_image="mine",
        not_an_image=ENTER,
    )


def test_with_arguments_nothing_is_asked(stage: Stage) -> None:
    terminal = Asked(stage, "--provider", "local")
    try:
        assert terminal.ends() == 0
        assert "Where" not in terminal.text
    finally:
        terminal.close()


def test_nothing_is_asked_for_a_file_that_is_there_already(stage: Stage) -> None:
    (stage.folder / "fleet.yaml").write_text("mine")
    terminal = Asked(stage)
    try:
        assert terminal.ends() == 1
        assert ("exists already" in terminal.text, "Where" in terminal.text) == (True, False)
    finally:
        terminal.close()
    assert (stage.folder / "fleet.yaml").read_text() == "mine"


def test_what_it_writes_goes_no_further_than_a_screen(stage: Stage) -> None:
    stage.steady("init", "a.yaml")
    stage.steady("init", "b.yaml", "--provider", "aws")
    assert all(len((stage.folder / name).read_text().splitlines()) <= 20 for name in ("a.yaml", "b.yaml"))

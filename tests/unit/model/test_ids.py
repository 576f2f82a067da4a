"""Names of nodes and runs: one written form, natural order, everything else refused with a hint."""

from __future__ import annotations

import pytest

from lifecycle.model.errors import WrongUsage
from lifecycle.model.ids import WHOLE, NodeName, checkpoint_prefix, epoch_of, gang_run_id, run_id


def test_a_node_is_read_from_its_three_parts() -> None:
    assert NodeName.parse("demo/trainers/0") == NodeName("demo", "trainers", 0)


@pytest.mark.parametrize("text", ["f/t/0", "demo/trainers/12", "a-1/b-2/19999"])
def test_a_node_is_written_as_it_was_read(text: str) -> None:
    assert str(NodeName.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "f",
        "f/t",
        "f/t/",
        "f/t/0/0",
        "f/t/x",
        "f/t/-1",
        "f/t/01",
        "f/t/123456",
        "F/t/0",
        "1f/t/0",
        "f//0",
        "f/t_x/0",
        "f/t/0 ",
    ],
)
def test_what_is_no_node_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage, match="is not a node"):
        NodeName.parse(text)


def test_the_refusal_shows_how_a_node_is_written() -> None:
    with pytest.raises(WrongUsage) as refused:
        NodeName.parse("trainers")
    assert "demo/trainers/0" in refused.value.fix


def test_nodes_are_counted_not_spelled() -> None:
    names = [NodeName.parse(text) for text in ("f/t/10", "f/t/2", "f/a/11", "e/t/3")]
    assert [str(name) for name in sorted(names)] == ["e/t/3", "f/a/11", "f/t/2", "f/t/10"]


def test_the_short_name_leaves_out_the_fleet() -> None:
    assert NodeName.parse("demo/trainers/3").short == "trainers/3"


def test_an_independent_run_is_named_after_its_node() -> None:
    assert run_id(NodeName("demo", "trainers", 3), "baseline") == "demo.trainers.baseline.3"


def test_a_gang_run_is_named_after_its_pool() -> None:
    assert gang_run_id("demo", "trainers", "baseline") == "demo.trainers.baseline"


def test_the_place_of_a_gangs_checkpoint_tells_its_epoch() -> None:
    assert epoch_of(checkpoint_prefix("demo", "demo.t.main", 7, 60, WHOLE)) == 7

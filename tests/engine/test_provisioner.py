"""The provisioner on the real engine: what it makes, changes and ends, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doubles.aws import AwsDouble
from tests.engine.engine import Engine
from tests.engine.yard import Yard, a_yard

pytestmark = pytest.mark.engine


@pytest.fixture
def yard(engine: Engine, aws: AwsDouble, cli: Path, monkeypatch: pytest.MonkeyPatch) -> Yard:
    for name, value in engine.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", f"{cli.parent}:{engine.env['PATH']}")
    return a_yard(engine, aws)


def test_every_node_is_made_and_a_human_has_nothing_to_do(yard: Yard) -> None:
    yard.made(0, 1, 2)
    assert sorted(yard.live()) == [0, 1, 2]
    assert yard.kept() == {f"f.t.{node}": instance for node, instance in yard.live().items()}
    by_hand = yard.by_hand(refresh=True)
    assert set(by_hand.changes) == {"same"}, by_hand.output


def test_one_of_three_is_replaced_and_the_others_are_not_even_read(yard: Yard) -> None:
    yard.made(0, 1, 2)
    before = yard.live()
    yard.engine.provider.calls.clear()
    yard.made(1, incarnation=2)
    asked = {name for _, token, name in yard.engine.provider.calls if token.endswith("Instance")}
    assert asked == {"f.t.1"}
    assert {node for node, instance in yard.live().items() if before[node] != instance} == {1}
    assert set(yard.by_hand(refresh=True).changes) == {"same"}


def test_a_node_that_leaves_is_ended_beside_one_that_comes(yard: Yard) -> None:
    yard.made(0, 1)
    placements = [*yard.place(1, present=False), *yard.place(2)]
    outcomes = yard.provisioner.converge("f", placements)
    assert [outcome.error for outcome in outcomes] == ["", ""]
    assert sorted(yard.live()) == [0, 2]
    assert yard.kept().keys() == {"f.t.0", "f.t.2"}


def test_a_repeat_changes_nothing(yard: Yard) -> None:
    yard.made(0)
    before = yard.live()
    yard.made(0)
    assert yard.live() == before

"""`steady rehearse` before anything is asked: which pool a copy is made of, and where none is made."""

from __future__ import annotations

import pytest

from lifecycle.cli.rehearse import _may_copy, _pool
from lifecycle.model.errors import GuardRefused, WrongUsage
from lifecycle.model.fleet import FleetSpec
from lifecycle.model.ids import NodeName
from tests.builders import a_spec, but

ONE = a_spec()
TWO = but(ONE, pools={**ONE.pools, "u": ONE.pools["t"]})


@pytest.mark.parametrize(("spec", "node", "pool"), [(ONE, None, "t"), (TWO, "f/u/0", "u"), (ONE, "f/t/3", "t")])
def test_the_pool_of_a_copy(spec: FleetSpec, node: str | None, pool: str) -> None:
    assert _pool(spec, NodeName.parse(node) if node else None) == pool


@pytest.mark.parametrize(("spec", "node"), [(TWO, None), (ONE, "f/x/0"), (ONE, "g/t/0")])
def test_a_pool_that_cannot_be_told_is_asked_for(spec: FleetSpec, node: str | None) -> None:
    with pytest.raises(WrongUsage, match="which of its pools"):
        _pool(spec, NodeName.parse(node) if node else None)


def test_no_machine_that_costs_money_is_made_for_a_try() -> None:
    with pytest.raises(GuardRefused, match="would cost money"):
        _may_copy(but(ONE, provider="aws"))


def test_this_computers_machines_cost_nothing() -> None:
    _may_copy(ONE)

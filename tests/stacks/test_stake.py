"""The stake as it is declared: a row of the tracker's own kind, another one for every adoption."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lifecycle.tracker import rows
from stacks import fleet, stake
from tests.builders import a_record, but
from tests.stacks.recording import run
from tests.stacks.test_fleet import GROUND, Nobody, a_spec


class Unasked:
    """Mocks run no hooks."""

    def take(self) -> None:
        raise NotImplementedError

    def adopt(self) -> None:
        raise NotImplementedError

    def leave(self) -> None:
        raise NotImplementedError


def declared() -> dict[str, Any]:
    async def program() -> dict[str, Any]:
        mine = stake.Stake("t-1", a_record(a_spec()), Unasked())
        return await fleet.declare(a_spec(), GROUND, {}, Nobody(), user_data="#!", stake=mine)

    return run(program, stack="f", config={"aws:region": "us-east-1"})[0].one(
        "aws:dynamodb/tableItem:TableItem", "record"
    )


def test_it_lies_where_the_trackers_rows_of_its_fleet_lie() -> None:
    found = declared()
    assert (found["tableName"], found["hashKey"], found["rangeKey"]) == ("t-1", "pk", "sk")
    item = json.loads(found["item"])
    assert (item["pk"], item["sk"]) == ({"S": "fleet#f"}, {"S": f"{rows.STACK}#f"})
    assert {name for name in item if len(name) == 1} == {"v", "b", "t"}


@pytest.mark.parametrize(
    "change", [{"generation": 2}, {"digest": "e"}, {"source": "g.yaml"}, {"allow_empty": True}], ids=str
)
def test_whatever_adoption_would_change_changes_it(change: dict[str, Any]) -> None:
    assert stake.item(but(a_record(), **change)) != stake.item(a_record())

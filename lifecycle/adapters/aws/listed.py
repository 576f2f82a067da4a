"""What EC2 machines cost on demand: a snapshot of the public price list, shipped with this package.

It may be stale: its date is every such price's date. Read without a client, so that reviews need no AWS.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from importlib import resources

from lifecycle.model.money import Choice, Price

LISTED = "list price"
SNAPSHOT = "list_prices.json"


@cache
def snapshot() -> tuple[float, Mapping[str, Mapping[str, float]]]:
    """When the shipped prices were known, and they by region and type."""
    text = resources.files(__package__).joinpath(SNAPSHOT).read_text()
    found = json.loads(text)
    return datetime.fromisoformat(found["known"]).replace(tzinfo=UTC).timestamp(), found["on_demand"]


def listed(region: str, choices: Iterable[Choice]) -> dict[Choice, Price]:
    """What the types of these choices cost on demand, whatever their market; unknown types are left out."""
    at, prices = snapshot()
    here = prices.get(region, {})
    return {
        choice: Price(dollars=here[choice.instance_type], at=at, source=LISTED)
        for choice in choices
        if choice.instance_type in here
    }

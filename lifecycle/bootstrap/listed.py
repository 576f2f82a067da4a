"""Prices that are known without asking anybody."""

from __future__ import annotations

from lifecycle.model.fleet import FleetSpec
from lifecycle.model.money import Choice, Price


def list_prices(spec: FleetSpec, choices: frozenset[Choice]) -> dict[Choice, Price]:
    """What machines of these types cost on demand, where this package ships a list; spot ones as if on demand."""
    if spec.provider != "aws" or spec.region is None:
        return {}
    from lifecycle.adapters.aws.listed import listed

    return listed(spec.region, choices)

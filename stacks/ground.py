"""The foundation that a fleet's stack stands on, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi

from stacks.foundation import partition_of
from stacks.names import Names


@dataclass(frozen=True)
class Ground:
    """What the foundation's outputs say."""

    names: Names
    boundary: str


async def of(region: str) -> Ground:
    """Reads the foundation's stack. Raises pulumi.RunError when there is none of this region."""
    name = f"foundation-{region}"
    stack = pulumi.StackReference(f"{pulumi.get_organization()}/{pulumi.get_project()}/{name}")
    found = {output: await _value(stack, output) for output in ("account", "bucket", "table", "queue", "boundary")}
    if missing := sorted(output for output, value in found.items() if not value):
        raise pulumi.RunError(
            f"the stack {name} has no {', '.join(missing)}: "
            f"`pulumi stack init {name}`, `pulumi config set aws:region {region}` and `pulumi up` make it"
        )
    names = Names(
        partition=partition_of(region),
        account=found["account"],
        region=region,
        bucket=found["bucket"],
        table=found["table"],
        queue=found["queue"],
        owner=found["bucket"],
    )
    return Ground(names=names, boundary=found["boundary"])


async def _value(stack: pulumi.StackReference, output: str) -> Any:
    return (await stack.get_output_details(output)).value

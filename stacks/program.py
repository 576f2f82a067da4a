"""One project, two kinds of stack: which one this is follows from the stack's name."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pulumi

from lifecycle.model.errors import SteadyError
from stacks import bundle, foundation

FOUNDATION = "foundation-"


async def program() -> dict[str, Any]:
    """Declares the resources of the selected stack. Raises pulumi.RunError with what to do."""
    stack = pulumi.get_stack()
    if stack.startswith(FOUNDATION):
        region = stack.removeprefix(FOUNDATION)
        foundation.check_region(region)
        return await foundation.declare(region, await _software())
    raise pulumi.RunError(
        f"stack {stack!r}: fleet stacks are not built yet in this version; "
        f"`pulumi stack init {FOUNDATION}us-east-1` makes what they will stand on"
    )


async def _software() -> Path:
    """What machines will install: this checkout, or the file that `steady:bundle` names. Raises pulumi.RunError."""
    given = pulumi.Config("steady").get("bundle")
    try:
        found = Path(given) if given else await asyncio.to_thread(bundle.built)
        bundle.digest_of(found)
    except SteadyError as error:
        raise pulumi.RunError(f"{error.what}; {error.fix}") from None
    return found

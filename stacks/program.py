"""One project, two kinds of stack: which one this is follows from the stack's name."""

from __future__ import annotations

from typing import Any

import pulumi

from stacks import foundation

FOUNDATION = "foundation-"


async def program() -> dict[str, Any]:
    """Declares the resources of the selected stack. Raises pulumi.RunError with what to do."""
    stack = pulumi.get_stack()
    if stack.startswith(FOUNDATION):
        return await foundation.declare(stack.removeprefix(FOUNDATION))
    raise pulumi.RunError(
        f"stack {stack!r}: fleet stacks are not built yet in this version; "
        f"`pulumi stack init {FOUNDATION}us-east-1` makes what they will stand on"
    )

"""What the foundation's stack tells, read with the user's own `pulumi login`; no checkout is needed."""

from __future__ import annotations

import msgspec

from lifecycle.adapters.pulumi.workspace import ANSWER, Workspace
from lifecycle.model.codec import convert
from lifecycle.model.errors import SteadyError
from lifecycle.model.foundation import Foundation, stack_of


def foundation(region: str, *, within: float = ANSWER) -> Foundation:
    """The foundation of a region, told within so many seconds. Raises SteadyError when there is none to be read."""
    stack = stack_of(region)
    with Workspace(stack, region, answer=within) as work:
        outputs = work.outputs()
    if not outputs:
        raise SteadyError(
            f"no foundation in {region}",
            fix=f"in a checkout: `pulumi stack init {stack}`, `pulumi config set aws:region {region}`, `pulumi up` "
            "(README, On AWS)",
            about="foundation",
        )
    try:
        return convert(outputs, Foundation)
    except msgspec.ValidationError as error:
        raise SteadyError(
            f"the foundation in {region} is of another version: {error}",
            fix=f"`pulumi up --stack {stack}`",
            about="foundation",
        ) from None

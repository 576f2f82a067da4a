"""What the fleets of one AWS account and region stand on, as the foundation stack's outputs tell it."""

from __future__ import annotations

import msgspec

STACK = "foundation-"
"""How the foundation's stack is called; the region follows."""


class Foundation(msgspec.Struct, frozen=True, kw_only=True):
    """The outputs of a foundation stack. Unknown ones are ignored, so that neighbouring versions get on."""

    owner: str
    account: str
    region: str
    bucket: str
    table: str
    queue: str
    queue_url: str
    boundary: str
    controller_role: str = ""


def stack_of(region: str) -> str:
    """The name of a region's foundation stack."""
    return f"{STACK}{region}"

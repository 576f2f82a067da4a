"""The foundation that a fleet's stack stands on, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

from stacks.names import Names


@dataclass(frozen=True)
class Ground:
    """What the foundation's outputs say."""

    names: Names
    boundary: str
    """The ARN of the policy that bounds the fleet's role."""

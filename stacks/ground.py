"""The foundation that a fleet's stack stands on, as plain values."""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.model.foundation import Foundation
from stacks.names import Names, partition


@dataclass(frozen=True)
class Ground:
    """What the foundation's outputs say."""

    names: Names
    boundary: str
    """The ARN of the policy that bounds the fleet's role."""

    @classmethod
    def of(cls, foundation: Foundation) -> Ground:
        """Raises ValueError when a name could mean more than itself in a policy."""
        names = Names(
            partition=partition(foundation.region),
            account=foundation.account,
            region=foundation.region,
            bucket=foundation.bucket,
            table=foundation.table,
            queue=foundation.queue,
            owner=foundation.owner,
        )
        return cls(names=names, boundary=foundation.boundary)

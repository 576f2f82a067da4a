"""One rank's share in an attempt of a gang."""

from __future__ import annotations

import msgspec

from lifecycle.model.states import Cause, Outcome


class Member(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The machine that a rank of the attempt was given to, and how it ended there; `outcome` None: not yet."""

    node: str
    incarnation: int
    outcome: Outcome | None = None
    cause: Cause | None = None
    witnessed: bool = True

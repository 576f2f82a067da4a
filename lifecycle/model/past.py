"""The past of a fleet: what its tracker keeps for ever."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lifecycle.model.records import Attempt, Incarnation, Receipt


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """Every attempt and receipt by run, every creation claim by node; each oldest first. It outlives `destroy`."""

    attempts: Mapping[str, tuple[Attempt, ...]] = {}
    receipts: Mapping[str, tuple[Receipt, ...]] = {}
    claims: Mapping[str, tuple[Incarnation, ...]] = {}

"""Rows read before: most of what is read again and again has not changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from lifecycle.ports.tracker import Row

R = TypeVar("R", bound=msgspec.Struct)


class Readings:
    """What rows hold. One that has not changed is not decoded again; `decoded` may raise, then nothing is kept."""

    def __init__(self, decoded: Callable[[Row, type[Any]], Any]) -> None:
        self._decoded = decoded
        self._read: dict[tuple[type[Any], str, str], tuple[bytes, Any]] = {}

    def each(self, found: Iterable[Row], kind: type[R]) -> dict[str, R]:
        return {row.name: self.read(row, kind) for row in found}

    def read(self, row: Row, kind: type[R]) -> R:
        key = (kind, row.name, row.writer)
        known = self._read.get(key)
        if known is None or known[0] != row.body:
            known = self._read[key] = (row.body, self._decoded(row, kind))
        record: R = known[1]
        return record

"""Rows read before: most of what is read again and again has not changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import msgspec

from lifecycle.ports.tracker import Row

R = TypeVar("R", bound=msgspec.Struct)


class Readings:
    """What rows hold. One that has not changed is not decoded again; `decoded` may raise, then nothing is kept."""

    def __init__(self, decoded: Callable[[Row, type[Any]], Any]) -> None:
        self._decoded = decoded
        self._read: dict[type[Any], dict[tuple[str, str], tuple[bytes, Any]]] = defaultdict(dict)

    def each(self, found: Iterable[Row], kind: type[R]) -> dict[str, R]:
        return {row.name: record for row, record in self.pairs(found, kind)}

    def pairs(self, found: Iterable[Row], kind: type[R]) -> Iterator[tuple[Row, R]]:
        """Every row with what it holds."""
        read = self._read[kind]
        for row in found:
            key = (row.name, row.writer)
            known = read.get(key)
            if known is None or known[0] != row.body:
                known = read[key] = (row.body, self._decoded(row, kind))
            yield row, known[1]

    def read(self, row: Row, kind: type[R]) -> R:
        return next(record for _, record in self.pairs((row,), kind))

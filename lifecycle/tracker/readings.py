"""Rows read before: most of what is read again and again has not changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import msgspec

from lifecycle.ports.tracker import Row

R = TypeVar("R", bound=msgspec.Struct)

_OfWriters = dict[str, tuple[bytes, Any]]

REMEMBERED = 10_000
"""Names of a kind that are kept beside those read last: nodes go on to have other incarnations."""


class Readings:
    """What rows hold. One that has not changed is not decoded again; `decoded` may raise, then nothing is kept.

    Of what several machines wrote under one name only what was read last is kept: machines come and go. So does a
    controller's memory of what is read no more.
    """

    def __init__(self, decoded: Callable[[Row, type[Any]], Any]) -> None:
        self._decoded = decoded
        self._read: dict[type[Any], dict[str, _OfWriters]] = defaultdict(dict)

    def each(self, found: Iterable[Row], kind: type[R]) -> dict[str, R]:
        return {row.name: record for row, record in self.pairs(found, kind)}

    def pairs(self, found: Iterable[Row], kind: type[R]) -> Iterator[tuple[Row, R]]:
        """Every row with what it holds."""
        read, fresh = self._read[kind], dict[str, _OfWriters]()
        for row in found:
            known = read.get(row.name, {}).get(row.writer)
            if known is None or known[0] != row.body:
                known = (row.body, self._decoded(row, kind))
            fresh.setdefault(row.name, {})[row.writer] = known
            yield row, known[1]
        if len(read) > len(fresh) + REMEMBERED:
            read.clear()
        read.update(fresh)

    def read(self, row: Row, kind: type[R]) -> R:
        return self.each((row,), kind)[row.name]

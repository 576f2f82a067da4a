"""What of a node was put right lately, and how often: what shows that somebody else keeps changing it."""

from __future__ import annotations

from lifecycle.model.records import Record


class Correction(Record, frozen=True, kw_only=True):
    """When one field of one node was put right (`at`), under one generation of the spec.

    `times` are the last ones, oldest first, that somebody else had changed it: then it was put back.
    `said` is what the provider told, before the last of them, of who had changed it; empty where it does not know.
    `off_at` is when, by the provider's clock, the machine had gone off that was then switched on.
    """

    node: str
    field: str
    times: tuple[float, ...]
    generation: int
    said: str = ""
    off_at: float | None = None
    at: float = 0.0

    @property
    def last(self) -> float:
        return max((self.at, *self.times))

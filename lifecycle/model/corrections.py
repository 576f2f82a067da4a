"""How often a field of a node was put back lately: what shows that somebody else keeps changing it."""

from __future__ import annotations

from lifecycle.model.records import Record


class Correction(Record, frozen=True, kw_only=True):
    """The last times that one field of one node was put back, oldest first, under one generation of the spec.

    `said` is what the provider told, before the last of them, of who had changed it; empty where it does not know.
    `off_at` is when, by the provider's clock, the machine had gone off that was then switched on.
    """

    node: str
    field: str
    times: tuple[float, ...]
    generation: int
    said: str = ""
    off_at: float | None = None

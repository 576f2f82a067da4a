"""Measurements as monitoring systems take them: named, labelled, in base units (seconds, dollars, ratios)."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Measure(StrEnum):
    GAUGE = "gauge"
    COUNTER = "counter"
    """Only grows, whoever reads it and from whichever tick."""


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """All measurements of one name. `labels` are in the order in which a sample gives their values."""

    name: str
    measure: Measure
    about: str
    labels: tuple[str, ...]


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    family: Family
    labels: tuple[str, ...]
    value: float

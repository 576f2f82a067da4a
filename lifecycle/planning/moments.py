"""Moments in the words that everybody reads alike."""

from __future__ import annotations

from datetime import UTC, datetime

LAST = datetime(9999, 12, 31, 23, 59, tzinfo=UTC).timestamp()
"""No calendar goes further."""


def utc(at: float) -> str:
    """`2026-11-26 20:00 UTC`"""
    return datetime.fromtimestamp(min(at, LAST), UTC).strftime("%Y-%m-%d %H:%M UTC")

"""Moments in the words that everybody reads alike."""

from __future__ import annotations

from datetime import UTC, datetime


def utc(at: float) -> str:
    """`2026-11-26 20:00 UTC`"""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")

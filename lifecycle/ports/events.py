"""Waking a waiting loop early. Missing a wake is harmless: everything is level-based."""

from __future__ import annotations

from typing import Protocol


class Wake(Protocol):
    @property
    def trouble(self) -> str:
        """What kept it from hearing when last tried, in one line; empty when nothing did."""
        ...

    def ring(self) -> None:
        """Somebody should look again soon. Never raises."""
        ...

    def wait(self, seconds: float) -> bool:
        """Waits for a ring, at most `seconds`; True when there was one since the last wait."""
        ...

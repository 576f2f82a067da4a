"""What machines cost, as far as that can be told. Asking may cost a call; nothing is changed by it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from lifecycle.model.money import Choice, Price


class Prices(Protocol):
    @property
    def trouble(self) -> str:
        """What kept it from asking a source when last tried, in one line; empty when nothing did."""
        ...

    def known(self, choices: Collection[Choice]) -> Mapping[Choice, Price]:
        """The prices of these that are known now, each with when that was known. Never raises SteadyError.

        Of a choice that leaves type or zone to the provider, the most that it may cost.
        """
        ...

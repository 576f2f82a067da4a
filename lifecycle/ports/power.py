"""The machine's own power, where its agent has a say in it: on AWS."""

from __future__ import annotations

from typing import Protocol


class Power(Protocol):
    """Neither raises: what fails is asked for again, or ends otherwise."""

    def keep(self) -> None:
        """Calls off the power-off that the first boot scheduled."""
        ...

    def off(self) -> None:
        """Powers the machine off, as if a person had: a notice like any other follows."""
        ...

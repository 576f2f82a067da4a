"""Where fleets were used from a state directory, on AWS or on plugged-in providers: a fleet's name is enough."""

from __future__ import annotations

from pathlib import Path

from lifecycle.adapters.local.layout import StateDirectory
from lifecycle.model.foundation import Foundation
from lifecycle.system.files import read_record, write_record


class Known:
    """Small files below the state directory. A file that cannot be read is one that is not there.

    A place is a region, or `provider NAME` for machines of a provider that another package registers.
    """

    def __init__(self, state: Path) -> None:
        self._state = StateDirectory(state.absolute())
        self._foundations, self._fleets = state.absolute() / "foundations", state.absolute() / "fleets"

    def regions(self) -> tuple[str, ...]:
        """Those of the foundations that were used from here."""
        return tuple(sorted(path.stem for path in self._foundations.glob("*.json")))

    def foundation(self, region: str) -> Foundation | None:
        return read_record(self._foundations / f"{region}.json", Foundation)

    def providers(self) -> tuple[str, ...]:
        """Those registered by other packages whose fleets were used from here."""
        return tuple(sorted(path.name for path in (self._state.path / "providers").glob("*")))

    def state_of(self, provider: str) -> Path:
        """The state directory of a provider's fleets."""
        return self._state.path / "providers" / provider

    def place_of(self, fleet: str) -> str | None:
        """Where this fleet was last used; None when on this computer only, as far as this directory knows."""
        return read_record(self._fleets / f"{fleet}.json", str)

    def remember(self, foundation: Foundation, fleet: str | None) -> None:
        """Raises StateUnusable when the directory cannot be written."""
        with self._state.writing():
            self._foundations.mkdir(exist_ok=True)
            write_record(self._foundations / f"{foundation.region}.json", foundation)
        if fleet is not None:
            self.used(fleet, foundation.region)

    def used(self, fleet: str, place: str) -> None:
        """Raises StateUnusable when the directory cannot be written."""
        with self._state.writing():
            self._fleets.mkdir(exist_ok=True)
            write_record(self._fleets / f"{fleet}.json", place)

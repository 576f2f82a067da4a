"""Which foundations and fleets on AWS were used from a state directory, so that a fleet's name is enough."""

from __future__ import annotations

from pathlib import Path

from lifecycle.adapters.local.layout import StateDirectory
from lifecycle.model.foundation import Foundation
from lifecycle.system.files import read_record, write_record


class Known:
    """Small files below the state directory. A file that cannot be read is one that is not there."""

    def __init__(self, state: Path) -> None:
        self._state = StateDirectory(state.absolute())
        self._foundations, self._fleets = state.absolute() / "foundations", state.absolute() / "fleets"

    def regions(self) -> tuple[str, ...]:
        """Those of the foundations that were used from here."""
        return tuple(sorted(path.stem for path in self._foundations.glob("*.json")))

    def foundation(self, region: str) -> Foundation | None:
        return read_record(self._foundations / f"{region}.json", Foundation)

    def region_of(self, fleet: str) -> str | None:
        """Where this fleet was last used; None when never on AWS, as far as this directory knows."""
        return read_record(self._fleets / f"{fleet}.json", str)

    def remember(self, foundation: Foundation, fleet: str | None) -> None:
        """Raises StateUnusable when the directory cannot be written."""
        with self._state.writing():
            self._foundations.mkdir(exist_ok=True)
            write_record(self._foundations / f"{foundation.region}.json", foundation)
            if fleet is not None:
                self._fleets.mkdir(exist_ok=True)
                write_record(self._fleets / f"{fleet}.json", foundation.region)

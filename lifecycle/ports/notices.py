"""The machine's own metadata service: who it is, and what the provider is about to do to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from lifecycle.model.records import Notice


class MachineIdentity(msgspec.Struct, frozen=True, kw_only=True):
    instance: str
    tags: Mapping[str, str]


class Metadata(Protocol):
    """Raises Unreadable when the service does not answer in time, or not sensibly."""

    def identity(self) -> MachineIdentity: ...

    def notices(self) -> Sequence[Notice]:
        """Every notice that stands now. The same notice keeps its id from look to look."""
        ...

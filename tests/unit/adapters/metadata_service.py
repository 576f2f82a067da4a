"""The real metadata service of one machine, for whoever asks it."""

from __future__ import annotations

from lifecycle.adapters.local.imds import MetadataServer
from lifecycle.adapters.local.layout import MachineRecord, StandingNotice
from lifecycle.model import tags
from lifecycle.model.fleet import Market
from lifecycle.model.ids import NodeName
from tests.builders import NODE, NOW

RECORD = MachineRecord(
    id="l-1",
    fleet="f",
    node=NODE,
    incarnation=2,
    market=Market.ON_DEMAND,
    created_at=NOW,
    tags=tags.identity("owner-1", NodeName.parse(NODE), 2),
    instance_type="small",
    zone="z1",
)


class Service:
    """A service for all tests of a module: to stop one takes half a second."""

    def __init__(self) -> None:
        self.standing: list[StandingNotice] = []
        self.server = MetadataServer(lambda: RECORD, lambda: self.standing)

    def fresh(self) -> Service:
        """As if nobody had asked it yet."""
        self.standing.clear()
        self.server._tokens.clear()
        return self

    def close(self) -> None:
        self.server._server.shutdown()
        self.server._server.server_close()

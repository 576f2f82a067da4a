"""Desired: what one spec file declares. Frozen values with the defaults of `specs/fleet.schema.json`.

The schema is the contract people read; `tests/unit/specfile/test_schema.py` proves that both say the same.
Units: durations are seconds (`Duration`), sizes are bytes (`Size`), prices are dollars per hour.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Any, Literal

import msgspec

from lifecycle.model.ids import NodeName, gang_run_id, run_id
from lifecycle.model.quantities import Duration, Size


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a spec: immutable, every field named, unknown fields refused."""


class Mode(StrEnum):
    INDEPENDENT = "independent"
    GANG = "gang"


class Market(StrEnum):
    SPOT = "spot"
    ON_DEMAND = "on_demand"


class Profile(StrEnum):
    SCRIPT = "script"
    TORCHRUN = "torchrun"
    TRANSFORMERS = "transformers"
    LIGHTNING = "lightning"


class Resume(StrEnum):
    AUTO = "auto"
    MANUAL = "manual"
    NEVER = "never"


class OnCompletion(StrEnum):
    TERMINATE = "terminate"
    STOP = "stop"
    KEEP = "keep"


class WithoutCheckpoint(StrEnum):
    REFUSE = "refuse"
    FORCE = "force"


class DriftPolicy(StrEnum):
    REPORT = "report"
    RESTORE = "restore"
    REPLACE = "replace"


class Fallback(Part, frozen=True, kw_only=True):
    to: Market
    after: Duration


class Train(Part, frozen=True, kw_only=True):
    command: tuple[str, ...]
    workdir: str = "."
    env: dict[str, str] = {}
    hyperparameters: dict[str, Any] = {}
    profile: Profile = Profile.SCRIPT
    resume: Resume = Resume.AUTO
    run: str = "main"
    on_completion: OnCompletion = OnCompletion.TERMINATE


class Checkpoint(Part, frozen=True, kw_only=True):
    directory: str = "checkpoints"
    every: Duration = Duration(600)
    max_lost_work: Duration | None = None
    save_time: Duration = Duration(30)
    size: Size | None = None
    keep: int = 3


class Stop(Part, frozen=True, kw_only=True):
    grace: Duration = Duration(90)
    without_checkpoint: WithoutCheckpoint = WithoutCheckpoint.REFUSE


class Hook(Part, frozen=True, kw_only=True):
    run: tuple[str, ...]
    timeout: Duration = Duration(60)
    on_failure: Literal["block", "continue"] = "block"


class Hooks(Part, frozen=True, kw_only=True):
    post_start: tuple[Hook, ...] = ()
    pre_stop: tuple[Hook, ...] = ()
    pre_terminate: tuple[Hook, ...] = ()
    on_interruption: tuple[Hook, ...] = ()


class Drift(Part, frozen=True, kw_only=True):
    power: DriftPolicy = DriftPolicy.RESTORE
    market: DriftPolicy = DriftPolicy.REPORT
    instance_type: DriftPolicy = DriftPolicy.REPLACE
    tags: DriftPolicy = DriftPolicy.RESTORE
    image: DriftPolicy = DriftPolicy.REPORT
    security_group: DriftPolicy = DriftPolicy.RESTORE
    role: DriftPolicy = DriftPolicy.RESTORE
    foreign_process: DriftPolicy = DriftPolicy.REPORT


class Retries(Part, frozen=True, kw_only=True):
    """How many failures of one cause in a row, without a newer checkpoint, are tried again."""

    spot: int = 50
    hardware: int = 3
    user_error: int = 1


class Budget(Part, frozen=True, kw_only=True):
    per_hour: float | None = None
    total: float | None = None
    idle_stop: Duration | None = None
    retries: Retries = Retries()


class Schedule(Part, frozen=True, kw_only=True):
    stop: str
    start: str
    timezone: str = "UTC"


class Pool(Part, frozen=True, kw_only=True):
    train: Train
    nodes: int = 1
    mode: Mode = Mode.INDEPENDENT
    market: Market = Market.SPOT
    fallback: Fallback | None = None
    max_price: float | None = None
    instance_types: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    image: str | None = None
    disk: Size = Size(200 * 1024**3)
    checkpoint: Checkpoint = Checkpoint()
    stop: Stop = Stop()
    hooks: Hooks = Hooks()
    drift: Drift = Drift()
    unreachable_after: Duration = Duration(1800)
    budget: Budget = Budget()
    schedule: Schedule | None = None


class Aws(Part, frozen=True, kw_only=True):
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()


class LocalNotice(Part, frozen=True, kw_only=True):
    """A notice that the local provider gives by itself, once per node, ever.

    `after` counts from the node's first start of training; `lead` is the time from notice to end.
    """

    node: str
    after: Duration
    lead: Duration = Duration(120)
    cause: Literal["spot", "rebalance", "maintenance"] = "spot"


class Local(Part, frozen=True, kw_only=True):
    notices: tuple[LocalNotice, ...] = ()


class FleetSpec(Part, frozen=True, kw_only=True):
    version: Literal[1]
    fleet: str
    provider: str
    pools: dict[str, Pool]
    region: str | None = None
    aws: Aws = Aws()
    secrets: dict[str, str] = {}
    local: Local = Local()

    def nodes(self) -> tuple[NodeName, ...]:
        """Every node the spec declares, pool by pool, in order."""
        return _nodes(self.fleet, tuple(sorted((name, pool.nodes) for name, pool in self.pools.items())))

    def declares(self, node: NodeName) -> bool:
        """Whether this slot of the fleet is declared."""
        pool = self.pools.get(node.pool)
        return pool is not None and node.index < pool.nodes

    def run_of(self, node: NodeName) -> str:
        """The id of the run that `node` trains."""
        pool = self.pools[node.pool]
        if pool.mode is Mode.GANG:
            return gang_run_id(self.fleet, node.pool, pool.train.run)
        return run_id(node, pool.train.run)


@lru_cache(maxsize=100)
def _nodes(fleet: str, pools: tuple[tuple[str, int], ...]) -> tuple[NodeName, ...]:
    """A tick asks for them over and over."""
    return tuple(NodeName(fleet, name, index) for name, count in pools for index in range(count))

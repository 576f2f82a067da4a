"""What the tracker keeps. One writer each: the controller, or (marked so) the node's own agent.

Times are seconds since the epoch (wall clock, UTC); they are shown and compared with deadlines, never
used to decide who came first: numbers (order, attempt, fence) do that.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from lifecycle.model.demand import Demand
from lifecycle.model.fleet import FleetSpec, Hooks, Market, OnCompletion, Profile, WithoutCheckpoint
from lifecycle.model.gang import Member
from lifecycle.model.hooks import HookDone
from lifecycle.model.hours import Hours
from lifecycle.model.money import Meter, Use
from lifecycle.model.states import Cause, RunState, StopReason
from lifecycle.model.states import Outcome as Outcome
from lifecycle.model.tally import Tally


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Unknown fields are ignored when read, so that neighbouring versions understand each other."""


class SpecRecord(Record, frozen=True, kw_only=True):
    """The spec that `reconcile` acts on. Written by `apply`, removed by `destroy`."""

    fleet: str
    generation: int
    digest: str
    source: str
    text: str
    spec: FleetSpec
    applied_at: float
    applied_by: str
    allow_empty: bool = False
    destroying: bool = False
    """`destroy` was asked for: every node is to go, then this record."""
    earlier: tuple[str, ...] = ()
    """The digests of the texts that stood before, oldest first."""
    launches_from: float = 0.0
    """Machines made before are not held against the fleet."""


class Placement(Record, frozen=True, kw_only=True):
    """What the controller decided for one node within the spec; the provisioner makes it true."""

    node: str
    market: Market
    instance_type: str = ""
    zone: str = ""
    incarnation: int = 1
    present: bool = True
    powered: bool = True
    reason: StopReason | None = None
    run: str | None = None
    """The name of the run whose end keeps the node away; it counts for that run name only."""


class Incarnation(Record, frozen=True, kw_only=True):
    """A creation claim, and then the life of the machine made under it."""

    node: str
    number: int
    market: Market
    claimed_at: float
    claimed_by: str
    instance_type: str = ""
    zone: str = ""
    instance: str | None = None
    ended_at: float | None = None
    cause: Cause | None = None
    tried_at: float | None = None
    """Its creation was begun, and how that ended is not known yet."""
    form: str = ""
    """A digest of what its machine is made of beside market, type and zone; empty where that is not known."""
    meter: Meter = Meter()
    worn: dict[str, str] = {}
    """The machine's security group and role when it was first seen."""
    recent: tuple[float, ...] = ()
    """When the node's earlier claims of the last hour were written."""


class Shortage(Record, frozen=True, kw_only=True):
    """The provider had no machine of this market, type and zone: since when without a break, and when last."""

    market: Market
    instance_type: str
    zone: str
    since: float
    at: float
    said: str = ""


class DrainClaim(Record, frozen=True, kw_only=True):
    """The right and the duty to empty one machine. While it stands nothing trains there."""

    node: str
    instance: str
    drain: str
    by: str
    purpose: StopReason
    cause: Cause
    asked_at: float
    grace: float
    policy: WithoutCheckpoint
    expires_at: float
    ends: bool = False
    """The machine is to be ended, not only stopped."""
    blocking: bool = True
    """A hook that fails may refuse it."""


class Receipt(Record, frozen=True, kw_only=True):
    """Proof of one checkpoint in the store. Written by the agent, once.

    `epoch` is the number of the attempt that made it; `request` the id of the ask it answers, if any. Of a gang
    each rank tells of the whole; `name` is what that rank calls its part.
    """

    run: str
    epoch: int
    step: int
    digest: str
    size: int
    at: float
    name: str
    prefix: str
    node: str
    request: str | None = None
    pruned: bool = False
    """Its objects are no longer kept (set by the controller)."""

    @property
    def rank(self) -> tuple[int, int]:
        return self.epoch, self.step


class Attempt(Record, frozen=True, kw_only=True):
    """One start of a run's processes. Its number is the run's epoch while it lasts.

    `earlier` are the digests that were eligible when it was given out: a receipt of an older epoch that
    is not among them came too late and is history, never a resume point. `lost_steps` are steps of
    earlier attempts that this one has to do again. `witnessed`: its agent saw it end, with all shipped.
    """

    run: str
    number: int
    node: str
    incarnation: int
    market: Market
    given_at: float
    fingerprint: str
    earlier: tuple[str, ...] = ()
    started_at: float | None = None
    from_step: int | None = None
    ended_at: float | None = None
    to_step: int | None = None
    outcome: Outcome | None = None
    cause: Cause | None = None
    exact: bool = True
    forced: tuple[int, int] | None = None
    receipt: Receipt | None = None
    lost_steps: int = 0
    spared_steps: int = 0
    detail: str = ""
    witnessed: bool = True
    noticed: tuple[str, ...] = ()
    """The provider's warnings to its machines that are in the run's tally."""
    members: tuple[Member, ...] = ()
    """Of a gang: its ranks in order. `node` and `incarnation` are then those of rank 0."""

    @property
    def open(self) -> bool:
        return self.outcome is None

    @property
    def ranks(self) -> tuple[Member, ...]:
        """Whom it was given to: one machine, or a gang's."""
        return self.members or (Member(node=self.node, incarnation=self.incarnation),)


class Reached(Record, frozen=True, kw_only=True):
    """How far the last attempt got; what lies beyond the next start's step was lost to `cause`."""

    attempt: int
    step: int
    cause: Cause
    exact: bool


class Run(Record, frozen=True, kw_only=True):
    """One training job's life across machines."""

    run: str
    name: str
    pool: str
    nodes: tuple[str, ...]
    state: RunState
    since: float
    hyperparameters: dict[str, Any] = {}
    attempt: Attempt | None = None
    allowed: int = 0
    """The attempt a person let start (`steady start --resume`), whatever policy and budget say."""
    failures: dict[str, int] = {}
    """Failures in a row by cause; a newer receipt than `mark` clears them."""
    mark: tuple[int, int] | None = None
    reached: Reached | None = None
    stale_since: float | None = None
    """Its checkpoint is over `max_lost_work` and the save ordered did not come; until a newer one is there."""
    lost: dict[str, int] = {}
    lost_exact: bool = True
    spared: int = 0
    result: Any = None
    hours: Hours = Hours()
    tally: Tally = Tally()


class Desired(StrEnum):
    TRAINING = "training"
    SAVED = "saved"
    STOPPED = "stopped"


class Assignment(Record, frozen=True, kw_only=True):
    """All that an agent needs to run one attempt; it never reads the spec.

    `resume` lists the eligible receipts, newest first: the first whose objects are sound is used.
    """

    run: str
    attempt: int
    pool: str
    command: tuple[str, ...]
    workdir: str
    profile: Profile
    checkpoint_directory: str
    keep: int
    save_time: float
    grace: float
    policy: WithoutCheckpoint
    fingerprint: str
    env: dict[str, str] = {}
    secrets: dict[str, str] = {}
    """ARNs by the variable that the trainer finds their values in; what they hold is never written down."""
    hyperparameters: dict[str, Any] = {}
    resume: tuple[Receipt, ...] = ()
    rank: int = 0
    count: int = 1
    master: str = "127.0.0.1"
    port: int = 0
    """Where rank 0 of a gang listens; 0: any that is free."""
    nodes: tuple[str, ...] = ()
    """Of a gang: the nodes of all ranks, in order."""
    on_completion: OnCompletion = OnCompletion.KEEP
    hooks: Hooks = Hooks()
    watch_use: bool = False
    """How the trainer uses its machine is measured and told."""


class Order(Record, frozen=True, kw_only=True):
    """What the controller wants of a node's agent. A training order authorises exactly one attempt."""

    node: str
    number: int
    incarnation: int
    desired: Desired
    reason: str
    at: float
    assignment: Assignment | None = None
    save: str | None = None
    """The id of the save asked for, with `desired: saved`."""
    lost_to: Cause | None = None
    """With `desired: stopped`: a rank of its gang is gone, booked to this. Nothing can be saved any more."""


class Notice(Record, frozen=True, kw_only=True):
    """A warning from the provider. `deadline` is None for advice (rebalance)."""

    id: str
    cause: Cause
    seen_at: float
    deadline: float | None = None


class Status(StrEnum):
    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Record, frozen=True, kw_only=True):
    """An observation with its reason, as in Kubernetes: what is absent is unknown."""

    type: str
    status: Status
    reason: str
    message: str
    since: float


class Phase(StrEnum):
    IDLE = "idle"
    RESTORING = "restoring"
    TRAINING = "training"
    SAVING = "saving"
    SHIPPING = "shipping"
    HOOKS = "hooks"  # nothing trains, and a hook runs


class Ended(Record, frozen=True, kw_only=True):
    """How the last attempt on this node ended, as its agent judged it."""

    run: str
    attempt: int
    outcome: Outcome
    at: float
    started_at: float | None = None
    from_step: int | None = None
    step: int | None = None
    exact: bool = True
    cause: Cause | None = None
    forced: bool = False
    receipt: Receipt | None = None
    spared: int = 0
    result: Any = None
    detail: str = ""
    request: str | None = None
    """The ask to save and exit that ended it, put at `asked_at`; None where nobody asked."""
    asked_at: float | None = None


class DrainOutcome(StrEnum):
    SAVED = "saved"
    FORCED = "forced"
    REFUSED = "refused"
    EMPTY = "empty"  # nothing was training


class Drained(Record, frozen=True, kw_only=True):
    """The agent's answer to one drain."""

    drain: str
    outcome: DrainOutcome
    at: float
    step: int | None = None
    receipt: Receipt | None = None
    detail: str = ""
    hook: str = ""
    """The point whose hook refused it."""


class Report(Record, frozen=True, kw_only=True):
    """What a node's agent observed. Written by that agent only; `sequence` grows with each."""

    node: str
    instance: str
    incarnation: int
    sequence: int
    at: float
    phase: Phase
    order_seen: int = 0
    ready: bool = False
    """Everything newer on this disk is shipped: the next attempt may be given out."""
    run: str | None = None
    attempt: int | None = None
    from_step: int | None = None
    started_at: float | None = None
    step: int | None = None
    total: int | None = None
    """The step that its training ends at, by the trainer's own word."""
    saving: str | None = None
    """The id of the ask in flight."""
    answered: tuple[str, ...] = ()
    """The saves without exit that were answered, or given up, last."""
    shipping: int | None = None
    """Bytes shipped so far of the checkpoint on its way."""
    notice: Notice | None = None
    demand: Demand | None = None
    """What this machine itself is asked for, by notice, drain or order. Asked to leave, its whole gang is."""
    receipt: Receipt | None = None
    ended: Ended | None = None
    drained: Drained | None = None
    rejected: tuple[Receipt, ...] = ()
    """Receipts whose objects failed their digests here."""
    hook: str | None = None
    """The hook that runs now."""
    hooks: tuple[HookDone, ...] = ()
    """The last ones that ended."""
    use: Use | None = None
    conditions: tuple[Condition, ...] = ()

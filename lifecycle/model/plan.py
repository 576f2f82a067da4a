"""The plan: a value that people read before machines obey.

An `Action` is one intended change in the operator's words; its `steps` are what this tick would do
towards it. What waits for something already under way is `Waiting`; what a guard holds back, `Refusal`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from enum import StrEnum

import msgspec

from lifecycle.model.corrections import Correction
from lifecycle.model.holds import Hold
from lifecycle.model.journal import Entry
from lifecycle.model.money import Ledger, Price
from lifecycle.model.proving import SaveProof
from lifecycle.model.records import (
    Attempt,
    DrainClaim,
    Incarnation,
    Order,
    Placement,
    Receipt,
    Run,
    Shortage,
    Status,
)
from lifecycle.model.world import Machine


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable value with named fields."""


class Claim(Value, frozen=True, kw_only=True, tag="claim"):
    """Claim the drain of a machine: its agent saves and stops what trains there."""

    claim: DrainClaim


class Release(Value, frozen=True, kw_only=True, tag="release"):
    """Give the drain claim back."""

    node: str


class Converge(Value, frozen=True, kw_only=True, tag="converge"):
    """Store the placement and bring the node's machine to it: made, replaced or ended."""

    placement: Placement
    claim: Incarnation | None = None
    """The creation claim to write first, where a machine is to be made."""


class Place(Value, frozen=True, kw_only=True, tag="place"):
    """Store a placement that needs no change of machines."""

    placement: Placement


class PowerOff(Value, frozen=True, kw_only=True, tag="power_off"):
    machine: Machine


class PowerOn(Value, frozen=True, kw_only=True, tag="power_on"):
    machine: Machine


class GiveOut(Value, frozen=True, kw_only=True, tag="give_out"):
    """Give out an attempt (an epoch) and order the agent to start it."""

    run: Run
    attempt: Attempt
    order: Order
    others: tuple[Order, ...] = ()
    """Of a gang: the orders of the other ranks."""


class Instruct(Value, frozen=True, kw_only=True, tag="instruct"):
    """Write an order that gives out no attempt."""

    order: Order


class EndStray(Value, frozen=True, kw_only=True, tag="end_stray"):
    machine: Machine


class Share(Value, frozen=True, kw_only=True, tag="share"):
    """Make what the fleet's machines share as declared; no machine is touched."""


Step = Claim | Release | Converge | Place | PowerOff | PowerOn | GiveOut | Instruct | EndStray | Share


class Label(Value, frozen=True, kw_only=True):
    """What a machine's lifecycle tags are to say, for people in the provider's console; nothing reads them."""

    machine: Machine
    tags: Mapping[str, str]


class Kind(StrEnum):
    """What the operator sees happen to a node, or to the fleet. The order is the plan's: safety first."""

    STOP = "checkpoint-stop"
    SAVE = "checkpoint"
    DESTROY = "destroy"
    UPDATE = "update"
    REPLACE = "replace"
    CREATE = "create"
    ADOPT = "adopt"
    START = "start"
    RESUME = "resume"


DISRUPTIVE = (Kind.DESTROY, Kind.REPLACE, Kind.STOP)
"""Ends or stops what runs, the worst first."""

SYMBOLS = {
    Kind.STOP: "‖",
    Kind.SAVE: "‖",
    Kind.DESTROY: "-",
    Kind.UPDATE: "~",
    Kind.REPLACE: "+-",
    Kind.CREATE: "+",
    Kind.ADOPT: "+",
    Kind.START: "▶",
    Kind.RESUME: "▶",
}


class Reason(Value, frozen=True, kw_only=True):
    """Why an action is there: the cause, and the facts behind it."""

    cause: str
    evidence: str


class Action(Value, frozen=True, kw_only=True):
    kind: Kind
    node: str
    reason: Reason
    steps: tuple[Step, ...]
    lost_steps: int = 0
    """At most this many steps would have to be done again."""
    cost_per_hour: float | None = 0.0
    """Dollars per hour more (or less) than now; None when the price is not known."""
    price: Price | None = None
    """Of the machine that is made, or that goes."""
    field: str = ""
    """The field of drift that this puts back."""
    correction: Correction | None = None
    """To be written down once it is done."""


class Refusal(Value, frozen=True, kw_only=True):
    action: Kind
    node: str
    guard: str
    evidence: str
    override: str


class Waiting(Value, frozen=True, kw_only=True):
    node: str
    what: str
    until: float | None = None


class Drift(Value, frozen=True, kw_only=True):
    """One named difference between what is declared and what is."""

    node: str
    field: str
    desired: str
    actual: str
    policy: str
    preexisting: bool = True
    """Seen in the world, not caused by a change of the spec."""


class Save(Value, frozen=True, kw_only=True):
    """What is known of saving on request in one spot pool: `CheckpointOnStop`, and whether it fits a notice."""

    pool: str
    status: Status
    message: str
    fits: bool
    measured: bool = False
    """A save was seen, and its seconds count in place of the spec's estimate."""


class Plan(Value, frozen=True, kw_only=True):
    fleet: str
    generation: int
    at: float = 0.0
    drift: tuple[Drift, ...] = ()
    actions: tuple[Action, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    late: tuple[Action, ...] = ()
    """Repairs that wait for their turn in later ticks; `waiting` says so of each."""
    holds: tuple[Hold, ...] = ()
    """In force now, the schedules' among them."""
    saves: tuple[Save, ...] = ()
    labels: tuple[Label, ...] = ()
    """Bookkeeping that is carried out and not printed."""

    @property
    def settled(self) -> bool:
        """Actual equals desired, as far as anything may be done about it."""
        return not self.actions and not self.waiting

    def converged(self, errors: Collection[str]) -> bool:
        """Whether nothing is to be done, waited for or refused, and nothing failed in the tick it is of."""
        return self.settled and not self.refusals and not errors

    @property
    def makes(self) -> bool:
        """Whether a machine is to be made."""
        return any(action.kind in (Kind.CREATE, Kind.REPLACE) for action in self.actions)

    def count(self, kind: Kind) -> int:
        return Counter(action.kind for action in self.actions)[kind]

    @property
    def lost_steps(self) -> int:
        return sum(action.lost_steps for action in self.actions)

    @property
    def cost_per_hour(self) -> float | None:
        """The change in dollars per hour; None when a price is not known."""
        costs = [action.cost_per_hour for action in self.actions]
        return None if None in costs else sum(cost for cost in costs if cost)


class Facts(Value, frozen=True, kw_only=True):
    """What an observation settles: records to write before planning. No machine is touched by them."""

    runs: tuple[Run, ...] = ()
    incarnations: tuple[Incarnation, ...] = ()
    rejections: tuple[Receipt, ...] = ()
    released: tuple[str, ...] = ()
    """Nodes whose drain claim names a machine that is gone, or has run out."""
    spent: tuple[Hold, ...] = ()
    spent_allowances: tuple[str, ...] = ()
    over: tuple[Shortage, ...] = ()
    proofs: tuple[SaveProof, ...] = ()
    ledgers: tuple[Ledger, ...] = ()
    """Written before the claims that are booked in them say so."""
    calm: tuple[Correction, ...] = ()
    """What was last put back so long ago that it says nothing any more."""
    entries: tuple[Entry, ...] = ()

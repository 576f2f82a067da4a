"""Builders with sound defaults: a test names only what its story is about.

The world of the pure tests: fleet `f`, pool `t`, node `f/t/0`, machine `m1`, run `f.t.main.0`, time NOW.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lifecycle.model.codec import convert
from lifecycle.model.fleet import FleetSpec, Market, Profile, WithoutCheckpoint
from lifecycle.model.holds import Allowance, Hold, HoldKind
from lifecycle.model.journal import Tick
from lifecycle.model.money import Choice, Meter, Price, Quote
from lifecycle.model.proving import SaveOutcome, SaveProof
from lifecycle.model.records import (
    Assignment,
    Attempt,
    Desired,
    DrainClaim,
    Drained,
    DrainOutcome,
    Ended,
    Incarnation,
    Notice,
    Order,
    Outcome,
    Phase,
    Placement,
    Receipt,
    Report,
    Run,
    Shortage,
    SpecRecord,
)
from lifecycle.model.states import Cause, InstanceState, RunState, StopReason
from lifecycle.model.world import Machine, Observed
from lifecycle.planning.attempts import fingerprint

NOW = 1_800_000_000.0
NODE, RUN = "f/t/0", "f.t.main.0"


def a_spec(**pool: Any) -> FleetSpec:
    """One pool `t`; `train` is merged into the default train section."""
    train = {"command": ["python", "train.py"], **pool.pop("train", {})}
    fleet = {"version": 1, "fleet": "f", "provider": "local", "pools": {"t": {**pool, "train": train}}}
    return convert(fleet, FleetSpec)


def a_record(spec: FleetSpec | None = None, **changes: Any) -> SpecRecord:
    fields = {
        "fleet": "f",
        "generation": 1,
        "digest": "d",
        "source": "/specs/f.yaml",
        "text": "",
        "spec": spec or a_spec(),
        "applied_at": NOW,
        "applied_by": "somebody",
    }
    return SpecRecord(**{**fields, **changes})


def a_machine(**changes: Any) -> Machine:
    """Running on spot since an hour."""
    fields = {
        "id": "m1",
        "node": NODE,
        "incarnation": 1,
        "state": InstanceState.RUNNING,
        "market": Market.SPOT,
        "launched_at": NOW - 3600,
        "instance_type": "local",
        "zone": "local",
    }
    return Machine(**{**fields, **changes})


def a_placement(**changes: Any) -> Placement:
    return Placement(**{"node": NODE, "market": Market.SPOT, **changes})


def an_incarnation(**changes: Any) -> Incarnation:
    fields = {
        "node": NODE,
        "number": 1,
        "market": Market.SPOT,
        "claimed_at": NOW - 3600,
        "claimed_by": "controller",
        "instance": "m1",
        "meter": Meter(rate=0.0, since=NOW - 3600, first=True),
    }
    return Incarnation(**{**fields, **changes})


def a_shortage(instance_type: str = "", zone: str = "", *, ago: float = 60, **changes: Any) -> Shortage:
    """Spot of this type and zone, refused so long ago for the first time."""
    fields = {"market": Market.SPOT, "since": NOW - ago, "at": NOW - ago, "said": "none left"}
    return Shortage(instance_type=instance_type, zone=zone, **{**fields, **changes})


def a_receipt(step: int = 100, *, epoch: int = 1, **changes: Any) -> Receipt:
    fields = {
        "run": RUN,
        "epoch": epoch,
        "step": step,
        "digest": f"digest-{epoch}-{step}",
        "size": 1000,
        "at": NOW - 60,
        "name": f"step-{step:06d}",
        "prefix": f"runs/f/{RUN}/e{epoch:06d}-s{step:012d}",
        "node": NODE,
    }
    return Receipt(**{**fields, **changes})


def an_attempt(spec: FleetSpec | None = None, **changes: Any) -> Attempt:
    """Attempt 1 on incarnation 1, started from the beginning and still under way."""
    fields = {
        "run": RUN,
        "number": 1,
        "node": NODE,
        "incarnation": 1,
        "market": Market.SPOT,
        "given_at": NOW - 3600,
        "fingerprint": fingerprint((spec or a_spec()).pools["t"]),
        "started_at": NOW - 3600,
        "from_step": 0,
    }
    return Attempt(**{**fields, **changes})


def an_ended_attempt(spec: FleetSpec | None = None, **changes: Any) -> Attempt:
    """Attempt 1, stopped at step 100 with a checkpoint of that step."""
    fields = {
        "ended_at": NOW - 60,
        "to_step": 100,
        "outcome": Outcome.STOPPED,
        "cause": Cause.OPERATOR,
        "receipt": a_receipt(100),
    }
    return an_attempt(spec, **{**fields, **changes})


def a_run(attempt: Attempt | None = None, **changes: Any) -> Run:
    """Training its first attempt."""
    fields = {
        "run": RUN,
        "name": "main",
        "pool": "t",
        "nodes": (NODE,),
        "state": RunState.TRAINING,
        "since": NOW - 3600,
        "attempt": attempt or an_attempt(),
    }
    return Run(**{**fields, **changes})


def an_assignment(**changes: Any) -> Assignment:
    fields = {
        "run": RUN,
        "attempt": 1,
        "pool": "t",
        "command": ("python", "train.py"),
        "workdir": "/specs",
        "profile": Profile.SCRIPT,
        "checkpoint_directory": "checkpoints",
        "keep": 3,
        "save_time": 30.0,
        "grace": 90.0,
        "policy": WithoutCheckpoint.REFUSE,
        "fingerprint": "fp",
    }
    return Assignment(**{**fields, **changes})


def an_order(**changes: Any) -> Order:
    fields = {
        "node": NODE,
        "number": 1,
        "incarnation": 1,
        "desired": Desired.TRAINING,
        "reason": "attempt 1",
        "at": NOW - 3600,
        "assignment": an_assignment(),
    }
    return Order(**{**fields, **changes})


def a_report(**changes: Any) -> Report:
    """Training attempt 1 at step 130, its newest checkpoint at step 100."""
    fields = {
        "node": NODE,
        "instance": "m1",
        "incarnation": 1,
        "sequence": 7,
        "at": NOW - 1,
        "phase": Phase.TRAINING,
        "order_seen": 1,
        "run": RUN,
        "attempt": 1,
        "from_step": 0,
        "started_at": NOW - 3600,
        "step": 130,
        "receipt": a_receipt(100),
    }
    return Report(**{**fields, **changes})


def an_idle_report(**changes: Any) -> Report:
    """Ready for an order, nothing training."""
    fields = {"phase": Phase.IDLE, "ready": True, "run": None, "attempt": None, "step": None, "receipt": None}
    return a_report(**{**fields, **changes})


def an_end(**changes: Any) -> Ended:
    fields = {
        "run": RUN,
        "attempt": 1,
        "outcome": Outcome.STOPPED,
        "at": NOW - 2,
        "started_at": NOW - 3600,
        "from_step": 0,
        "step": 130,
        "cause": Cause.OPERATOR,
        "receipt": a_receipt(130),
    }
    return Ended(**{**fields, **changes})


def a_claim(**changes: Any) -> DrainClaim:
    fields = {
        "node": NODE,
        "instance": "m1",
        "drain": "m1.manual.1",
        "by": "controller",
        "purpose": StopReason.MANUAL,
        "cause": Cause.OPERATOR,
        "asked_at": NOW - 5,
        "grace": 90.0,
        "policy": WithoutCheckpoint.REFUSE,
        "expires_at": NOW + 600,
    }
    return DrainClaim(**{**fields, **changes})


def an_answer(**changes: Any) -> Drained:
    """To `a_claim`: saved at step 130."""
    fields = {
        "drain": "m1.manual.1",
        "outcome": DrainOutcome.SAVED,
        "at": NOW - 2,
        "step": 130,
        "receipt": a_receipt(130),
    }
    return Drained(**{**fields, **changes})


def an_allowance(**changes: Any) -> Allowance:
    return Allowance(**{"instance": "m1", "reason": "a test run", "by": "somebody", "at": NOW - 5, **changes})


def a_hold(kind: HoldKind = HoldKind.STOP, **changes: Any) -> Hold:
    fields = {
        "id": f"{kind}-1",
        "fleet": "f",
        "kind": kind,
        "node": NODE,
        "reason": "lunch",
        "by": "somebody",
        "at": NOW - 10,
    }
    return Hold(**{**fields, **changes})


def a_notice(cause: Cause = Cause.SPOT, *, lead: float | None = 100.0, **changes: Any) -> Notice:
    fields = {
        "id": f"{cause}-1",
        "cause": cause,
        "seen_at": NOW - 1,
        "deadline": None if lead is None else NOW + lead,
    }
    return Notice(**{**fields, **changes})


def a_proof(spec: FleetSpec | None = None, **changes: Any) -> SaveProof:
    """A stop saved step 130 within 3 seconds."""
    fields = {
        "pool": "f/t",
        "fingerprint": fingerprint((spec or a_spec()).pools["t"]),
        "outcome": SaveOutcome.SAVED,
        "at": NOW - 2,
        "by": "operator",
        "run": RUN,
        "attempt": 1,
        "request": "m1.manual.1",
        "step": 130,
        "seconds": 3.0,
        "size": 1000,
    }
    return SaveProof(**{**fields, **changes})


def a_tick(**changes: Any) -> Tick:
    """The last one, of generation 1, that had nothing to do."""
    fields = {"fleet": "f", "at": NOW - 9, "by": "controller", "generation": 1}
    return Tick(**{**fields, "actions": 0, "refused": 0, "waiting": 0, **changes})


def prices(dollars: float = 1.0, *, at: float = NOW, market: Market = Market.SPOT) -> dict[Choice, Quote]:
    """What a machine of this computer costs, when it costs something: as placed, and as it is listed."""
    price = Price(dollars=dollars, at=at, source="a list")
    choices = (Choice(market, "", ""), Choice(market, "local", "local"))
    return {choice: Quote(**choice._asdict(), asked_at=at, price=price) for choice in choices}


def nothing_yet(spec: FleetSpec | None = None, **changes: Any) -> Observed:
    """A fleet that was applied and has no machine."""
    spec = spec or a_spec()
    return Observed(**{"fleet": "f", "record": a_record(spec), "machines": (), **changes})


def training(spec: FleetSpec | None = None, **changes: Any) -> Observed:
    """Node 0 trains its first attempt; everything is as it should be."""
    spec = spec or a_spec()
    fields = {
        "machines": (a_machine(),),
        "placements": {NODE: a_placement()},
        "incarnations": {(NODE, 1): an_incarnation()},
        "orders": {NODE: an_order()},
        "reports": {NODE: a_report()},
        "runs": {RUN: a_run(an_attempt(spec))},
    }
    return nothing_yet(spec, **{**fields, **changes})


def rested(spec: FleetSpec | None = None, attempt: Attempt | None = None, **changes: Any) -> Observed:
    """Attempt 1 has stopped with a checkpoint; its machine is idle and ready for the next."""
    attempt = attempt or an_ended_attempt(spec)
    fields = {
        "runs": {RUN: a_run(attempt, state=RunState.STOPPED)},
        "reports": {NODE: an_idle_report()},
        "receipts": {RUN: (attempt.receipt,) if attempt.receipt else ()},
    }
    return training(spec, **{**fields, **changes})


def but(value: Any, **changes: Any) -> Any:
    """A copy of a frozen value with some fields changed."""
    return msgspec.structs.replace(value, **changes)

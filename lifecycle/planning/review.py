"""What a changed spec would do, gathered for a reviewer: grouped, with the fields that cause it.

`markdown` puts it in words.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from functools import cache

import msgspec

from lifecycle.model.fleet import FleetSpec, Pool, Resume
from lifecycle.model.plan import DISRUPTIVE, Action, Drift, Kind, Plan, Refusal
from lifecycle.model.quantities import Duration
from lifecycle.model.states import Cause, StopReason
from lifecycle.model.world import Observed
from lifecycle.planning import stakes
from lifecycle.planning.adoption import Objection
from lifecycle.planning.changes import Change, Path, Where, Widening, changes, widened
from lifecycle.planning.stakes import pool_of

_CAUSED_BY = {
    "instance_type": ("instance_types",),
    "zone": ("zones",),
    "market": ("market", "fallback"),
    "image": ("image",),
    "train": ("train", "checkpoint.directory"),
    "present": ("nodes",),
    "security_group": ("security_groups",),
    "shared": ("aws", "secrets"),
}
"""By field of drift: the fields of the spec that make it."""


class Matter(StrEnum):
    """What became of the spec file."""

    CHANGED = "changed"
    NEW = "new"
    DELETED = "deleted"
    BROKEN = "broken"
    """It is not a sound spec; `faults` says why."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The same thing, for the same reason, on nodes of one pool (or, without nodes, on what all share)."""

    kind: Kind
    pool: str
    nodes: tuple[str, ...]
    because: tuple[Change, ...]
    evidence: str
    """The plan's own reason, where no changed field is one."""
    lost_steps: int
    cost_per_hour: float | None
    drained: bool
    """What trains there is asked to save first."""
    forced_after: str
    """The grace after which it is ended without a save all the same; empty: never."""
    then: str
    """What becomes of a run that is stopped for its new section; empty where nothing starts again."""
    late: int
    """So many of them wait for their turn in later ticks."""


class HeldBack(msgspec.Struct, frozen=True, kw_only=True):
    """The refusals of one guard in one pool; the words are of the first."""

    first: Refusal
    nodes: tuple[str, ...]


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """One spec file as a reviewer is told of it.

    `assumed`: nobody looked at the fleet, all that was declared before is taken to be there and well. `per_hour`:
    dollars before and after, None where a price is not known.
    """

    path: str
    fleet: str
    matter: Matter = Matter.CHANGED
    assumed: bool = False
    plan: Plan = Plan(fleet="", generation=0)
    changes: tuple[Change, ...] = ()
    widenings: tuple[Widening, ...] = ()
    objections: tuple[Objection, ...] = ()
    groups: tuple[Group, ...] = ()
    held_back: tuple[HeldBack, ...] = ()
    drift: tuple[Drift, ...] = ()
    """What was there before and this change does not cause."""
    markets: tuple[str, ...] = ()
    """The pools that move between spot and on_demand, as `POOL: what becomes of its machines`."""
    faults: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    proof: stakes.Proof | None = None
    lost_seconds: float = 0.0
    """At most so much work would have to be done again, on one node."""
    per_hour: tuple[float | None, float | None] = (0.0, 0.0)
    diff: tuple[str, ...] = ()

    @property
    def quiet(self) -> bool:
        """Nothing changes and nothing is held back: one line says it all."""
        told = (self.faults, self.changes, self.groups, self.objections, self.held_back, self.drift)
        return self.matter is Matter.CHANGED and not any(told)

    def exit_code(self, *, detailed: bool) -> int:
        """1 for a spec that is not sound, 6 where a guard refuses, with `detailed` 2 for changes."""
        if self.faults:
            return 1
        if self.objections or self.held_back:
            return 6
        return 2 if detailed and (self.changes or self.groups or self.matter is not Matter.CHANGED) else 0


def reviewed(
    *,
    path: str,
    before: FleetSpec | None,
    after: FleetSpec,
    where: Where,
    plan: Plan,
    observed: Observed,
    now: float,
    objections: Iterable[Objection] = (),
    warnings: Iterable[str] = (),
    texts: tuple[str, str] = ("", ""),
    assumed: bool = False,
) -> Review:
    """The review of `after`, in whose place `before` stands; `texts` are those of the two files."""
    found = changes(before, after, where)
    explains = _explaining(found)
    actions = (*plan.actions, *plan.late)
    return Review(
        path=path,
        fleet=after.fleet,
        matter=Matter.CHANGED if before else Matter.NEW,
        assumed=assumed,
        plan=plan,
        changes=found,
        widenings=widened(before, after, where),
        objections=tuple(objections),
        groups=_groups(after, plan, explains),
        held_back=_held_back(plan.refusals),
        drift=tuple(each for each in plan.drift if not explains(_causes(each.field), pool_of(each.node))),
        markets=tuple(_moves(before, after)),
        warnings=tuple(warnings),
        proof=None if assumed else stakes.proof(before, observed, actions),
        lost_seconds=stakes.lost(before, observed, actions, now, assumed=assumed),
        per_hour=stakes.rates(observed, after, actions, now),
        diff=_diff(path, *texts),
    )


def deleted(path: str, before: FleetSpec, text: str) -> Review:
    """A spec file that is no longer there."""
    return Review(path=path, fleet=before.fleet, matter=Matter.DELETED, assumed=True, diff=_diff(path, text, ""))


def broken(path: str, faults: Sequence[str]) -> Review:
    """A spec file that is not sound, or whose fleet could not be looked at."""
    return Review(path=path, fleet=path, matter=Matter.BROKEN, faults=tuple(faults))


def worst_first(reviews: Iterable[Review]) -> list[Review]:
    """Broken ones, refused ones, then those that end most of what runs."""

    def gravity(review: Review) -> tuple[bool, bool, int, bool]:
        ended = sum(len(group.nodes) for group in review.groups if group.kind in DISRUPTIVE)
        return bool(review.faults), review.exit_code(detailed=False) == 6, ended, not review.quiet

    return sorted(reviews, key=gravity, reverse=True)


def _diff(path: str, before: str, after: str) -> tuple[str, ...]:
    old, new = before.splitlines(), after.splitlines()
    return tuple(difflib.unified_diff(old, new, f"a/{path}", f"b/{path}", lineterm=""))


# ---- why -----------------------------------------------------------------------------------------


def _groups(spec: FleetSpec, plan: Plan, explains: Explains) -> tuple[Group, ...]:
    """Worst first: what ends or stops machines, then the rest in the plan's order."""
    late = {id(action) for action in plan.late}
    together: dict[tuple[object, ...], list[Action]] = defaultdict(list)
    fields = _drifted(plan)
    because: dict[tuple[object, ...], tuple[Change, ...]] = {}
    for action in (*plan.actions, *plan.late):
        causes = explains(_fields(action, fields.get(action.node, ())), pool_of(action.node))
        told = [change.path for change in causes] or action.reason.evidence
        key = (action.kind, pool_of(action.node), str(told))
        together[key].append(action)
        because[key] = causes
    groups = [_group(spec, actions, because[key], late) for key, actions in together.items()]
    return tuple(sorted(groups, key=lambda group: _gravity(group.kind)))


def _gravity(kind: Kind) -> int:
    return DISRUPTIVE.index(kind) if kind in DISRUPTIVE else len(DISRUPTIVE)


def _group(spec: FleetSpec, actions: list[Action], because: tuple[Change, ...], late: set[int]) -> Group:
    first, pool = actions[0], pool_of(actions[0].node)
    costs = [action.cost_per_hour for action in actions]
    declared = spec.pools.get(pool)
    claims = [claim for action in actions if (claim := stakes.drain(action))]
    forced = next((stakes.drain(action) for action in actions if stakes.forced(action)), None)
    return Group(
        kind=first.kind,
        pool=pool,
        nodes=tuple(action.node for action in actions),
        because=because,
        evidence="" if because else f"{first.reason.cause}: {first.reason.evidence}",
        lost_steps=sum(action.lost_steps for action in actions),
        cost_per_hour=None if None in costs else sum(each for each in costs if each),
        drained=bool(claims),
        forced_after=str(Duration(forced.grace)) if forced else "",
        then=_then(declared, because) if first.kind is Kind.STOP else "",
        late=sum(id(action) in late for action in actions),
    )


def _then(pool: Pool | None, because: Sequence[Change]) -> str:
    fields = {".".join(map(str, change.path[2:])) for change in because}
    if pool is None or not any(field.partition(".")[0] in ("train", "checkpoint", "mode") for field in fields):
        return ""
    if fields & {"train.run", "mode"}:
        return "another run starts"
    return _RESUMED[pool.train.resume]


_RESUMED = {
    Resume.AUTO: "goes on from its save",
    Resume.MANUAL: "waits for `steady start NODE --resume`",
    Resume.NEVER: "starts from the beginning",
}


def _drifted(plan: Plan) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for drift in plan.drift:
        found[drift.node].append(drift.field)
    return found


def _fields(action: Action, drifted: Sequence[str]) -> tuple[str, ...]:
    """The fields that such an action can follow from, by the drift of its node and by its reason."""
    fields = [field for name in drifted for field in _causes(name)]
    if action.kind in (Kind.CREATE, Kind.DESTROY):
        fields.append("nodes")
    if action.kind is Kind.STOP and action.reason.cause == Cause.DRIFT:
        fields += [*_causes("train"), "mode"]
    if action.reason.cause == Cause.SCHEDULE:
        fields.append("schedule")
    if action.reason.cause in (Cause.BUDGET, StopReason.IDLE):
        fields.append("budget")
    return tuple(fields)


def _causes(drifted: str) -> tuple[str, ...]:
    return _CAUSED_BY.get(drifted, ())


Explains = Callable[[tuple[str, ...], str], tuple[Change, ...]]


def _explaining(found: Sequence[Change]) -> Explains:
    """The changes of some fields that reach a pool, in the fields' order; asked for over and over."""

    @cache
    def explains(fields: tuple[str, ...], pool: str) -> tuple[Change, ...]:
        reached = [change for field in fields for change in found if _is(change.path, field, pool)]
        return tuple({change.path: change for change in reached}.values())

    return explains


def _is(path: Path, field: str, pool: str) -> bool:
    """Whether the path is this field of the pool or of what the fleet shares, or the whole pool."""
    match path:
        case ("pools", name, *rest):
            dotted = ".".join(map(str, rest))
            return name == pool and (not rest or dotted == field or dotted.startswith(f"{field}."))
        case (first, *rest):
            return first == field or rest[:1] == [field]
    return False


def _held_back(refusals: Iterable[Refusal]) -> tuple[HeldBack, ...]:
    together: dict[tuple[str, str, str], list[Refusal]] = defaultdict(list)
    for refusal in refusals:
        together[refusal.guard, refusal.action, pool_of(refusal.node)].append(refusal)
    return tuple(
        HeldBack(first=each[0], nodes=tuple(refusal.node for refusal in each)) for each in together.values()
    )


def _moves(before: FleetSpec | None, after: FleetSpec) -> Iterator[str]:
    for name, pool in after.pools.items():
        was = before.pools.get(name) if before else None
        if was is not None and was.market is not pool.market and was.nodes and pool.nodes:
            stays = (
                "its machines are replaced" if pool.drift.market == "replace" else "each stays until its next one"
            )
            yield f"{name}: {was.market} → {pool.market}; {stays} (drift.market: {pool.drift.market})"

"""The timeline of every node: what it had, what trained there, what was saved, and what came in between."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise, zip_longest

import msgspec

from lifecycle.model.holds import Hold, HoldKind
from lifecycle.model.ids import NodeName
from lifecycle.model.journal import Entry, EntryKind
from lifecycle.model.past import Past
from lifecycle.model.records import Attempt, Incarnation, Receipt
from lifecycle.model.states import WARNED
from lifecycle.model.world import Observed
from lifecycle.planning import gangs

_LASTING = (HoldKind.STOP, HoldKind.TERMINATE, HoldKind.SUSPEND, HoldKind.PAUSE)
"""Holds that keep a node away, or as it is, until they are lifted."""


class Stay(msgspec.Struct, frozen=True, kw_only=True):
    """One machine of the node; `end` None: it is there, or nobody knows better."""

    begin: float
    end: float | None
    market: str
    incarnation: int


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt on this node: given out, training since `begin` (None: never), ended.

    What was done from `lost_from` on had to be done again.
    """

    attempt: int
    given: float
    begin: float | None
    end: float | None
    outcome: str | None
    cause: str | None
    lost_from: float | None


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """A notice of the provider, as the node's agent took it up."""

    at: float
    cause: str
    said: str


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """All times of one node, in seconds since the epoch, each list in order."""

    node: str
    stays: tuple[Stay, ...]
    trials: tuple[Trial, ...]
    saves: tuple[float, ...]
    notices: tuple[Sign, ...]
    holds: tuple[tuple[float, float | None], ...]
    """Those that stand, and those that people set and lifted; what a schedule held before left no record."""


def lanes(observed: Observed, past: Past, entries: Sequence[Entry], holds: Iterable[Hold]) -> dict[str, Lane]:
    """A lane for each node that ever had a machine or an attempt. `holds` are those that stand."""
    claims = _claims(observed, past)
    trials, saves = _trials(observed, past), _saves(past)
    notices, held = _notices(entries), [*_stood(entries), *_standing(holds)]
    nodes = sorted({*claims, *trials, *observed.placements}, key=NodeName.parse)
    return {
        node: Lane(
            node=node,
            stays=tuple(_stays(claims.get(node, {}))),
            trials=tuple(sorted(trials.get(node, ()), key=lambda trial: trial.given)),
            saves=tuple(sorted(saves.get(node, ()))),
            notices=tuple(notices.get(node, ())),
            holds=tuple((begin, end) for of, begin, end in held if _is_of(node, of)),
        )
        for node in nodes
    }


def given(observed: Observed, past: Past) -> Iterator[tuple[str, tuple[Attempt, ...]]]:
    """Every run with its attempts, the newest as the run has it."""
    for run in observed.runs.values():
        kept = {attempt.number: attempt for attempt in past.attempts.get(run.run, ())}
        current = {run.attempt.number: run.attempt} if run.attempt else {}
        yield run.run, tuple((kept | current).values())


def _claims(observed: Observed, past: Past) -> dict[str, dict[int, Incarnation]]:
    found = {node: {claim.number: claim for claim in claims} for node, claims in past.claims.items()}
    for (node, number), claim in observed.incarnations.items():
        found.setdefault(node, {})[number] = claim
    return found


def _stays(claims: Mapping[int, Incarnation]) -> Iterator[Stay]:
    """One that was lost sight of ends at the latest where the next begins."""
    order = [claim for _, claim in sorted(claims.items()) if claim.instance is not None]
    for claim, following in zip_longest(order, (claim.claimed_at for claim in order[1:])):
        end = claim.ended_at or following
        yield Stay(begin=claim.claimed_at, end=end, market=claim.market, incarnation=claim.number)


def _trials(observed: Observed, past: Past) -> dict[str, list[Trial]]:
    found: dict[str, list[Trial]] = defaultdict(list)
    for run, attempts in given(observed, past):
        lost = _lost_from(attempts, past.receipts.get(run, ()))
        for attempt in attempts:
            for rank in attempt.ranks:
                one = gangs.alone(attempt, rank)
                found[rank.node].append(_trial(one, lost.get(attempt.number)))
    return found


def _trial(attempt: Attempt, lost_from: float | None) -> Trial:
    return Trial(
        attempt=attempt.number,
        given=attempt.given_at,
        begin=attempt.started_at,
        end=None if attempt.open else attempt.ended_at or attempt.started_at or attempt.given_at,
        outcome=attempt.outcome,
        cause=attempt.cause,
        lost_from=lost_from,
    )


def _lost_from(attempts: Sequence[Attempt], receipts: Sequence[Receipt]) -> dict[int, float]:
    """By attempt: since when its work was lost, which the next one had to do again."""
    started = [attempt for attempt in attempts if attempt.started_at is not None]
    lost: dict[int, float] = {}
    for before, after in pairwise(started):
        if after.lost_steps and before.started_at is not None:
            kept = (r.at for r in receipts if r.epoch == before.number and r.step <= (after.from_step or 0))
            lost[before.number] = max(kept, default=before.started_at)
    return lost


def _saves(past: Past) -> dict[str, list[float]]:
    """Of a gang every rank's lane shows the saves of the whole."""
    found: dict[str, list[float]] = defaultdict(list)
    for run, receipts in past.receipts.items():
        ranks = {attempt.number: [rank.node for rank in attempt.ranks] for attempt in past.attempts.get(run, ())}
        for receipt in receipts:
            for node in ranks.get(receipt.epoch, [receipt.node]):
                found[node].append(receipt.at)
    return found


def _notices(entries: Iterable[Entry]) -> dict[str, list[Sign]]:
    found: dict[str, list[Sign]] = defaultdict(list)
    for entry in entries:
        asked = entry.kind is EntryKind.OBSERVED and entry.what.startswith("asked to ")
        if asked and entry.node and entry.cause in WARNED:
            found[entry.node].append(Sign(at=entry.at, cause=entry.cause, said=entry.evidence))
    return found


_Held = tuple[str | None, float, float | None]
"""Of what (None: the fleet), since and until when."""


def _standing(holds: Iterable[Hold]) -> Iterator[_Held]:
    return ((hold.node, hold.at, hold.until) for hold in holds if hold.kind in (*_LASTING, HoldKind.SCHEDULE))


def _stood(entries: Iterable[Entry]) -> Iterator[_Held]:
    """The holds that are over, as the journal tells of them."""
    since: dict[tuple[str | None, str], float] = {}
    for entry in entries:
        kind = next((kind for kind in _LASTING if kind in entry.what.split(" ")[:2]), None)
        if kind is None:
            continue
        if entry.what == kind:
            since.setdefault((entry.node, kind), entry.at)
        elif (begin := since.pop((entry.node, kind), None)) is not None:
            yield entry.node, begin, entry.at


def _is_of(node: str, held: str | None) -> bool:
    """A hold is of the fleet, of a pool or of a node."""
    return held is None or node == held or node.startswith(f"{held}/")

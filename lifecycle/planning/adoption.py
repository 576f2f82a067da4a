"""When a spec may take the place of the one of record; each refusal names the option that overrides it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lifecycle.model.errors import GuardRefused
from lifecycle.model.fleet import FleetSpec, Market, Pool
from lifecycle.model.proving import proven
from lifecycle.model.records import SpecRecord, Status
from lifecycle.model.world import Observed
from lifecycle.planning import attempts, guards

REMEMBERED = 20
"""So many earlier texts of a fleet's spec are known again."""


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """What a person has agreed to, as options of `apply` and `run` or in `pulumi config`."""

    allow_empty: bool = False
    take_over: bool = False
    rollback: bool = False
    accept_unproven: bool = False


class Objection(msgspec.Struct, frozen=True, kw_only=True):
    """What stands against a spec, the name of the guard that says so, and what to do about it."""

    guard: str
    evidence: str
    override: str


def may_replace(record: SpecRecord, observed: Observed, consent: Consent) -> None:
    """Raises GuardRefused where `record` may not take the place of the one that stands."""
    for found in objections(record, observed, consent):
        raise GuardRefused(found.evidence, fix=found.override, about=found.guard)


def objections(record: SpecRecord, observed: Observed, consent: Consent) -> Iterator[Objection]:
    """All that stands against `record`, the gravest first."""
    standing, spec = observed.record, record.spec
    if standing is None:
        return
    if standing.source != record.source and not consent.take_over:
        yield Objection(
            guard="another source",
            evidence=f"{spec.fleet} was applied from {standing.source}, not from {record.source}",
            override="give this fleet another name, or pass --take-over",
        )
    if spec.provider == "aws" and standing.spec.region != spec.region:
        yield Objection(
            guard="wrong region",
            evidence=f"{spec.fleet} is applied in {standing.spec.region}; a fleet does not move to {spec.region}",
            override="give this fleet another name, or `steady destroy` it there first",
        )
    resized = guards.resized(standing.spec, spec)
    if resized:
        yield Objection(
            guard="resize",
            evidence=f"{spec.fleet}: resize: the gang {resized[0]} would go on with another number of ranks",
            override=f"name another run (pools.{resized[0]}.train.run), or keep its `nodes`",
        )
    emptied = guards.emptied(None if standing.destroying else standing.spec, spec)
    if emptied and not consent.allow_empty:
        yield Objection(
            guard="emptied spec",
            evidence=f"{spec.fleet}: this would end every node of {', '.join(emptied)}",
            override="pass --allow-empty if that is meant; their work is saved first",
        )
    if record.digest in standing.earlier and not consent.rollback:
        yield Objection(
            guard="older spec",
            evidence=(
                f"{spec.fleet}: this text was applied before generation {standing.generation}, which took its place"
            ),
            override="get the newest file, or pass --rollback if going back is meant",
        )
    unproven = tuple(_unproven(standing.spec, observed, spec))
    if unproven and not consent.accept_unproven:
        yield Objection(
            guard="unproven save",
            evidence=(
                f"{spec.fleet}: {', '.join(unproven)} would move from on_demand to spot, and its trainer has not "
                "been seen to save when asked"
            ),
            override="`steady rehearse SPEC` shows whether it saves; or pass --accept-unproven",
        )


def earlier(standing: SpecRecord | None, digest: str) -> tuple[str, ...]:
    """The digests of the texts that stood before this one, oldest first."""
    if standing is None or standing.digest == digest:
        return standing.earlier if standing else ()
    return tuple(each for each in (*standing.earlier, standing.digest) if each != digest)[-REMEMBERED:]


def _unproven(before: FleetSpec, observed: Observed, after: FleetSpec) -> Iterator[str]:
    for name, pool in sorted(after.pools.items()):
        was = before.pools.get(name)
        moved = was is not None and (was.market, pool.market) == (Market.ON_DEMAND, Market.SPOT)
        if moved and pool.nodes and not _saves_when_asked(observed, f"{after.fleet}/{name}", pool):
            yield name


def _saves_when_asked(observed: Observed, key: str, pool: Pool) -> bool:
    """Whether a trainer of this very train section was seen to save when it was asked to stop."""
    return proven(observed.proofs.get(key), attempts.fingerprint(pool)) is Status.TRUE

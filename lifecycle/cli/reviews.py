"""Reviews of changed specs as Markdown: of real fleets, or of two checkouts with nobody asked (`--base`)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from lifecycle.cli.context import Context

if TYPE_CHECKING:
    from lifecycle.model.fleet import FleetSpec
    from lifecycle.model.records import SpecRecord
    from lifecycle.planning.adoption import Consent, Objection
    from lifecycle.planning.review import Review
    from lifecycle.specfile import SpecFile

GRAVITY = (0, 2, 6)
"""Exit codes, the graver the later; all others are graver still."""


def show(context: Context, specs: Iterable[Path], review: Callable[[Path], Review], *, detailed: bool) -> int:
    """Prints one document about all of them; returns the gravest exit code."""
    from lifecycle.planning.markdown import document

    found, codes = [], [0]
    for path in specs:
        one, code = _one(context, path, review)
        found.append(one)
        codes += [code, one.exit_code(detailed=detailed)]
    context.show(document(found))
    return max(codes, key=lambda code: GRAVITY.index(code) if code in GRAVITY else len(GRAVITY))


def _one(context: Context, path: Path, review: Callable[[Path], Review]) -> tuple[Review, int]:
    """A review also of what went wrong: whoever reads the comment sees no other output."""
    from lifecycle.cli.told import in_lines
    from lifecycle.model.errors import GuardRefused, SpecError, SteadyError
    from lifecycle.planning.adoption import Objection
    from lifecycle.planning.review import Review, broken

    try:
        return review(path), 0
    except SteadyError as error:
        context.say(in_lines(error, f"{path}: "))
        if isinstance(error, GuardRefused):
            refused = Objection(guard="elsewhere", evidence=error.what, override=error.fix)
            return Review(path=str(path), fleet=str(path), objections=(refused,)), error.exit_code
        faults = [str(fault) for fault in error.faults] if isinstance(error, SpecError) else [error.what]
        return broken(str(path), [*faults, f"fix: {error.fix}"] if len(faults) == 1 else faults), error.exit_code


# ---- of a real fleet -----------------------------------------------------------------------------


def of_the_fleet(context: Context, path: Path, *, consent: Consent, kept: Path | None) -> Review:
    """What `apply` would do now; saved to `kept`, unless it would be refused."""
    from lifecycle.cli import saving
    from lifecycle.planning.adoption import objections
    from lifecycle.planning.review import reviewed
    from lifecycle.specfile import load
    from lifecycle.specfile.source import recorded

    found = load(path)
    control = context.controls.of_spec(found.spec, read_only=True)
    observed, planned = control.controller.look(found.spec.fleet, found.spec, share=True)
    standing = observed.record if observed.record and not observed.record.destroying else None
    now, record = control.clock.now(), _record(found, recorded(found.source, found.spec.provider))
    refused = list(objections(record, observed, consent))
    if kept is not None and not refused:
        saving.save(context, kept, saving.fresh(found, Path(record.source), observed, planned, now), path)
    return reviewed(
        path=str(path),
        before=standing.spec if standing else None,
        after=found.spec,
        where=found.where,
        plan=planned,
        observed=observed,
        now=now,
        objections=refused,
        warnings=map(str, found.warnings),
        texts=(standing.text if standing else "", found.text),
    )


def _record(found: SpecFile, source: str, spec: FleetSpec | None = None) -> SpecRecord:
    """The record that this file would become."""
    from lifecycle.model.records import SpecRecord

    return SpecRecord(
        fleet=found.spec.fleet,
        generation=1,
        digest=found.digest,
        source=source,
        text=found.text,
        spec=spec or found.spec,
        applied_at=0.0,
        applied_by="review",
    )


# ---- of two checkouts ----------------------------------------------------------------------------


def against(base: Path, path: Path, *, consent: Consent) -> Review:
    """The file here against the same one below `base`: no provider, credentials or state are asked for."""
    from lifecycle.planning.review import deleted
    from lifecycle.specfile import load

    here = _within_checkout(path)
    if not here.exists() and (base / here).is_file():
        gone = load(base / here)
        return deleted(str(here), gone.spec, gone.text)
    found = load(here)
    before, notes = _before(base / here, found)
    return _compared(before, found, consent, [*map(str, found.warnings), *notes])


def _within_checkout(path: Path) -> Path:
    """The path from here. A link that leads out of the checkout would show what is not in it."""
    from lifecycle.model.errors import SteadyError, WrongUsage

    here = Path(os.path.relpath(path))
    if here.parts[:1] == ("..",):
        raise WrongUsage(f"{path} is not below this directory", fix="run it in the root of the checkout")
    if not here.resolve().is_relative_to(Path.cwd().resolve()):
        raise SteadyError(f"{path} is a link out of this checkout", fix="put the file itself there")
    return here


def _before(path: Path, found: SpecFile) -> tuple[SpecFile | None, list[str]]:
    """The file as it was, when it declared the same fleet; and what to say where it is no use."""
    from lifecycle.model.errors import SpecError
    from lifecycle.specfile import load

    if not path.is_file():
        return None, []
    try:
        before = load(path)
    except SpecError:
        return None, ["the file in the base is not a sound spec; this one is compared with nothing"]
    if before.spec.fleet == found.spec.fleet:
        return before, []
    was = before.spec.fleet
    return None, [
        f"this file declared {was} before: that fleet goes on, as it was applied last, until it is destroyed"
    ]


def _compared(before: SpecFile | None, found: SpecFile, consent: Consent, notes: list[str]) -> Review:
    """Plans the new text against a world in which all that the old one declares is there and well."""
    from lifecycle.bootstrap.listed import list_prices
    from lifecycle.model.world import Observed
    from lifecycle.planning import assumed, planner
    from lifecycle.planning.adoption import objections
    from lifecycle.planning.review import reviewed

    now, spec, source = time.time(), found.spec, str(found.source)
    moved = before is not None and before.spec.provider != spec.provider
    prices = list_prices(spec, assumed.priced(spec, before.spec if before else None))
    observed = Observed(fleet=spec.fleet, prices=assumed.quotes(prices, now))
    if before is not None and not moved:
        there = assumed.timeless(assumed.toward(before.spec, spec))
        observed = assumed.world(_record(before, source, there), prices, now)
    return reviewed(
        path=source,
        before=before.spec if before else None,
        after=spec,
        where=found.where,
        plan=planner.plan(assumed.timeless(spec), observed, now),
        observed=observed,
        now=now,
        objections=[*objections(_record(found, source), observed, consent), *_elsewhere(before, found)],
        warnings=[*notes, *assumed.may_pass(spec, prices)],
        texts=(before.text if before else "", found.text),
        assumed=True,
    )


def _elsewhere(before: SpecFile | None, found: SpecFile) -> list[Objection]:
    """A fleet does not move to another provider: its machines and checkpoints would stay behind."""
    from lifecycle.planning.adoption import Objection

    was, now = before.spec.provider if before else found.spec.provider, found.spec.provider
    said = f"{found.spec.fleet} is declared on {was}; a fleet does not move to {now}"
    fix = "give this fleet another name, or `steady destroy` it there first"
    return [] if was == now else [Objection(guard="elsewhere", evidence=said, override=fix)]

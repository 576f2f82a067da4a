"""Plans in files: `plan --save FILE` writes one, `apply SPEC FILE` does what it says or refuses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lifecycle.cli.context import Context

if TYPE_CHECKING:
    from lifecycle.model.plan import Plan
    from lifecycle.model.world import Observed
    from lifecycle.planning.saved import SavedPlan
    from lifecycle.specfile import SpecFile


def save(context: Context, file: Path, fresh: SavedPlan, spec: Path) -> None:
    """Writes the plan, whole or not at all. Raises SteadyError."""
    from lifecycle.model.errors import SteadyError
    from lifecycle.planning.moments import utc
    from lifecycle.system.files import write_record

    try:
        write_record(file, fresh)
    except OSError as error:
        raise SteadyError(f"{file}: {error.strerror}", fix="choose a place you may write to") from None
    context.say(f"Saved {file}, good until {utc(fresh.expires_at)}: `steady apply {spec} {file}`")


def must_hold(file: Path, fresh: SavedPlan, spec: Path) -> None:
    """Raises GuardRefused where the plan in `file` is not what would be done now, with what moved."""
    from lifecycle.model.errors import GuardRefused
    from lifecycle.planning.saved import GUARD, moved

    why = moved(_read(file), fresh)
    if why:
        fix = f"plan again: steady plan {spec} --save {file}"
        raise GuardRefused(f"{fresh.fleet}: {GUARD}: {why}", fix=fix, about=GUARD)


def _read(file: Path) -> SavedPlan:
    import msgspec

    from lifecycle.model.codec import decode
    from lifecycle.model.errors import SteadyError
    from lifecycle.planning.saved import SavedPlan

    try:
        return decode(file.read_bytes(), SavedPlan)
    except OSError as error:
        raise SteadyError(
            f"{file}: {error.strerror}", fix="name what `steady plan SPEC --save FILE` wrote"
        ) from None
    except (msgspec.MsgspecError, ValueError):
        raise SteadyError(
            f"{file} is not a saved plan", fix="name what `steady plan SPEC --save FILE` wrote"
        ) from None


def fresh(found: SpecFile, source: Path, observed: Observed, planned: Plan, now: float) -> SavedPlan:
    """The plan of this moment as it would be saved."""
    from lifecycle.planning.explain import summary
    from lifecycle.planning.saved import saved

    return saved(str(source), found.digest, observed, planned, summary(planned), now)

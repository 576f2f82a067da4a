"""An error as people read it: what is wrong, what to do, and where more is said. One line each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lifecycle.model.errors import SteadyError


def in_lines(error: SteadyError, where: str = "") -> str:
    """`error:`, `fix:` and, where the errors page has a heading for it, `more:`."""
    lines = [f"error: {where}{error.what}", f"fix: {error.fix}"]
    return "\n".join([*lines, *([f"more: {located(error.more)}"] if error.more else [])])


def located(page: str) -> str:
    """A page of `specs/` as it is reached from here: in a checkout by its name, else where it was installed."""
    package = Path(__file__).parent.parent
    return str(package / page) if (package / page.partition("#")[0]).exists() else page

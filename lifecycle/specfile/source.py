"""Where a spec came from, as the spec of record says it: the same on a laptop and in CI."""

from __future__ import annotations

from pathlib import Path

_ROOTS = (".git", "Pulumi.yaml")


def recorded(path: Path, provider: str) -> str:
    """The file's absolute path; for a fleet that others reconcile too, its path within its repository."""
    whole = path.absolute()
    if provider != "aws":
        return str(whole)
    root = next((folder for folder in whole.parents if any((folder / name).exists() for name in _ROOTS)), None)
    return str(whole.relative_to(root)) if root else str(whole)

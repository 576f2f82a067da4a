"""What a spec may say and this version does not do yet: accepted by `validate`, refused by `apply`."""

from __future__ import annotations

from collections.abc import Iterator

from lifecycle.model.fleet import FleetSpec, Pool, Profile

Path = tuple[str | int, ...]


def unbuilt(spec: FleetSpec) -> tuple[tuple[Path, str], ...]:
    """(path, what) of everything that would otherwise be ignored."""
    return tuple(_fleet(spec))


def _fleet(spec: FleetSpec) -> Iterator[tuple[Path, str]]:
    for name, pool in spec.pools.items():
        for path, what in _pool(pool):
            yield ("pools", name, *path), what


def _pool(pool: Pool) -> Iterator[tuple[Path, str]]:
    if pool.train.profile is not Profile.SCRIPT:
        yield ("train", "profile"), f"profile {str(pool.train.profile)!r} is"

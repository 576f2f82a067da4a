"""What two specs differ in, field by field, and what the machines may do more after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from lifecycle.model.codec import encode, plain
from lifecycle.model.fleet import Aws, FleetSpec, Mode, Pool

Path = tuple[str | int, ...]
Where = Callable[[Path], str]
"""`specs/llm.yaml:14` of a path of the new spec, or of its nearest parent."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One field, as it was and as it is; None where it is not declared. Defaults count as declared."""

    path: Path
    before: str | None
    after: str | None
    place: str


class Widening(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the fleet's machines may do, or may be reached by, and could not before."""

    what: str
    value: str
    place: str


def changes(before: FleetSpec | None, after: FleetSpec, where: Where) -> tuple[Change, ...]:
    """What differs, in the new spec's order. A pool that comes or goes is one change; a new fleet its pools."""
    now = _fields(after)
    was = _fields(before) if before else {path: value for path, value in now.items() if path[0] != "pools"}
    paths = [*now, *(path for path in was if path not in now)]
    return tuple(
        Change(path=path, before=was.get(path), after=now.get(path), place=where(path))
        for path in _merged(paths, before, after)
        if was.get(path) != now.get(path)
    )


def _merged(paths: list[Path], before: FleetSpec | None, after: FleetSpec) -> Iterator[Path]:
    """The fields of pools that both have; a pool that only one has as a whole."""
    both = set(before.pools if before else ()) & set(after.pools)
    for path in paths:
        if path[0] != "pools" or (len(path) == 2) != (path[1] in both):
            yield path


def _fields(spec: FleetSpec) -> dict[Path, str | None]:
    found: dict[Path, str | None] = {}
    for path, value in _leaves(plain(spec), ()):
        found[path] = None if value is None else value if isinstance(value, str) else encode(value).decode()
    for name, pool in spec.pools.items():
        found["pools", name] = _in_short(pool)
    return found


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if not isinstance(value, dict):
        yield path, value
        return
    for key, inner in value.items():
        yield from _leaves(inner, (*path, key))


def _in_short(pool: Pool) -> str:
    """What a whole pool is, where it is told of as one. Pools that stay are told of by their fields."""
    kinds = f" ({', '.join(pool.instance_types)})" if pool.instance_types else ""
    return f"{pool.nodes} {pool.market} nodes{kinds}"


def widened(before: FleetSpec | None, after: FleetSpec, where: Where) -> tuple[Widening, ...]:
    """What the fleet's role and its machines' network gain. Machines of this computer have neither."""
    if after.provider == "local":
        return ()
    return tuple(Widening(what=what, value=value, place=where(path)) for what, value, path in _gains(before, after))


def _gains(before: FleetSpec | None, after: FleetSpec) -> Iterator[tuple[str, str, Path]]:
    was, now = before.aws if before else Aws(), after.aws
    known = set(before.secrets.values()) if before else set()
    yield from _added("the nodes' role gets the policy", was.policies, now.policies, "policies")
    for name, arn in after.secrets.items():
        if arn not in known:
            yield "the nodes may read the secret", arn, ("secrets", name)
    yield from _added(
        "the machines join the security group", was.security_groups, now.security_groups, "security_groups"
    )
    yield from _added("machines are made in the subnet", was.subnets, now.subnets, "subnets")
    gangs = [name for name, pool in after.pools.items() if pool.mode is Mode.GANG]
    if gangs and not any(pool.mode is Mode.GANG for pool in (before.pools.values() if before else ())):
        yield "the fleet's nodes may reach each other, for the ranks of", gangs[0], ("pools", gangs[0], "mode")


def _added(what: str, was: tuple[str, ...], now: tuple[str, ...], field: str) -> Iterator[tuple[str, str, Path]]:
    yield from ((what, value, ("aws", field)) for value in now if value not in was)

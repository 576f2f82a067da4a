"""A gang's checkpoint: every rank ships its part by itself, and whoever sees all parts makes them one whole.

A part is its files, then its own manifest. Each rank writes its part first and looks for the others' after that;
the store shows what was written, so at least the last of them sees all. The whole's manifest is a new object: of
several makers one is the first, and the others take what it made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from lifecycle.agent.manifest import Manifest, Part, Unsound, manifest_bytes, read_manifest, seal
from lifecycle.model.codec import decode, encode
from lifecycle.model.errors import Conflict
from lifecycle.model.records import Assignment
from lifecycle.ports.checkpoints import ObjectStore


def rank_of(assignment: Assignment) -> int | None:
    """Which part of a gang's checkpoint is this node's; None: the run is its own."""
    return assignment.rank if assignment.nodes else None


def place_of(rank: int, mark: str) -> str:
    """Where a rank's files lie below the prefix: a second save of a step overwrites nothing."""
    return f"rank-{rank:05d}-{mark}"


def parts_of(store: ObjectStore, prefix: str) -> Mapping[int, str]:
    """The keys of the parts that are there, by rank; of a rank that saved the step twice, the last."""
    keys = store.keys(f"{prefix}/parts/")
    return {int(key.rpartition("/")[2].split("-")[1]): key for key in keys}


def put_part(store: ObjectStore, prefix: str, part: Part) -> None:
    """Says that the part is complete."""
    seal(store, f"{prefix}/parts/{part.place}.json", encode(part))


def made_whole(
    store: ObjectStore, prefix: str, run: str, epoch: int, step: int, keys: Sequence[str]
) -> tuple[Manifest, str]:
    """The manifest of the whole, made of the parts under these keys unless it stands, and its digest."""
    standing = store.get(f"{prefix}/manifest.json")
    if standing is None:
        parts = tuple(_part(store, key) for key in keys)
        name = parts[0].name
        made = Manifest(run=run, attempt=epoch, epoch=epoch, step=step, name=name, files=(), parts=parts)
        standing = _sealed(store, f"{prefix}/manifest.json", manifest_bytes(made)[0])
    digest = hashlib.sha256(standing).hexdigest()
    return read_manifest(standing, digest), digest


def _part(store: ObjectStore, key: str) -> Part:
    data = store.get(key)
    try:
        return decode(data or b"", Part)
    except msgspec.MsgspecError:
        raise Unsound(f"{key} is not readable", fix="save again") from None


def _sealed(store: ObjectStore, key: str, data: bytes) -> bytes:
    """The manifest as it stands: this one, or that of a peer who was faster."""
    try:
        store.put_new(key, data)
    except Conflict:
        return store.get(key) or data
    return data

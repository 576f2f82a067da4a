"""A checkpoint in the store: its objects first, `manifest.json` last; the manifest's digest is its proof."""

from __future__ import annotations

import hashlib
import os
import stat as statmode
from pathlib import Path, PurePosixPath

import msgspec

from lifecycle.model.codec import decode, encode
from lifecycle.model.errors import Conflict, SteadyError
from lifecycle.ports.checkpoints import ObjectStore


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    size: int
    sha256: str


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What one rank of a gang shipped: its files, and where they lie below the checkpoint's prefix."""

    rank: int
    node: str
    name: str
    place: str
    files: tuple[StoredFile, ...]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a complete checkpoint consists of. A checkpoint that is one file has the path `.`.

    Of a gang it consists of a part for every rank, in order, and has no files beside them.
    """

    version: int = 1
    run: str
    attempt: int
    epoch: int
    step: int
    name: str
    files: tuple[StoredFile, ...]
    parts: tuple[Part, ...] | msgspec.UnsetType = msgspec.UNSET

    @property
    def size(self) -> int:
        of_ranks = (file for part in self.parts or () for file in part.files)
        return sum(file.size for file in (*self.files, *of_ranks))

    def part(self, rank: int | None) -> Part:
        """What is restored on this rank; None: of a run of one node. Raises Unsound."""
        if rank is None:
            return Part(rank=0, node="", name=self.name, place="files", files=self.files)
        if rank >= len(self.parts or ()):
            raise Unsound(f"it has no part of rank {rank}", fix="an older checkpoint is used")
        return (self.parts or ())[rank]


class Unsound(SteadyError):
    """A checkpoint that is torn, altered, or was changed while it was read."""


def manifest_bytes(manifest: Manifest) -> tuple[bytes, str]:
    """The manifest as stored, and its digest."""
    data = encode(manifest)
    return data, hashlib.sha256(data).hexdigest()


def read_manifest(data: bytes | None, digest: str) -> Manifest:
    """The manifest in `data`, when it is the one with `digest`. Raises Unsound."""
    if data is None:
        raise Unsound("its manifest is missing", fix="an older checkpoint is used")
    if hashlib.sha256(data).hexdigest() != digest:
        raise Unsound("its manifest was altered", fix="an older checkpoint is used")
    try:
        manifest = decode(data, Manifest)
    except msgspec.MsgspecError:
        raise Unsound("its manifest is not readable", fix="an older checkpoint is used") from None
    for part in manifest.parts or (manifest,):
        _check(part)
    return manifest


def seal(store: ObjectStore, key: str, data: bytes) -> None:
    """A manifest, last of all; an equal one left by a killed predecessor is fine. Raises Conflict for another."""
    try:
        store.put_new(key, data)
    except Conflict:
        if store.get(key) != data:
            raise


def _check(part: Part | Manifest) -> None:
    if not part.files:
        raise Unsound("its manifest names no file", fix="an older checkpoint is used")
    for path in (*(file.path for file in part.files), part.name):
        _refuse_unsafe(path)
    if len(PurePosixPath(part.name).parts) != 1:
        raise Unsound(f"its manifest bears the name {part.name!r}", fix="an older checkpoint is used")


def _refuse_unsafe(path: str) -> None:
    """Paths stay below the checkpoint: relative, normal, without a step upwards."""
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or "\0" in path or not path:
        raise Unsound(f"its manifest names the path {path!r}", fix="an older checkpoint is used")


def files_of(checkpoint: Path) -> list[tuple[str, Path]]:
    """The files of a checkpoint on disk as (path in it, file), sorted. Raises Unsound for links."""
    if not checkpoint.is_dir():
        return [(".", checkpoint)]
    found = []
    for folder, folders, names in os.walk(checkpoint):
        for name in (*folders, *names):
            mode = os.lstat(Path(folder, name)).st_mode
            if not _utf8(name):
                raise Unsound(f"the file name {os.fsencode(name)!r} is not UTF-8", fix="name files in UTF-8")
            if not (statmode.S_ISREG(mode) or statmode.S_ISDIR(mode)):
                raise Unsound(f"{name} is neither a file nor a folder", fix="save plain files only")
        files = (Path(folder, name) for name in names)
        found += [(str(file.relative_to(checkpoint)), file) for file in files]
    return sorted(found)


def _utf8(name: str) -> bool:
    """Python keeps the bytes of other names as surrogates, which no manifest can hold."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def fingerprint(checkpoint: Path) -> tuple[tuple[str, int, int, int], ...]:
    """The stats of every file: equal before and after reading means unchanged."""
    stats = ((path, file.stat(follow_symlinks=False)) for path, file in files_of(checkpoint))
    return tuple((path, s.st_ino, s.st_size, s.st_mtime_ns) for path, s in stats)

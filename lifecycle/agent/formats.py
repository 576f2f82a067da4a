"""What a complete checkpoint is, by the profile of its trainer.

`script` promises a rename, so there a name is enough. The others write in place: what they wrote is complete when
its own format says so and nothing of it has changed for REST seconds, or its trainer has ended.
"""

from __future__ import annotations

import hashlib
import json
import pickletools
import re
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from lifecycle.agent.manifest import Unsound, files_of, fingerprint
from lifecycle.agent.rundir import plain_entries, step_in_name
from lifecycle.model.fleet import Profile
from lifecycle.ports.trainer import LocalCheckpoint

REST = 2.0
"""Seconds without a change before what a living trainer wrote in place can be complete."""

INCOMPLETE = "checkpoint-is-incomplete.txt"
"""Lies in a checkpoint of transformers while it saves on a signal (transformers' trainer_jit_checkpoint.py)."""

_TORCH = frozenset({".bin", ".ckpt", ".pt", ".pth"})
_MAX_HEADER = 100_000_000
"""Bytes of a safetensors header: the limit of its own reader."""

_FIRST_OPS = 1000
"""Lightning writes its step at the very beginning."""

_MEMO = frozenset({"BINPUT", "LONG_BINPUT", "MEMOIZE"})

Print = tuple[tuple[str, int, int, int], ...]


class Format(NamedTuple):
    """The checkpoints of one kind of trainer: their names, and the step of one that is whole (None: it is none)."""

    named: Callable[[str], bool]
    step: Callable[[Path], int | None]


class Look(NamedTuple):
    """How a checkpoint looks, since when; `step` is read once it has come to rest."""

    print: Print
    since: float
    read: bool = False
    step: int | None = None


class Looks:
    """Looks at checkpoints that are written in place, and remembers how they looked before."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._known: dict[Path, Look] = {}

    def complete(
        self, profile: Profile, directory: Path, writing: Callable[[], bool]
    ) -> tuple[LocalCheckpoint, ...]:
        """The complete checkpoints, oldest step first. `writing`: whether their trainer lives."""
        seen = {path: self._look(path, FORMATS[profile], writing) for path in _named(profile, directory)}
        others = {path: look for path, look in self._known.items() if path.parent != directory}
        self._known = others | {path: look for path, look in seen.items() if look}
        return tuple(sorted(_found(path, look) for path, look in seen.items() if look and look.step is not None))

    def _look(self, path: Path, form: Format, writing: Callable[[], bool]) -> Look | None:
        """None: it went away just now, or holds what is no file."""
        try:
            seen = fingerprint(path)
            now, known = self._monotonic(), self._known.get(path)
            look = known if known and known.print == seen else Look(seen, now)
            if look.read or (now - look.since < REST and writing()):
                return look
            return look._replace(read=True, step=None if torn(path) else form.step(path))
        except (OSError, Unsound):
            return None


def wrecks(profile: Profile, directory: Path) -> tuple[str, ...]:
    """Names of checkpoints that are provably cut short, once their trainer has ended: it may pick one by itself."""
    found = []
    for path in _named(profile, directory):
        with suppress(OSError, Unsound):
            if torn(path):
                found.append(path.name)
    return tuple(found)


def torn(path: Path) -> bool:
    """Whether its own format shows that something is missing. Raises OSError, Unsound.

    A distributed checkpoint of torch has its parts first, and `.metadata` by a rename when all are there.
    """
    files = files_of(path)
    names = {name for name, _ in files}
    parts_alone = any(name.endswith(".distcp") for name in names) and ".metadata" not in names
    return not files or INCOMPLETE in names or parts_alone or not all(_to_its_end(file) for _, file in files)


def _named(profile: Profile, directory: Path) -> Iterator[Path]:
    """Whatever bears the name of a checkpoint."""
    named = FORMATS[profile].named
    return (directory / entry.name for entry in plain_entries(directory) if named(entry.name))


def _found(path: Path, look: Look) -> LocalCheckpoint:
    assert look.step is not None
    signature = hashlib.sha256(repr(look.print).encode()).hexdigest()[:16]
    written = max(changed for *_, changed in look.print) / 1e9
    return LocalCheckpoint(look.step, path.name, signature, written)


# ---- the formats ---------------------------------------------------------------------------------


def _torchrun(path: Path) -> int | None:
    return step_in_name(path.name)


def _transformers(path: Path) -> int | None:
    """`trainer_state.json` is written after the tensors, and says the step."""
    said = _json((path / "trainer_state.json").read_bytes())
    step = said.get("global_step") if isinstance(said, dict) else None
    return step if isinstance(step, int) and step == step_in_name(path.name) else None


def _lightning(path: Path) -> int | None:
    """The step is what the file itself says: `last.ckpt` names none, and other names may mean epochs."""
    if not path.is_file():
        return None
    with suppress(zipfile.BadZipFile, ValueError), zipfile.ZipFile(path) as archive:
        pickled = next((name for name in archive.namelist() if name.endswith("data.pkl")), None)
        if pickled:
            with archive.open(pickled) as opened:
                return _value_of("global_step", opened)
    return None


def _value_of(key: str, pickled: Any) -> int | None:
    """The whole number that follows a key in a pickle, which is read and never run. Raises ValueError."""
    found = False
    for code, value, _ in islice(pickletools.genops(pickled), _FIRST_OPS):
        if found and code.name not in _MEMO:
            return value if type(value) is int and value >= 0 else None
        found = found or value == key
    return None


def _to_its_end(file: Path) -> bool:
    """True for a format that does not tell its length."""
    if file.suffix == ".safetensors":
        return _safetensors(file)
    return _archive(file) if file.suffix in _TORCH else True


def _archive(file: Path) -> bool:
    """torch.save writes a zip archive, its directory last; what is none of those cannot be told."""
    with file.open("rb") as opened:
        begin = opened.read(4)
    if begin != b"PK\x03\x04":
        return begin != b""
    try:
        with zipfile.ZipFile(file):
            return True
    except zipfile.BadZipFile:
        return False


def _safetensors(file: Path) -> bool:
    """Eight bytes that say how long the header is, the header, and the tensors up to where it says."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        header = _json(opened.read(length)) if 0 < length <= _MAX_HEADER else None
    if not isinstance(header, dict):
        return False
    places = [said.get("data_offsets", [0, 0]) for said in header.values() if isinstance(said, dict)]
    return file.stat().st_size == 8 + length + max((end for _, end in places), default=0)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


FORMATS: Mapping[Profile, Format] = {
    Profile.TORCHRUN: Format(lambda name: step_in_name(name) is not None, _torchrun),
    Profile.TRANSFORMERS: Format(
        lambda name: re.fullmatch(r"checkpoint-[0-9]{1,12}", name) is not None, _transformers
    ),
    Profile.LIGHTNING: Format(lambda name: name.endswith(".ckpt") and name.isprintable(), _lightning),
}
"""Of what is written in place. `script` renames: `rundir.complete_checkpoints`."""

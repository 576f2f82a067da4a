"""A spec file -> FleetSpec, or every fault in it with file:line:col.

Start at `load`. `reader` is the strict YAML, `shape` the schema, `meaning` what the schema cannot say.
May import `model` only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path as FilePath

import msgspec

from lifecycle.model.codec import T, convert
from lifecycle.model.errors import Fault, SpecError, SteadyError
from lifecycle.model.fleet import FleetSpec, Local, Pool
from lifecycle.specfile import meaning, reader, shape
from lifecycle.specfile.reader import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecFile:
    """A sound spec with the text it came from. `warnings` are faults that do not stop it."""

    spec: FleetSpec
    text: str
    source: FilePath
    document: Document
    warnings: tuple[Fault, ...]

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    def where(self, path: reader.Path) -> str:
        """`specs/llm.yaml:14`: the line of the key at `path`, or of its nearest parent that the file names."""
        while path and path not in self.document.keys:
            path = path[:-1]
        line, _ = self.document.keys.get(path, (1, 1))
        return f"{self.document.name}:{line}"

    def fault(self, path: reader.Path, message: str) -> Fault:
        """A fault at `path`, or at its nearest parent that the file names."""
        at = Document(self.document.name)
        at.fault(self.document.key_place(path), message, path)
        return at.faults[0]


def load(path: FilePath) -> SpecFile:
    """The spec in the file at `path`. Raises SpecError with all its faults, SteadyError when unreadable."""
    data = _bytes_of(path)
    return parse(str(path), data, path.parent)


def load_all(paths: Iterable[FilePath]) -> list[SpecFile]:
    """Every file in one go: the faults of all are told together, sorted by file and line."""
    loaded: list[SpecFile] = []
    faults: list[Fault] = []
    for path in paths:
        try:
            loaded.append(load(path))
        except SpecError as error:
            faults += error.faults
    if faults:
        raise SpecError(tuple(faults))
    return loaded


def _bytes_of(path: FilePath) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(reader.MAX_BYTES + 1)
    except FileNotFoundError:
        raise SteadyError(f"{path}: no such file", fix="name a spec file; `steady init` writes one") from None
    except IsADirectoryError:
        raise SteadyError(f"{path}: is a directory", fix=f"name the spec files in it: {path}/*.yaml") from None
    except OSError as error:
        raise SteadyError(f"{path}: {error.strerror}", fix="make the file readable") from None


def parse(name: str, data: bytes, folder: FilePath) -> SpecFile:
    """The spec in `data`, which came from the file `name` in `folder`. Raises SpecError."""
    document = reader.read(name, data)
    if document.value is None and not document.faults:
        document.fault((1, 1), "the file is empty; `steady init` writes a spec to start from")
    if document.broken or document.value is None:
        raise SpecError(_sorted(document.faults))
    shape.check(document)
    warnings = _meaning(document, folder)
    if document.faults:
        raise SpecError(_sorted(document.faults))
    return SpecFile(
        spec=convert(document.value, FleetSpec),
        text=data.decode("utf-8-sig"),
        source=FilePath(name),
        document=document,
        warnings=_sorted(warnings),
    )


def _sorted(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    return tuple(sorted(set(faults), key=lambda fault: (fault.file, fault.line, fault.column, fault.message)))


def _meaning(document: Document, folder: FilePath) -> list[Fault]:
    """Adds the errors to the document and returns the warnings."""
    if not isinstance(document.value, dict):
        return []
    warnings = Document(document.name)
    for path, severity, message in _findings(document, folder):
        target = document if severity == meaning.ERROR else warnings
        target.fault(document.place(path), message, path)
    return warnings.faults


def _findings(document: Document, folder: FilePath) -> Iterator[meaning.Finding]:
    declared = document.value.get("pools")
    raw = {**document.value, "pools": declared if isinstance(declared, dict) else {}}
    pools = {name: pool for name, value in raw["pools"].items() if (pool := _sound(value, Pool)) is not None}
    local = _sound(raw.get("local", {}), Local)
    yield from meaning.check_fleet(raw, pools, local)
    for name, pool in pools.items():
        yield from meaning.check_pool(name, pool, raw, folder)


def _sound(value: object, kind: type[T]) -> T | None:
    try:
        return convert(value, kind)
    except (msgspec.ValidationError, ValueError):
        return None

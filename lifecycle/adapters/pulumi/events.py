"""What the engine said of one update, as its event log has it; and what that means for nodes and for people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from lifecycle.adapters.pulumi.said import first_error

INSTANCE = "aws:ec2/instance:Instance"
STAKE = "record"
"""The logical name of what stands for the spec of record; no machine has to do with it."""

CREATES = frozenset({"create", "create-replacement"})
DELETES = frozenset({"delete", "delete-replaced"})
_DONE = {
    "create": "made",
    "create-replacement": "made",
    "delete": "ended",
    "delete-replaced": "ended",
    "update": "changed",
}
_MACHINERY = re.compile(r'^\w+ hook "[\w-]+" failed: |^python inline source runtime error: ')
_SETTLED = CREATES | {"same", "update"}


class Step(NamedTuple):
    """One operation on one resource: begun (`resourcePreEvent`), ended well, or failed."""

    kind: str
    op: str
    type: str
    name: str
    now: Mapping[str, Any]
    diffs: tuple[str, ...]


@dataclass(frozen=True)
class Ran:
    """How one long command of the CLI ended. `code` is negative when it was killed."""

    code: int
    said: str
    events: tuple[Mapping[str, Any], ...] = ()

    @property
    def cut(self) -> bool:
        """Whether it ended before it could tell how."""
        return self.code < 0 or (bool(self.events) and "cancelEvent" not in self.events[-1])

    @property
    def error(self) -> str:
        """The first thing that went wrong, in one line; empty when nothing did."""
        if not self.code:
            return ""
        named = (text for _, text in self._errors() if text != "update failed")
        return next(named, "the Pulumi CLI was killed" if self.cut else first_error(self.said))

    def errors(self, name: str) -> list[str]:
        """What went wrong with the instance of this logical name."""
        return [text for urn, text in self._errors() if urn.endswith(f"{INSTANCE}::{name}")]

    def steps(self) -> Iterator[Step]:
        for event in self.events:
            for kind in ("resourcePreEvent", "resOutputsEvent", "resOpFailedEvent"):
                if kind in event:
                    yield _step(kind, event[kind]["metadata"])

    def of(self, name: str) -> list[Step]:
        """The steps of the instance of this logical name."""
        return [step for step in self.steps() if (step.type, step.name) == (INSTANCE, name)]

    def settled(self, name: str, *, present: bool) -> bool:
        """Whether the engine got this instance to where it was to be."""
        ended = [step.op for step in self.of(name) if step.kind == "resOutputsEvent"]
        return bool(ended) and ended[-1] in (_SETTLED if present else DELETES)

    def wanted(self, name: str) -> Mapping[str, Any] | None:
        """The resource that the engine would create under this name, if any; of a preview."""
        return next((step.now for step in self.of(name) if step.op in CREATES), None)

    def done(self) -> Iterator[tuple[str, str]]:
        """(logical name of an instance or nothing, what was done), for the journal."""
        for step in self.steps():
            if step.kind != "resOutputsEvent" or step.op not in _DONE or not step.type.startswith("aws:"):
                continue
            if step.type == INSTANCE:
                yield step.name, f"{_DONE[step.op]} by an update of the stack"
            elif step.name != STAKE:
                yield "", f"{label(step.type)} {step.name} {_DONE[step.op]}"

    def differences(self) -> tuple[str, ...]:
        """What a preview would change of all that is no machine, a line each."""
        steps = [step for step in self.steps() if step.kind == "resourcePreEvent" and step.op in _DIFFERS]
        shared = (step for step in steps if step.type != INSTANCE and step.type.startswith("aws:"))
        return tuple(_DIFFERS[step.op](step) for step in shared if step.name != STAKE)

    def _errors(self) -> Iterator[tuple[str, str]]:
        for event in self.events:
            said = event.get("diagnosticEvent", {})
            if said.get("severity") == "error":
                yield said.get("urn", ""), _plain(said["message"])


def read(log: Path) -> tuple[Mapping[str, Any], ...]:
    """The events of a log; a last one that was cut short is left out."""
    lines = log.read_bytes().splitlines() if log.exists() else []
    return tuple(event for line in lines if (event := _event(line)) is not None)


def _event(line: bytes) -> Mapping[str, Any] | None:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        return None


def _step(kind: str, metadata: Mapping[str, Any]) -> Step:
    name = metadata["urn"].split("::", 3)[3]
    now, diffs = metadata.get("new") or {}, metadata.get("diffs") or ()
    return Step(kind, metadata["op"], metadata["type"], name, now, tuple(diffs))


def label(token: str) -> str:
    """`aws:iam/rolePolicy:RolePolicy` -> `role policy`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", token.rpartition(":")[2]).lower()


def _plain(message: str) -> str:
    """One line, without the colours' markup and without what the hooks' machinery adds."""
    line = re.sub(r"<\{%.*?%\}>", "", message).strip().partition("\n")[0]
    return _MACHINERY.sub("", line)


_DIFFERS = {
    "create": lambda step: f"{label(step.type)} {step.name} is missing",
    "delete": lambda step: f"{label(step.type)} {step.name} is no longer declared",
    "replace": lambda step: f"{label(step.type)} {step.name} differs in {', '.join(step.diffs)}",
    "update": lambda step: f"{label(step.type)} {step.name} differs in {', '.join(step.diffs)}",
}

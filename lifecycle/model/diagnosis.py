"""What `steady doctor` finds: one finding for each check, and the facts that findings are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from lifecycle.model.errors import SteadyError


class Verdict(StrEnum):
    OK = "ok"
    WRONG = "wrong"
    UNKNOWN = "unknown"
    """It could not be read, so nothing is claimed."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one check came to. `policy`: IAM statements that are missing, ready to be pasted."""

    verdict: Verdict
    message: str
    fix: str = ""
    policy: Mapping[str, Any] | None = None


def ok(message: str) -> Finding:
    return Finding(verdict=Verdict.OK, message=message)


def wrong(message: str, fix: str) -> Finding:
    return Finding(verdict=Verdict.WRONG, message=message, fix=fix)


def unknown(message: str, fix: str = "") -> Finding:
    return Finding(verdict=Verdict.UNKNOWN, message=message, fix=fix)


def refused(error: SteadyError) -> Finding:
    """An error that a person has to mend, as a finding."""
    return wrong(error.what, error.fix)


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Whose credentials these are. `expires` in seconds since the epoch, where that is told."""

    arn: str
    account: str
    expires: float | None = None


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What an instance type is made of."""

    architectures: Sequence[str]
    vcpus: int


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """A limit of the account as Service Quotas names it, in vCPUs."""

    name: str
    vcpus: float


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """Actions of one statement on one resource, in a context that its conditions hold in."""

    statement: int
    actions: Sequence[str]
    resource: str
    context: Mapping[str, Sequence[str]]

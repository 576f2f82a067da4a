"""The error tree: every error a person or a loop may meet, with what to do next.

SteadyError                 what is wrong, and the fix; knows its exit code
├── SpecError               one or many faults in spec files, each with file:line:col
├── WrongUsage              the command line is off
├── NotAuthorised           credentials or permissions
├── LeaseHeld               another writer is at work
├── StackLocked             somebody else's `pulumi` is under way
├── LostLease               we were overtaken: stop acting now
├── PartlyDone              some of the work is done, the rest is named
├── GuardRefused            a guard holds the action back; names its override
├── TimedOut                the outcome did not come in time
├── Unreadable              the world or the tracker could not be read: unknown, never dead
├── Conflict                a conditional write lost; read again
└── StateUnusable           the state directory cannot be used as it is
IllegalMove                 a state table forbids the move: a bug of ours, nothing changed
"""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.model.more import PAGE, anchor


class SteadyError(Exception):
    """What is wrong in one line, and in `fix` what the reader can do about it.

    `about` is a guard's name or a kind of error, as `model.more` lists them.
    """

    exit_code = 1
    about = ""

    def __init__(self, what: str, *, fix: str, about: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix
        self.about = about or self.about

    @property
    def more(self) -> str:
        """`specs/errors.md#heading`; empty where that page says nothing of it."""
        at = anchor(self.about)
        return f"{PAGE}#{at}" if at else ""

    @property
    def sentence(self) -> str:
        """All of it in one line, for what Pulumi shows."""
        return "; ".join(filter(None, (self.what, self.fix, self.more and f"more: {self.more}")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong in a spec file. `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        return f"{where}: {self.path}: {self.message}" if self.path else f"{where}: {self.message}"


class SpecError(SteadyError):
    """Every fault of every file read in one go."""

    about = "spec"

    def __init__(self, faults: tuple[Fault, ...], *, fix: str = "") -> None:
        plural = "" if len(faults) == 1 else "s"
        super().__init__(
            f"{len(faults)} error{plural} in the spec",
            fix=fix or "correct the lines above; field reference: specs/README.md",
        )
        self.faults = faults


class WrongUsage(SteadyError):
    exit_code = 64


class NotAuthorised(SteadyError):
    exit_code = 3
    about = "credentials"


class LeaseHeld(SteadyError):
    exit_code = 4
    about = "lease"


class StackLocked(SteadyError):
    exit_code = 4
    about = "locked"


class LostLease(SteadyError):
    exit_code = 4
    about = "lease"

    @classmethod
    def of(cls, fleet: str) -> LostLease:
        """A fenced write came too late: somebody else holds the fleet's lease now."""
        return cls(
            f"{fleet}: another controller took over", fix="nothing: the other one goes on; run again to look"
        )


class PartlyDone(SteadyError):
    exit_code = 5
    about = "partly"


class GuardRefused(SteadyError):
    exit_code = 6


class TimedOut(SteadyError):
    exit_code = 9
    about = "timed out"


class Unreadable(SteadyError):
    """A read failed, was cut short or cannot be believed. Nothing follows from it."""

    about = "unreadable"


class Conflict(SteadyError):
    """A conditional write found another value than it expected."""

    about = "conflict"


class StateUnusable(SteadyError):
    """The state directory is of another version, read-only, or not ours."""

    about = "state"


class IllegalMove(Exception):
    """A transition that the state table does not have. Nothing was changed."""

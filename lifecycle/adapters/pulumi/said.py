"""What the CLI says when it fails, in words for people."""

from __future__ import annotations

import re

from lifecycle.model.errors import NotAuthorised, SteadyError, Unreadable

_MISSING = re.compile(r"no stack named .* found")
_KNOWN = (
    (
        re.compile("PULUMI_ACCESS_TOKEN must be set"),
        "Pulumi is not logged in to a backend",
        "`pulumi login`, with the backend that holds the foundation's stack",
    ),
    (
        re.compile("passphrase must be set|incorrect passphrase|PULUMI_CONFIG_PASSPHRASE"),
        "the passphrase of stack {stack} is missing or wrong",
        "set PULUMI_CONFIG_PASSPHRASE (or PULUMI_CONFIG_PASSPHRASE_FILE)",
    ),
    (
        re.compile("AccessDenied|Forbidden|StatusCode: 403|ExpiredToken|no EC2 IMDS role found"),
        "Pulumi's backend lets us not in: {said}",
        "check the credentials of this shell, and `pulumi whoami -v`",
    ),
)


def missing(said: str) -> bool:
    """Whether the CLI could read the backend and found no such stack there."""
    return bool(_MISSING.search(said))


def explained(stack: str, said: str) -> SteadyError:
    """The error for a command that failed and changed nothing."""
    line = first_error(said)
    for pattern, what, fix in _KNOWN:
        if pattern.search(said):
            return NotAuthorised(what.format(stack=stack, said=line), fix=fix)
    return Unreadable(f"Pulumi cannot read stack {stack}: {line}", fix="check the backend with `pulumi whoami -v`")


def first_error(said: str) -> str:
    """The first line that says what is wrong."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    named = (line.partition("error:")[2].strip() for line in lines if "error:" in line)
    return next(named, "") or (lines[-1] if lines else "it said nothing")

"""Fetches a trainer's secrets, then becomes the trainer: `python -m ... NAME=ARN ... -- COMMAND ...`.

What they hold is in the memory of the trainer's own process and nowhere else: on no disk, in no command line, in no
unit that systemd shows. Without every one of them nothing is started, and the last line of the attempt's log says
which is missing.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from lifecycle.adapters.aws.session import Session, answers, code_of
from lifecycle.model.errors import NotAuthorised, SteadyError, Unreadable

PATIENCE = 120.0
"""Seconds that a service which does not answer, or a right that is new, is waited for."""

_PAUSE = 2.0
_NOT_FOUND = 127
_NEVER = frozenset({"ResourceNotFoundException", "ValidationException", "InvalidRequestException"})
"""What asking again does not change."""


def main(argv: Sequence[str]) -> int:
    """Does not return when the trainer was started."""
    cut = argv.index("--")
    named, command = dict(each.split("=", 1) for each in argv[:cut]), argv[cut + 1 :]
    try:
        fetched = {name: _patiently(name, arn) for name, arn in named.items()}
    except SteadyError as error:
        print(f"secrets: {error.what}; {error.fix}", file=sys.stderr)
        return 1
    return _become(command, {**os.environ, **fetched})


def fetch(arn: str) -> str:
    """The secret's text. Raises SteadyError where there is none, Unreadable or NotAuthorised where nobody knows."""
    _, _, _, region, account, *_ = arn.split(":")
    client = Session(region, account, vouched=True).client("secretsmanager")
    with answers("Secrets Manager"):
        text = _value(client, arn).get("SecretString")
    if text is None or "\0" in text:
        raise SteadyError(f"{arn} is not text", fix="a variable holds text: store the secret as a string")
    return text


def _value(client: Any, arn: str) -> Mapping[str, str]:
    try:
        found: Mapping[str, str] = client.get_secret_value(SecretId=arn)
    except ClientError as error:
        if code_of(error) in _NEVER:
            raise SteadyError(f"{arn}: {code_of(error)}", fix="mend `secrets` in the spec, or the secret") from None
        raise
    return found


def _patiently(name: str, arn: str) -> str:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return fetch(arn)
        except (Unreadable, NotAuthorised) as error:
            if time.monotonic() > deadline:
                raise
            print(f"secrets: waiting for {name}: {error.what}", file=sys.stderr, flush=True)
            time.sleep(_PAUSE)
        except SteadyError as error:
            raise SteadyError(f"{name}: {error.what}", fix=error.fix) from None


def _become(command: Sequence[str], environment: Mapping[str, str]) -> int:
    try:
        os.execvpe(command[0], list(command), environment)  # noqa: S606
    except OSError as error:
        print(f"cannot start: {command[0]}: {error.strerror}", file=sys.stderr)
        return _NOT_FOUND


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

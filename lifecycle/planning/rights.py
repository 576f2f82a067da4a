"""Which of the rights that a policy grants are missing: what to try, and the statements to paste.

A trial puts a made-up name for each wildcard and a value for each condition, so that only the right is in question.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from lifecycle.model.diagnosis import Finding, Trial, Verdict, ok

Statement = Mapping[str, Any]
Denied = tuple[int, str, str]
"""The number of a statement, an action of it, and the resource it was tried on."""

_ANY = "x"


def trials(statements: Sequence[Statement]) -> tuple[Trial, ...]:
    """Everything that these statements allow. What they deny is no right that anybody could lack."""
    return tuple(trial for number, statement in enumerate(statements) for trial in _trials(number, statement))


def _trials(number: int, statement: Statement) -> Iterator[Trial]:
    if statement["Effect"] != "Allow":
        return
    context = dict(_holding(statement.get("Condition", {})))
    for resource in statement["Resource"]:
        tried = resource if resource == "*" else _example(resource)
        yield Trial(statement=number, actions=tuple(statement["Action"]), resource=tried, context=context)


def _holding(conditions: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """For each key, values with which its test holds. Raises ValueError for a test that is not known here."""
    for operator, tests in conditions.items():
        every, _, test = operator.rpartition(":")
        for key, value in tests.items():
            values = [value] if isinstance(value, str) else value
            if test in ("StringNotEquals", "StringNotLike"):
                yield key, (_ANY,)
            elif test in ("ArnEquals", "ArnLike", "StringEquals", "StringLike"):
                yield key, tuple(_example(each) for each in (values if every else values[:1]))
            elif test != "Null":
                raise ValueError(f"not understood: {operator}")


def _example(pattern: str) -> str:
    return pattern.replace("?*", "*").replace("*", _ANY)


def missing(statements: Sequence[Statement], denied: Collection[Denied]) -> list[Statement]:
    """The statements, each with the actions that were denied on any of its resources, and nothing else."""
    found: list[Statement] = []
    for number, statement in enumerate(statements):
        lacking = {action for index, action, _ in denied if index == number}
        if lacking:
            found.append({**statement, "Action": [name for name in statement["Action"] if name in lacking]})
    return found


def judged(whom: str, statements: Sequence[Statement], denied: Collection[Denied]) -> Finding:
    """`whom` says whose rights were tried, and as what."""
    lacking = missing(statements, denied)
    if not lacking:
        return ok(f"{whom}: nothing is missing, as IAM simulates it")
    actions = sorted({action for statement in lacking for action in statement["Action"]})
    return Finding(
        verdict=Verdict.WRONG,
        message=f"{whom}: {len(actions)} actions are not allowed: {_some(actions)}",
        fix="put the policy below on it; it holds only what is missing",
        policy={"Version": "2012-10-17", "Statement": lacking},
    )


def _some(names: Sequence[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more

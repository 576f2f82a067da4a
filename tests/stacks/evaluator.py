"""Decides a call as IAM would, from the documents alone: enough of its language for our policies, and strict.

After AWS's "policy evaluation logic" within one account: an explicit deny wins; a boundary and the role's policies
must both allow; a resource's own policy may allow by itself. What it does not know it raises on, so that a
policy cannot pass by being misread.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Value = str | Sequence[str]


class Verdict(StrEnum):
    ALLOWED = "allowed"
    NOT_ALLOWED = "nothing allows it"
    DENIED = "explicitly denied"


@dataclass(frozen=True)
class Call:
    """One action on one resource. A list in `context` is a key of many values; `principal` is an ARN or service."""

    action: str
    resource: str
    context: Mapping[str, Value] = field(default_factory=dict)
    principal: str = ""

    def value(self, key: str) -> Value | None:
        """Keys are compared without case; a key without values counts as absent."""
        found = next((value for name, value in self.context.items() if name.lower() == key.lower()), None)
        return found or None


class Unresolved(Exception):
    """A policy variable has no value in this call: the statement does not apply."""


def decide(
    call: Call,
    policies: Sequence[Mapping[str, Any]],
    boundary: Mapping[str, Any] | None = None,
    resource_policy: Mapping[str, Any] | None = None,
) -> Verdict:
    granted = [_effects(document, call) for document in policies]
    bounded = _effects(boundary, call) if boundary is not None else {"Allow"}
    shared = _effects(resource_policy, call) if resource_policy is not None else set()
    if any("Deny" in effects for effects in (*granted, bounded, shared)):
        return Verdict.DENIED
    by_identity = any("Allow" in effects for effects in granted) and "Allow" in bounded
    return Verdict.ALLOWED if by_identity or "Allow" in shared else Verdict.NOT_ALLOWED


def _effects(document: Mapping[str, Any], call: Call) -> set[str]:
    return {statement["Effect"] for statement in _list(document["Statement"]) if applies(statement, call)}


def applies(statement: Mapping[str, Any], call: Call) -> bool:
    unknown = set(statement) - _ELEMENTS
    if unknown or statement["Effect"] not in ("Allow", "Deny"):
        raise ValueError(f"not understood: {sorted(unknown) or statement['Effect']}")
    try:
        return (
            _principal(statement, call)
            and _named(statement, "Action", call.action, call, str.lower)
            and _named(statement, "Resource", call.resource, call, str)
            and all(_holds(key, tests, call) for key, tests in statement.get("Condition", {}).items())
        )
    except Unresolved:
        return False


_ELEMENTS = {"Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition"}


def _principal(statement: Mapping[str, Any], call: Call) -> bool:
    wanted = statement.get("Principal", "*")
    if wanted == "*":
        return True
    return any(call.principal == one or one == "*" for many in wanted.values() for one in _list(many))


def _named(statement: Mapping[str, Any], element: str, found: str, call: Call, fold: Callable[[str], str]) -> bool:
    """Whether Action or NotAction, Resource or NotResource names it. A trust policy has no resource."""
    if element in statement:
        return any(like(fold(found), fold(one), call) for one in _list(statement[element]))
    if f"Not{element}" in statement:
        return not any(like(fold(found), fold(one), call) for one in _list(statement[f"Not{element}"]))
    return element == "Resource"


_TOKEN = re.compile(r"\$\{([^}]*)\}|([*?])")


def like(found: str, pattern: str, call: Call) -> bool:
    """Wildcards match anything, `:` and `/` too; what a variable stands for is taken literally."""
    return re.fullmatch(_pattern(pattern, call), found, re.DOTALL) is not None


def _pattern(text: str, call: Call) -> str:
    parts, at = [], 0
    for token in _TOKEN.finditer(text):
        parts.append(re.escape(text[at : token.start()]))
        parts.append({"*": ".*", "?": "."}[token[2]] if token[2] else re.escape(_variable(token[1], call)))
        at = token.end()
    return "".join([*parts, re.escape(text[at:])])


def _variable(name: str, call: Call) -> str:
    """`aws:username`, or with a default: `aws:username, 'nobody'`; `*`, `?` and `$` stand for themselves."""
    if name in ("*", "?", "$"):
        return name
    key, _, default = name.partition(",")
    value = call.value(key.strip())
    if value is None and default:
        return default.strip().strip("'")
    if not isinstance(value, str):
        raise Unresolved(name)
    return value


def _equal(found: str, wanted: str, call: Call) -> bool:
    literal = re.sub(r"\$\{([^}]*)\}", lambda token: _variable(token[1], call), wanted)
    return found == literal


def _arn_like(found: str, wanted: str, call: Call) -> bool:
    """Each of the six parts by itself: a wildcard does not reach into the next one."""
    theirs, ours = found.split(":", 5), _parts(wanted)
    return len(theirs) == len(ours) and all(like(a, b, call) for a, b in zip(theirs, ours, strict=True))


def _parts(arn: str) -> list[str]:
    """Splits at colons, but not at those within a variable."""
    return re.split(r":(?![^{}]*\})", arn, maxsplit=5)


Test = Callable[[str, str, Call], bool]


def _numeric(compare: Callable[[float, float], bool]) -> Test:
    return lambda found, wanted, _: compare(float(found), float(wanted))


_TESTS: dict[str, Test] = {
    "StringEquals": _equal,
    "StringEqualsIgnoreCase": lambda found, wanted, call: _equal(found.lower(), wanted.lower(), call),
    "StringLike": like,
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
    "Bool": lambda found, wanted, _: found.lower() == wanted.lower(),
    "NumericEquals": _numeric(operator.eq),
    "NumericLessThan": _numeric(operator.lt),
    "NumericLessThanEquals": _numeric(operator.le),
    "NumericGreaterThan": _numeric(operator.gt),
}
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
}


def _holds(test: str, tests: Mapping[str, Any], call: Call) -> bool:
    """Every key of the operator must pass; all operators of a statement must, too."""
    return all(
        _one(test, call.value(key), [str(value) for value in _list(wanted)], call) for key, wanted in tests.items()
    )


def _one(name: str, found: Value | None, wanted: list[str], call: Call) -> bool:
    if name == "Null":
        return (found is None) == (wanted[0].lower() == "true")
    quantifier, _, name = name.rpartition(":")
    name, if_exists = name.removesuffix("IfExists"), name.endswith("IfExists")
    test = _matcher(name, wanted, call)
    if quantifier == "ForAllValues":
        return all(test(value) for value in _list(found or []))
    if quantifier == "ForAnyValue":
        return any(test(value) for value in _list(found or []))
    if quantifier:
        raise ValueError(f"not understood: {quantifier}")
    if found is None:
        return if_exists or name in _NEGATED
    if not isinstance(found, str):
        raise ValueError(f"{name} on a key of many values: {found}")
    return test(found)


def _matcher(name: str, wanted: list[str], call: Call) -> Callable[[str], bool]:
    """Any of the wanted values is enough; for a negated operator none of them may match."""
    positive = _TESTS.get(_NEGATED.get(name, name))
    if positive is None:
        raise ValueError(f"not understood: {name}")
    if name in _NEGATED:
        return lambda value: not any([positive(value, one, call) for one in wanted])
    return lambda value: any([positive(value, one, call) for one in wanted])


def _list(value: Any) -> list[Any]:
    return [value] if isinstance(value, str | Mapping) else list(value)

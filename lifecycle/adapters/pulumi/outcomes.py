"""What became of one node, from what the engine said of its instance."""

from __future__ import annotations

import re

from lifecycle.adapters.pulumi.events import Ran
from lifecycle.model.ids import urn_name
from lifecycle.model.records import Placement
from lifecycle.ports.provisioner import Outcome

NO_CAPACITY = frozenset(
    {
        "InstanceLimitExceeded",
        "InsufficientCapacity",
        "InsufficientCapacityOnHost",
        "InsufficientHostCapacity",
        "InsufficientInstanceCapacity",
        "InsufficientReservedInstanceCapacity",
        "MaxSpotInstanceCountExceeded",
        "SpotMaxPriceTooLow",
        "UnfulfillableCapacity",
        "VcpuLimitExceeded",
    }
)
"""Another type, zone or market may well be had. Source: AWS's API reference, "Error codes for the Amazon EC2 API".
Limits count too, because each family of types and each market has its own."""

_ELSEWHERE = re.compile(r"instance type .* not supported in your requested Availability Zone")
"""How the general code `Unsupported` says that a zone does not have a type."""

_THROTTLED = frozenset({"RequestLimitExceeded", "Throttling", "ThrottlingException"})
_REFUSED = re.compile(r"RunInstances,.* StatusCode: (?P<status>\d+),.*? api error (?P<code>[\w.]+): (?P<text>.*)")


def outcome(placement: Placement, ran: Ran) -> Outcome:
    """Made, refused, or without an answer: then what is in doubt stays so, whoever put it in doubt."""
    node, name = placement.node, urn_name(placement.node)
    errors = ran.errors(name)
    if not ran.code or (ran.settled(name, present=placement.present) and not errors):
        return Outcome(node=node)
    if not errors:
        return Outcome(node=node, error=f"not reached: {ran.error}", uncertain=placement.present)
    return _failed(node, errors[0], present=placement.present)


def _failed(node: str, error: str, *, present: bool) -> Outcome:
    """A refusal of AWS is an answer. One of our own guard is none: it may be that another's try is in doubt."""
    answer = _REFUSED.search(error)
    if answer is None:
        return Outcome(node=node, error=error, uncertain=present)
    code, text = answer["code"], answer["text"]
    short = code in NO_CAPACITY or (code == "Unsupported" and bool(_ELSEWHERE.search(text)))
    answered = short or code in _THROTTLED or answer["status"].startswith("4")
    return Outcome(node=node, error=f"{code}: {text}", no_capacity=short, uncertain=not answered)

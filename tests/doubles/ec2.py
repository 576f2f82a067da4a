"""What EC2 does and moto does not: refusals, lacks of capacity, lists that lag behind, failed status checks.

Refused: stopping or starting a one-time spot machine or one that ends, and launches for which there is no
capacity. The rules act on moto's own machines, which live in this process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

ACCOUNT, REGION = "123456789012", "us-east-1"
NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15"

Parameters = Mapping[str, list[str]]
Refusal = tuple[int, str, str]
"""HTTP status, code, message."""


@dataclass
class Shortage:
    """No capacity for machines like this; None means any. `met` counts the launches it refused."""

    instance_type: str | None = None
    zone: str | None = None
    market: str | None = None
    met: int = field(default=0, init=False)

    def meets(self, instance_type: str, zone: str, market: str) -> bool:
        asked = ((self.instance_type, instance_type), (self.zone, zone), (self.market, market))
        return all(short in (None, value) for short, value in asked)


class Ec2:
    """The rules in force. `after_change` is called, under the lock, after each call that may change machines."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.shortages: list[Shortage] = []
        self.impaired: set[str] = set()
        """Machines that fail their status checks."""
        self.unlisted = 0.0
        """Seconds for which a new machine is in no list; by its id it can be asked for at once."""
        self.after_change: Callable[[], None] | None = None

    def clear(self) -> None:
        """Back to an EC2 that has everything and knows everything."""
        self.shortages.clear()
        self.impaired.clear()
        self.unlisted = 0.0

    @contextmanager
    def no_capacity(
        self, *, instance_type: str | None = None, zone: str | None = None, market: str | None = None
    ) -> Iterator[Shortage]:
        """A lack that stands while the block runs; `market` is `spot` or `on-demand`."""
        standing = Shortage(instance_type, zone, market)
        self.shortages.append(standing)
        try:
            yield standing
        finally:
            self.shortages.remove(standing)

    # ---- before a call ---------------------------------------------------------------------------

    def refusal(self, operation: str, asked: Parameters) -> Refusal | None:
        """What EC2 would answer instead of carrying the call out."""
        if operation == "ec2.RunInstances":
            return self._lacking(asked)
        if operation in ("ec2.StopInstances", "ec2.StartInstances"):
            found = (instance(name) for name in _named(asked))
            return next(
                (said for one in found if one is not None and (said := _unswitchable(operation, one))), None
            )
        return None

    def _lacking(self, asked: Parameters) -> Refusal | None:
        instance_type, zone, market = _launch(asked)
        for shortage in self.shortages:
            if shortage.meets(instance_type, zone, market):
                shortage.met += 1
                return 500, "InsufficientInstanceCapacity", _regrets(instance_type, zone, market)
        return None

    # ---- after a call ----------------------------------------------------------------------------

    def retells(self, operation: str, asked: Parameters) -> bool:
        """Whether moto's answer to this call is not EC2's."""
        if operation == "ec2.DescribeInstances":
            return self.unlisted > 0 and not _named(asked)
        return operation == "ec2.DescribeInstanceStatus" and bool(self.impaired)

    def retold(self, operation: str, answer: bytes) -> bytes:
        """The answer as EC2 would give it."""
        ElementTree.register_namespace("", NAMESPACE)
        root = ElementTree.fromstring(answer)
        if operation == "ec2.DescribeInstances":
            self._leave_out_the_new(root)
        else:
            self._fail_checks(root)
        return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)

    def _leave_out_the_new(self, root: ElementTree.Element) -> None:
        for reservation in _all(root, "reservationSet/item"):
            for listed in _all(reservation, "instancesSet"):
                for one in _all(listed, "item"):
                    if _age(_text(one, "launchTime")) < self.unlisted:
                        listed.remove(one)

    def _fail_checks(self, root: ElementTree.Element) -> None:
        for one in _all(root, "instanceStatusSet/item"):
            if _text(one, "instanceId") in self.impaired:
                for status in _all(one, "instanceStatus/status"):
                    status.text = "impaired"


def instances() -> list[Any]:
    """moto's machines, in the order they were made."""
    from moto.ec2.models import ec2_backends

    known = list(ec2_backends[ACCOUNT][REGION].reservations.values())
    return [one for reservation in known for one in list(reservation.instances)]


def instance(name: str) -> Any:
    """moto's machine of this id; None when there is none."""
    return next((one for one in instances() if one.id == name), None)


def changes(operation: str) -> bool:
    """Whether a call changes what is there, by its name."""
    name = operation.partition(".")[2]
    return not name.startswith(("Describe", "Get", "List", "Simulate"))


def _unswitchable(operation: str, one: Any) -> Refusal | None:
    if one.lifecycle == "spot":
        return 400, "UnsupportedOperation", f"You can't stop or start the Spot Instance '{one.id}'"
    starting = operation == "ec2.StartInstances"
    if one.state in ("shutting-down", "terminated", *(["stopping"] if starting else [])):
        return 400, "IncorrectInstanceState", f"The instance '{one.id}' is {one.state}"
    return None


def _launch(asked: Parameters) -> tuple[str, str, str]:
    """(type, zone, market) of a RunInstances call; a zone left out is `...a`, as moto chooses."""
    subnet = _value(asked, "SubnetId") or _value(asked, "NetworkInterface.1.SubnetId")
    zone = _value(asked, "Placement.AvailabilityZone") or _zone_of(subnet)
    return _value(asked, "InstanceType"), zone, _value(asked, "InstanceMarketOptions.MarketType") or "on-demand"


def _zone_of(subnet: str) -> str:
    from moto.ec2.models import ec2_backends

    return str(ec2_backends[ACCOUNT][REGION].get_subnet(subnet).availability_zone) if subnet else f"{REGION}a"


def _regrets(instance_type: str, zone: str, market: str) -> str:
    """EC2's own words, as users of terraform-provider-aws report them."""
    if market == "spot":
        return "There is no Spot capacity available that matches your request."
    return (
        f"We currently do not have sufficient {instance_type} capacity in the Availability Zone you requested "
        f"({zone}). Our system will be working on provisioning additional capacity."
    )


def _named(asked: Parameters) -> list[str]:
    return [values[0] for key, values in asked.items() if key.startswith("InstanceId")]


def _value(asked: Parameters, key: str) -> str:
    return asked.get(key, [""])[0]


def _all(root: ElementTree.Element, path: str) -> list[ElementTree.Element]:
    return root.findall("/".join(f"{{{NAMESPACE}}}{step}" for step in path.split("/")))


def _text(element: ElementTree.Element, tag: str) -> str:
    return element.findtext(f"{{{NAMESPACE}}}{tag}") or ""


def _age(launched: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(launched)).total_seconds()

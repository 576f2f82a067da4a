"""EC2's status checks, asked for once a minute: one of two witnesses against a silent agent."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from lifecycle.adapters.aws.session import answers
from lifecycle.model.errors import Unreadable
from lifecycle.model.world import Machine
from lifecycle.ports.clock import Clock

EVERY = 60.0
PAGE = 1000
CHECKS = ("InstanceStatus", "SystemStatus", "AttachedEbsStatus")

Boot = tuple[str, float]
"""A machine's id and its last start: what failed before a restart says nothing after it."""


class StatusChecks:
    """DescribeInstanceStatus knows no tags: it lists what runs in the region, and ours are picked out."""

    def __init__(self, client: Callable[[], Any], clock: Clock) -> None:
        self._client, self._clock = client, clock
        self._known: dict[str, tuple[float, frozenset[Boot]]] = {}

    def failed(self, fleet: str, machines: Sequence[Machine]) -> frozenset[Boot]:
        """The boots that failed a check when last asked. Statuses that cannot be read fail nobody."""
        now = self._clock.monotonic()
        asked_at, known = self._known.get(fleet, (-EVERY, frozenset()))
        if now - asked_at >= EVERY:
            known = self._ask(machines)
            self._known[fleet] = now, known
        return known

    def _ask(self, machines: Sequence[Machine]) -> frozenset[Boot]:
        try:
            impaired = set(self._impaired())
        except Unreadable:
            return frozenset()
        return frozenset(boot(machine) for machine in machines if machine.id in impaired)

    def _impaired(self) -> Iterator[str]:
        running = [{"Name": "instance-state-name", "Values": ["running"]}]
        with answers("EC2"):
            pages = self._client().get_paginator("describe_instance_status").paginate
            for page in pages(Filters=running, MaxResults=PAGE):
                yield from (
                    str(seen.get("InstanceId")) for seen in page.get("InstanceStatuses", ()) if _is_impaired(seen)
                )


def boot(machine: Machine) -> Boot:
    return machine.id, machine.launched_at


def _is_impaired(seen: Mapping[str, Any]) -> bool:
    return any(seen.get(check, {}).get("Status") == "impaired" for check in CHECKS)

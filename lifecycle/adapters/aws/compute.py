"""EC2 instances of a fleet: one list a tick, and switches that prove whose machine it is first.

Making and replacing instances is Pulumi's. What cannot be read in full is Unreadable, never a shorter list.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from lifecycle.adapters.aws import described
from lifecycle.adapters.aws.checks import StatusChecks, boot
from lifecycle.adapters.aws.session import Session, answers, code_of
from lifecycle.model import tags
from lifecycle.model.errors import GuardRefused, Unreadable
from lifecycle.model.fleet import Market
from lifecycle.model.ids import NodeName
from lifecycle.model.plan import Label
from lifecycle.model.states import InstanceState
from lifecycle.model.world import Machine
from lifecycle.ports.clock import Clock
from lifecycle.system.clock import SystemClock

PAGE = 1000
"""The most that DescribeInstances gives at once."""

TAGGED_AT_ONCE = 200
"""CreateTags takes 1,000 ids; smaller batches are less to repeat."""


class Ec2Compute:
    """Implements `ports.compute.Compute`. Without `checks` no machine is ever called impaired."""

    def __init__(self, session: Session, owner: str, *, checks: bool = True, clock: Clock | None = None) -> None:
        self._session, self._owner = session, owner
        self._checks = StatusChecks(lambda: self._ec2, clock or SystemClock()) if checks else None

    @cached_property
    def _ec2(self) -> Any:
        return self._session.client("ec2")

    # ---- seeing ----------------------------------------------------------------------------------

    def machines(self, fleet: str) -> Sequence[Machine]:
        """Raises NotAuthorised too, when the credentials are missing, expired or of another account."""
        found = self._listed(fleet)
        running = [m for m in found.values() if m.state is InstanceState.RUNNING and not m.ending]
        if self._checks is not None and running:
            failed = self._checks.failed(fleet, running)
            found |= {m.id: _impaired(m) for m in running if boot(m) in failed}
        return list(found.values())

    def _listed(self, fleet: str) -> dict[str, Machine]:
        ours = [_filter(tags.FLEET, fleet), _filter(tags.OWNER, self._owner)]
        found: dict[str, Machine] = {}
        with answers("EC2"):
            for page in self._ec2.get_paginator("describe_instances").paginate(Filters=ours, MaxResults=PAGE):
                for machine in self._described(page, fleet):
                    if machine.id in found:
                        raise _doubtful(f"EC2 lists {machine.id} twice")
                    found[machine.id] = machine
        return found

    def _described(self, page: Mapping[str, Any], fleet: str) -> Iterator[Machine]:
        if "Reservations" not in page:
            raise _doubtful("EC2 answers DescribeInstances without a list")
        for reservation in page["Reservations"]:
            for instance in reservation.get("Instances", ()):
                machine = described.machine(instance, self._owner, fleet)
                if machine is not None:
                    yield machine

    # ---- switching -------------------------------------------------------------------------------

    def power_off(self, machine: Machine) -> None:
        """Raises GuardRefused for a spot machine, and for one that is not ours."""
        self._switch(machine, "stop_instances", _is_off)

    def power_on(self, machine: Machine) -> None:
        """Raises GuardRefused for a spot machine, and for one that is not ours."""
        self._switch(machine, "start_instances", _is_on)

    def end_stray(self, machine: Machine) -> None:
        """Raises GuardRefused for a machine that is not ours."""
        if not _is_ended(self._proven(machine)):
            with answers("EC2"):
                self._ec2.terminate_instances(InstanceIds=[machine.id])

    def _switch(self, machine: Machine, verb: str, reached: Callable[[Machine], bool]) -> None:
        found = self._proven(machine)
        if found.market is Market.SPOT:
            raise GuardRefused(
                f"{machine.node}: a spot machine cannot be stopped or started, only ended",
                fix="`steady stop` saves it, ends it, and starts it again later",
                about="spot",
            )
        if reached(found):
            return
        with answers("EC2"):
            try:
                getattr(self._ec2, verb)(InstanceIds=[machine.id])
            except ClientError as error:
                if code_of(error) != "IncorrectInstanceState" or not reached(self._proven(machine)):
                    raise

    def _proven(self, machine: Machine) -> Machine:
        """The machine as it is now, by its id. Raises GuardRefused unless its tags still name us and the node."""
        with answers("EC2"):
            page = self._ec2.describe_instances(InstanceIds=[machine.id])
        fleet = NodeName.parse(machine.node).fleet
        for found in self._described(page, fleet):
            if (found.id, found.node, found.incarnation) == (machine.id, machine.node, machine.incarnation):
                return found
        raise GuardRefused(
            f"{machine.id} is not our machine of {machine.node}: its tags say otherwise",
            fix="it was left alone; see who changed its steady: tags",
            about="not ours",
        )

    # ---- tagging ---------------------------------------------------------------------------------

    def label(self, labels: Sequence[Label]) -> None:
        """Raises Unreadable when cut short."""
        due: dict[tuple[tuple[str, str], ...], list[str]] = defaultdict(list)
        for label in labels:
            new = tuple(
                (name, value) for name, value in label.tags.items() if label.machine.tags.get(name) != value
            )
            if new and self._may_tag(label.machine):
                due[new].append(label.machine.id)
        with answers("EC2"):
            for new, ids in due.items():
                for batch in _batches(ids):
                    self._ec2.create_tags(Resources=batch, Tags=[{"Key": k, "Value": v} for k, v in new])

    def _may_tag(self, machine: Machine) -> bool:
        ours = tags.owned(machine.tags, self._owner, NodeName.parse(machine.node).fleet)
        return ours and not _is_ended(machine)


def _filter(key: str, value: str) -> dict[str, Any]:
    return {"Name": f"tag:{key}", "Values": [value]}


def _impaired(machine: Machine) -> Machine:
    return msgspec.structs.replace(machine, impaired=True)


def _is_ended(machine: Machine) -> bool:
    return machine.ending or machine.state is InstanceState.TERMINATED


def _is_off(machine: Machine) -> bool:
    return _is_ended(machine) or machine.state in (InstanceState.STOPPING, InstanceState.STOPPED)


def _is_on(machine: Machine) -> bool:
    return not machine.ending and machine.state in (InstanceState.PENDING, InstanceState.RUNNING)


def _batches(ids: Sequence[str]) -> Iterator[list[str]]:
    left = iter(ids)
    while batch := list(islice(left, TAGGED_AT_ONCE)):
        yield batch


def _doubtful(what: str) -> Unreadable:
    return Unreadable(what, fix="it is read again by the next tick")
